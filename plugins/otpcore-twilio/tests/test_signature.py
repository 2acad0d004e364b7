"""A request is Twilio's only where its signature fits, byte for byte, at the public URL that the operator has set."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from twilio import request_validator  # type: ignore[import-untyped]  # carries no types

from otpcore.errors import ReceiptRefused
from otpcore.ports import InboundRequest
from otpcore_twilio.signature import LARGEST_BODY, Signatures

TOKEN, SECRET = "t" * 32, "k" * 40
HOST = "https://otp.example.com"
FORM = "application/x-www-form-urlencoded"
SETTINGS = "X-Twilio-Webhooks-Signature-Settings"
STATUS = {
    "AccountSid": "AC" + "0" * 32,
    "ApiVersion": "2010-04-01",
    "From": "+12025550100",
    "MessageSid": "SM" + "1" * 32,
    "MessageStatus": "delivered",
    "To": "+12025550123",
}
UNDELIVERED = {"To": "whatsapp:+12025550123", "MessageStatus": "undelivered", "ErrorCode": "63016", "EventType": ""}
ARRAY = '[{"specversion":"1.0"}]'
EVENTS = "/events?bodySHA256=8b8f7ee9c565d6ba5a29b8180901a6e377653e88f4bf47a2c92175d7595cd2da"
ACCENTS = "/events?bodySHA256=36f593e3408ee8b11d9328b877e00b42d9e0108a6b8caff4c3554ed450fe759b"

VECTORS: list[tuple[str, str, dict[str, str] | str, str, str]] = [
    ("", "/status", STATUS, "", "pIdzR2mVw9THGtNLb87sVrRG/vw="),
    ("", "/status", STATUS | UNDELIVERED, "", "ZFIWwtR1kuo9ftFWtelAfnRRhKc="),
    ("", "/status?tenant=a%20b&x=", STATUS, "", "7a6gX0XKdEwd1BRidVEML7DkLL4="),
    ("", "/", {"MessageSid": "SM" + "1" * 32, "MessageStatus": "sent"}, "", "AZLxqs8fkbtYBfV44NEStPP05lU="),
    ("", "/status", STATUS | {"Body": "é & ü = +"}, "", "hQ7o+7xxusx204t2X9hWYicnqQ8="),
    (":443", "/status", STATUS, "", "iclbbZWhqqadCFvSQKMxTyOAXv4="),
    ("", "/status", STATUS, "HMAC_SHA256", "j8WEEyjbtwckYqtyHf5AJb1G2980iys6VifNVhIfMU0="),
    ("", "/status", STATUS, "HMAC_SHA1", "kfwP2UihTKThHnveR47+Pks89y4="),
    ("", EVENTS, ARRAY, "", "DO/iT45q4qKJ5f7irI9CFL5HuKw="),
    ("", EVENTS, ARRAY, "HMAC_SHA256", "zYdG1kzDoXIDV/CYg4/+lvtAXNdV3qiU8luux105f9I="),
    ("", ACCENTS, '[{"é":"ü"}]', "", "MIl5jHQY606TpCv5UN4xi26pIG0="),
    (":443", EVENTS, ARRAY, "", "tPiBpP3zirYsGJbK4MG1TPrXuSI="),
]
"""Port that was signed, path and query, content, algorithm of a shared key, and what the SDK 9.13 computes."""


def inbound(url: str, content: dict[str, str] | str, signature: str, algorithm: str = "") -> InboundRequest:
    kind = "application/json" if isinstance(content, str) else FORM
    headers = {"Content-Type": kind, "X-Twilio-Signature": signature}
    if algorithm:
        headers[SETTINGS] = f"key=webhooks_sharedkey_1,algorithm={algorithm}"
    body = content if isinstance(content, str) else urlencode(content)
    return InboundRequest("POST", url, headers, body.encode())


def own_signature(url: str, content: dict[str, str] | str, secret: str, algorithm: str = "") -> str:
    """Twilio's rule once more, without the SDK."""
    fields = "" if isinstance(content, str) else "".join(name + content[name] for name in sorted(content))
    digest = hmac.digest(secret.encode(), (url + fields).encode(), "sha256" if "256" in algorithm else "sha1")
    return base64.b64encode(digest).decode()


