"""What a URL can say, and that its password is shown nowhere."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from otpcore.errors import ConfigurationError, StoreUnavailable
from otpcore_redis import RedisSettings, primary, settings
from otpcore_redis.address import Address, address
from otpcore_redis.settings import build, build_async
from tests.redis_groups import SERVICE
from tests.redis_planted import Planted, is_red
from tests.redis_servers import Server, free_port, needed
from tests.redis_stores import Both


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("redis://u:p@h:1/2", Address("redis://u:p@h:1/2")),
        ("redis+sentinel://a,b:2/s", Address("redis://any/", sentinels=(("a", 26379), ("b", 2)), service="s")),
        (
            "rediss+sentinel://u:p%40@[::1]:3,[fe80::1]/s/4?x=y",
            Address("rediss://u:p%40@any/4?x=y", sentinels=(("::1", 3), ("fe80::1", 26379)), service="s"),
        ),
        ("redis+cluster://a:1,b", Address("redis://any/", seeds=(("a", 1), ("b", 6379)))),
        ("rediss+cluster://:p@a/0?x=y", Address("rediss://:p@any/?x=y", seeds=(("a", 6379),))),
    ],
)
def test_a_url_says_where_redis_is(url: str, found: Address) -> None:
    assert address(url) == found
    assert "p%40" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "http://:secret@127.0.0.1",
        "secret",
        "redis+sentinel://:secret@a:1",
        "redis+sentinel://:secret@a:1/",
        "redis+sentinel://:secret@a:1/service/x",
        "redis+sentinel://:secret@/service",
        "redis+cluster://:secret@a:1/2",
        "redis+cluster://:secret@a:b",
        "redis+cluster://:secret@a:1,,b",
        "redis+cluster://:secret@::1:6379",
        "redis+elsewhere://:secret@a:1",
        "redis://:secret@a:1/0?unknown=1",
        "redis+sentinel://:secret@a:1/service?unknown=1",
        "redis+cluster://:secret@a:1?unknown=1",
    ],
)
def test_a_url_that_is_none_is_refused_and_not_shown(url: str) -> None:
    for make in (build, build_async):
        with pytest.raises(ConfigurationError, match="OTPCORE_REDIS_URL: give") as refused:
            make(RedisSettings(url=SecretStr(url)))
        assert "secret" not in str(refused.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of this machine's loopback, signed by itself; and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run(
        [
            needed("openssl"),
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            *subject,
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@pytest.fixture(scope="module")
def by_tls(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a service whose primary and sentinel are spoken to by TLS."""
    folder, port, sentinel_port = tmp_path_factory.mktemp("tls"), free_port(), free_port()
    common = {
        "cert-file": certificate[0],
        "key-file": certificate[1],
        "ca-cert-file": certificate[0],
        "auth-clients": "no",
    }
    options = {f"tls-{name}": str(value) for name, value in common.items()}
    file = "\n".join(
        [
            *(f"{name} {value}" for name, value in options.items()),
            f"tls-port {sentinel_port}",
            "tls-replication yes",
            f"sentinel monitor {SERVICE} 127.0.0.1 {port} 1",
        ]
    )
    flat = [part for name, value in options.items() for part in (f"--{name}", value)]
    with Server(folder / "primary", "--tls-port", str(port), *flat), Server(folder / "sentinel", file=file):
        yield f"rediss+sentinel://127.0.0.1:{sentinel_port}/{SERVICE}?ssl_ca_certs={certificate[0]}"


def test_sentinels_and_primary_are_spoken_to_by_tls(by_tls: str, colour: str) -> None:
    with Both(colour, by_tls) as store:
        assert isinstance(store.put(colour, b"1"), str)
        assert store("load", colour).data == b"1"


def test_a_certificate_that_nobody_vouches_for_is_refused(by_tls: str, colour: str) -> None:
    with Both(colour, by_tls.partition("?")[0]) as store, pytest.raises(StoreUnavailable):
        store("load", colour)


def in_clear(*_given: object, **_named: object) -> dict[str, object]:
    """The defect: the sentinels are spoken to without TLS."""
    return {}


class InClear(primary.PrimaryConnection):
    """The defect: the primary is spoken to without TLS."""

    def __init__(self, **terms: Any) -> None:
        super().__init__(**{word: value for word, value in terms.items() if not word.startswith("ssl_")})


def unchecked(context: ssl.SSLContext, *given: Any, **named: Any) -> Any:
    """The defect: whoever answers is believed."""
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return wrap_socket(context, *given, **named)


wrap_socket = ssl.SSLContext.wrap_socket

PLANTED = [
    Planted("sentinels in clear", settings, "_asking", in_clear, test_sentinels_and_primary_are_spoken_to_by_tls),
    Planted(
        "primary in clear",
        primary,
        "PrimarySSLConnection",
        InClear,
        test_sentinels_and_primary_are_spoken_to_by_tls,
    ),
    Planted(
        "not checked",
        ssl.SSLContext,
        "wrap_socket",
        unchecked,
        test_a_certificate_that_nobody_vouches_for_is_refused,
    ),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.sentence)
def test_a_planted_defect_is_caught(planted: Planted, request: pytest.FixtureRequest) -> None:
    assert is_red(planted, request, colour="blocking")
