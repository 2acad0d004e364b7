"""What the tests of the Vonage provider share: a fake held against a description, settings, requests."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse
from pydantic import SecretStr

from otpcore import AsyncEngine, Engine
from otpcore.ports import SendRequest
from otpcore.stores.tinydb import TinyDBStore
from otpcore_vonage import VonageProvider, VonageSettings
from otpcore_vonage.fake import Exchange, FakeVonage

PEPPER = b"a pepper of at least thirty-two bytes"
PHONE = "+12025550123"
APPLICATION = "78d335fa-323d-0114-9c3d-d6f0d48968cf"
BEGAN = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def pem(rsa_key: rsa.RSAPrivateKey) -> str:
    return rsa_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture(scope="session")
def certificate(rsa_key: rsa.RSAPrivateKey, pem: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1, and its key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(rsa_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(rsa_key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_text(pem)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="session")
def document() -> OpenAPI:
    config = Config(extra_media_type_deserializers={"application/problem+json": json.loads})
    return OpenAPI.from_file_path(str(Path(__file__).with_name("verify_v2.openapi.yaml")), config=config)


@pytest.fixture(scope="session")
def hold(document: OpenAPI) -> Callable[[Exchange], None]:
    """Raises OpenAPIError unless a request, and the answer to it, are as the description says."""

    def held(one: Exchange) -> None:
        request = MockRequest(
            "http://vonage.test",
            one.method.lower(),
            one.path,
            data=one.asked or None,
            content_type=one.headers.get("content-type", "application/json"),
        )
        if json.loads(one.asked or b"null") is not None:
            document.validate_request(request)
        if one.status is not None:
            kind = "application/json" if one.status < 300 else "application/problem+json"
            document.validate_response(request, MockResponse(one.answered, one.status, content_type=kind))

    return held


@pytest.fixture(params=["http", "tls"])
def vonage(
    request: pytest.FixtureRequest,
    certificate: tuple[Path, Path],
    hold: Callable[[Exchange], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[FakeVonage]:
    """A fresh fake; whatever it was asked and has answered is held against the description."""
    context = None
    if request.param == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    with FakeVonage(tls=context, clock=BEGAN.timestamp) as running:
        yield running
    for one in running.exchanges:
        hold(one)


@pytest.fixture
def settings_for(pem: str) -> Callable[..., VonageSettings]:
    def make(origin: str, **changes: Any) -> VonageSettings:
        given: dict[str, Any] = {
            "application_id": APPLICATION,
            "private_key": SecretStr(pem),
            "brand": "ACME",
            "origin": origin,
        }
        return VonageSettings(**(given | changes))

    return make


@pytest.fixture
def a_send() -> Callable[..., SendRequest]:
    def make(recipient: str = PHONE, **changes: Any) -> SendRequest:
        given: dict[str, Any] = {
            "send_id": "s1",
            "channel": "sms",
            "purpose": "login",
            "code": None,
            "handle": None,
            "expires_at": BEGAN + dt.timedelta(seconds=300),
            "timeout_s": 5.0,
        }
        return SendRequest(recipient=recipient, **(given | changes))

    return make


@pytest.fixture
def provider_of(settings_for: Callable[..., VonageSettings]) -> Iterator[Callable[..., VonageProvider]]:
    """Makes providers, which are closed after the test."""
    made: list[VonageProvider] = []

    def make(origin: str, **changes: Any) -> VonageProvider:
        made.append(VonageProvider(settings_for(origin, **changes)))
        return made[-1]

    yield make
    for one in made:
        one.close()


class Desk:
    """An engine of one colour on the embedded store, in front of a fake whose clock is the engine's too.

    Every method of the engine is a method here, blocking in both colours. The awaiting engine drives the same provider
    through its worker threads. `beside` in `engine` names other providers, after Vonage.
    """

    def __init__(
        self, vonage: FakeVonage, settings: VonageSettings, path: Path, *, awaiting: bool, engine: dict[str, Any]
    ) -> None:
        self.vonage = vonage
        self.provider = VonageProvider(settings)
        more = {"pepper": PEPPER, "clock": self._now} | engine
        beside: Any = more.pop("beside", {})
        colour: Any = AsyncEngine if awaiting else Engine
        self._engine = colour(TinyDBStore(path), {"vonage": self.provider, **beside}, **more)
        self._runner = asyncio.Runner() if awaiting else None

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.vonage.now(), dt.UTC)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *values, **named: self._run(lambda: getattr(self._engine, name)(*values, **named))

    def _run(self, call: Callable[[], Any]) -> Any:
        if self._runner is None:
            return call()

        async def awaited() -> Any:
            return await call()

        return self._runner.run(awaited())

    def codes(self) -> list[str]:
        """Of the messages, oldest first."""
        return [message.code for message in self.vonage.messages]

    def channels(self) -> list[str]:
        """Of the messages, oldest first."""
        return [message.channel for message in self.vonage.messages]

    def shut(self) -> None:
        """Close the engine."""
        self.close()
        if self._runner is not None:
            self._runner.close()


@pytest.fixture(params=["blocking", "awaited"])
def desk(
    request: pytest.FixtureRequest,
    vonage: FakeVonage,
    settings_for: Callable[..., VonageSettings],
    tmp_path: Path,
) -> Iterator[Callable[..., Desk]]:
    """Makes desks of either colour."""
    made: list[Desk] = []

    def make(engine: dict[str, Any] | None = None, **changes: Any) -> Desk:
        path = tmp_path / f"{len(made)}.db"
        settings = settings_for(vonage.origin, **changes)
        made.append(Desk(vonage, settings, path, awaiting=request.param == "awaited", engine=engine or {}))
        return made[-1]

    yield make
    for one in made:
        one.shut()