def signed(url: str, content: dict[str, str] | str, *, host: str = HOST, secret: str = TOKEN) -> InboundRequest:
    return inbound(url, content, own_signature(host + url, content, secret))


JUDGE = Signatures(HOST, TOKEN, SECRET)


@pytest.mark.parametrize(("port", "url", "content", "algorithm", "signature"), VECTORS)
def test_a_known_request_is_accepted(
    port: str, url: str, content: dict[str, str] | str, algorithm: str, signature: str
) -> None:
    assert own_signature(HOST + port + url, content, SECRET if algorithm else TOKEN, algorithm) == signature
    found = JUDGE.judge(inbound(url, content, signature, algorithm))
    assert (found.text, found.fields) == ((content, None) if isinstance(content, str) else (None, content))


# --- tampers


def flipped(data: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << draw.randrange(8))]) + data[place + 1 :]


def with_header(request: InboundRequest, **changes: str | None) -> InboundRequest:
    """With `_` for `-` in the names; None drops one."""
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    kept = {name: value for name, value in request.headers.items() if name not in named}
    return replace(request, headers=kept | {name: value for name, value in named.items() if value is not None})


def a_bit_of_the_body(request: InboundRequest, draw: random.Random) -> InboundRequest:
    return replace(request, body=flipped(request.body, draw))


def a_bit_of_the_signature(request: InboundRequest, draw: random.Random) -> InboundRequest:
    given = request.headers["X-Twilio-Signature"].encode()
    return with_header(request, X_Twilio_Signature=flipped(given, draw).decode("latin-1"))


def a_bit_of_the_url(request: InboundRequest, draw: random.Random) -> InboundRequest:
    return replace(request, url=flipped(request.url.encode(), draw).decode("latin-1"))


def the_writing_of_the_url(request: InboundRequest, draw: random.Random) -> InboundRequest:
    place = draw.randrange(len(request.url) + 1)
    added = draw.choice(
        ["?", "#", "/", "&", "%", " ", "\t", "\n", "\r\n", "\0", ";", "@", "x", ":443", "\\", "é", "#x"]
    )
    return replace(request, url=request.url[:place] + added + request.url[place:])


def a_parameter(request: InboundRequest, draw: random.Random) -> InboundRequest:
    pairs = parse_qsl(request.body.decode(), keep_blank_values=True)
    if len(pairs) < 2:
        return replace(request, body=request.body + draw.choice([b" ", b"x", b"\0", b"[]"]))
    one, other = draw.sample(range(len(pairs)), 2)
    name, value = pairs[one]
    change = draw.randrange(5)
    if change == 0:
        del pairs[one]
    elif change == 1:
        pairs.append((f"X{draw.randrange(100)}", draw.choice(["", "1"])))
    elif change == 2:
        pairs.append((name, draw.choice([value, value + "1"])))
    elif change == 3 and value != pairs[other][1]:
        pairs[one], pairs[other] = (name, pairs[other][1]), (pairs[other][0], value)
    else:
        pairs[one] = (name.swapcase(), value)
    return replace(request, body=urlencode(pairs).encode())


def port_host_or_scheme(request: InboundRequest, draw: random.Random) -> InboundRequest:
    """Signed for another place."""
    host = draw.choice(
        [f"{HOST}:{draw.randrange(1, 443)}", f"{HOST}:{draw.randrange(444, 65536)}", "http://otp.example.com"]
    )
    host = draw.choice([host, "https://otp.example.org", "https://xotp.example.com", "https://otp.example.com.", ""])
    content = request.body.decode()
    form = request.headers["Content-Type"] == FORM
    fields: Any = dict(parse_qsl(content, keep_blank_values=True)) if form else content
    signature = own_signature(host + request.url, fields, TOKEN)
    return with_header(request, X_Twilio_Signature=signature)


def the_secret(request: InboundRequest, draw: random.Random) -> InboundRequest:
    content = request.body.decode()
    form = request.headers["Content-Type"] == FORM
    fields: Any = dict(parse_qsl(content, keep_blank_values=True)) if form else content
    secret = draw.choice([SECRET, "", TOKEN[:-1], TOKEN.upper(), "webhooks_sharedkey_1"])
    return with_header(request, X_Twilio_Signature=own_signature(HOST + request.url, fields, secret))


def the_headers(request: InboundRequest, draw: random.Random) -> InboundRequest:
    other = "application/json" if request.headers["Content-Type"] == FORM else FORM
    changes: list[dict[str, str | None]] = [
        {"X_Twilio_Signature": None},
        {"X_Twilio_Signature": ""},
        {"x_twilio_signature": request.headers["X-Twilio-Signature"]},  # twice, in another case
        {"Content_Type": draw.choice([other, "text/plain", "multipart/form-data", "", None])},
        {
            SETTINGS.replace(
                "-", "_"
            ): f"key=k,algorithm={draw.choice(['HMAC_SHA256', 'HMAC_SHA1', 'none', 'HMAC_MD5'])}"
        },
        {SETTINGS.replace("-", "_"): ""},
    ]
    return with_header(request, **draw.choice(changes))


TAMPERS: list[Callable[[InboundRequest, random.Random], InboundRequest]] = [
    *(a_bit_of_the_body, a_bit_of_the_signature, a_bit_of_the_url, the_writing_of_the_url),
    *(a_parameter, port_host_or_scheme, the_secret, the_headers),
]


def means_the_same(one: InboundRequest, other: InboundRequest) -> bool:
    """Whether a form was only written in another way, as with %2b for %2B; Twilio signs what it says."""
    if one.headers.get("Content-Type") != FORM or replace(one, body=b"") != replace(other, body=b""):
        return one == other
    first, second = (parse_qsl(each.body.decode("latin-1"), keep_blank_values=True) for each in (one, other))
    return first == second


def tampered() -> Iterator[InboundRequest]:
    """More than a thousand requests, each of which was Twilio's before something of it was changed."""
    draw = random.Random(20261122)
    genuine = [
        signed("/status", STATUS),
        signed("/status?tenant=a", STATUS | UNDELIVERED),
        signed(EVENTS, ARRAY),
    ]
    for tamper in TAMPERS:
        for number in range(150):
            before = genuine[number % len(genuine)]
            after = tamper(before, draw)
            if not means_the_same(before, after):
                yield after


def always(*_: object) -> bool:
    """The SDK's comparison, with the defect that it finds everything equal."""
    return True


def accepted() -> tuple[int, int]:
    """How many of how many tampered requests are taken for Twilio's."""
    taken = count = echoed = 0
    for request in tampered():
        count += 1
        try:
            JUDGE.judge(request)
            taken += 1
        except ReceiptRefused as refusal:
            echoed += "2025550123" in str(refusal)
    assert not echoed
    return taken, count


def test_of_a_thousand_tampered_requests_none_is_accepted() -> None:
    taken, count = accepted()
    assert taken == 0
    assert count >= 1000


def test_the_tampers_would_be_accepted_if_the_signature_did_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_validator, "compare", always)
    taken, count = accepted()
    assert taken > count / 2


# --- what is no request of Twilio's at all


@pytest.mark.parametrize(
    "judge",
    [Signatures("", TOKEN, SECRET), Signatures(HOST, "", ""), Signatures(HOST, "", SECRET)],
    ids=["no public_url", "no secret", "no auth_token"],
)
def test_without_public_url_or_auth_token_everything_is_refused_with_the_name_of_what_is_missing(
    judge: Signatures,
) -> None:
    for secret in (TOKEN, SECRET, ""):
        with pytest.raises(ReceiptRefused, match=r"public_url is not set|TWILIO_AUTH_TOKEN"):
            judge.judge(signed("/status", STATUS, secret=secret))


def test_without_a_shared_key_the_auth_token_signs_in_both_algorithms() -> None:
    judge = Signatures(HOST, TOKEN, "")
    for algorithm in ("HMAC_SHA1", "HMAC_SHA256"):
        signature = own_signature(f"{HOST}/status", STATUS, TOKEN, algorithm)
        assert judge.judge(inbound("/status", STATUS, signature, algorithm)).fields == STATUS
    with pytest.raises(ReceiptRefused):
        judge.judge(inbound("/status", STATUS, own_signature(f"{HOST}/status", STATUS, TOKEN), "HMAC_SHA256"))


def test_no_header_moves_the_public_url() -> None:
    request = signed("/status", STATUS)
    elsewhere = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "http",
        "Forwarded": "x",
    }
    JUDGE.judge(replace(request, headers=dict(request.headers) | elsewhere))
    forged = signed("/status", STATUS, host="https://evil.example")
    with pytest.raises(ReceiptRefused):
        JUDGE.judge(replace(forged, headers=dict(forged.headers) | elsewhere))


def test_a_path_of_the_setting_stands_before_the_path_of_the_request() -> None:
    behind = Signatures(f"{HOST}/otp/", TOKEN, "")
    assert behind.judge(signed("/status", STATUS, host=f"{HOST}/otp")).fields == STATUS
    with pytest.raises(ReceiptRefused):
        behind.judge(signed("/status", STATUS))


@pytest.mark.parametrize("names", [str.lower, str.upper, str.title])
def test_names_of_headers_are_compared_without_regard_to_case(names: Callable[[str], str]) -> None:
    request = signed("/status", STATUS)
    given = {names(name): value for name, value in request.headers.items()}
    assert JUDGE.judge(replace(request, headers=given)).fields == STATUS


def test_a_body_is_judged_up_to_its_largest_size() -> None:
    def of(size: int) -> InboundRequest:
        text = '["' + "x" * (size - 4) + '"]'
        return signed(f"/events?bodySHA256={hashlib.sha256(text.encode()).hexdigest()}", text)

    assert JUDGE.judge(of(LARGEST_BODY)).text
    with pytest.raises(ReceiptRefused, match="65536"):
        JUDGE.judge(of(LARGEST_BODY + 1))


@pytest.mark.parametrize(
    ("method", "url", "body", "kind"),
    [
        ("GET", "/status", urlencode(STATUS).encode(), FORM),
        ("PUT", "/status", urlencode(STATUS).encode(), FORM),
        ("POST", "https://otp.example.com/status", urlencode(STATUS).encode(), FORM),
        ("POST", "", urlencode(STATUS).encode(), FORM),
        ("POST", "/status", b"\xff", FORM),
        ("POST", "/status", b"a=%FF", FORM),
        ("POST", "/status", b"a&b", FORM),
        ("POST", "/status", b"&".join(b"a%d=1" % n for n in range(201)), FORM),
        ("POST", "/events", ARRAY.encode(), "application/json"),
        ("POST", "/events?bodySHA256=", ARRAY.encode(), "application/json"),
        ("POST", f"{EVENTS}&bodySHA256=0", ARRAY.encode(), "application/json"),
    ],
)
def test_what_twilio_does_not_send_is_refused_whatever_its_signature(
    method: str, url: str, body: bytes, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_validator, "compare", always)
    headers = {"Content-Type": kind, "X-Twilio-Signature": "A" * 27 + "="}
    with pytest.raises(ReceiptRefused):
        JUDGE.judge(InboundRequest(method, url, headers, body))


def test_nothing_is_logged_and_nothing_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    accepted()
    assert not caplog.records
    assert "2025550123" not in repr(JUDGE.judge(signed("/status", STATUS)))
