"""What a REST provider says is encoded and never concatenated; what an answer means is data."""

from __future__ import annotations

import base64
import hmac
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otpcore.errors import ReceiptRefused
from otpcore.ports import Failure, FailureKind, InboundRequest, SendEffect
from otpcore.providers.http import (
    KINDS,
    HttpRequest,
    HttpResponse,
    UnfitRequest,
    failure,
    require_basic,
    require_hmac,
    require_recent,
    url_of,
)

ORIGIN = "https://api.example.com/v2"
KINDS_OF_OURS = {**KINDS, "21610": FailureKind.OPTED_OUT}

clean = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=40)
segment = clean.filter(lambda text: text not in ("", ".", ".."))


@settings(max_examples=2_500)
@given(parts=st.lists(segment, min_size=1, max_size=3), name=clean, value=clean, other=clean)
def test_what_is_encoded_reads_as_it_was_meant(parts: list[str], name: str, value: str, other: str) -> None:
    """Four values or more an example: 10,000 of them."""
    asked = HttpRequest("POST", url_of(ORIGIN, *parts), params={name: value}, form=[(name, value), (name, other)])
    encoded = asked.encode()
    target = urlsplit(encoded.target.decode("ascii"))
    assert [unquote(each) for each in target.path.split("/")] == ["", "v2", *parts]
    assert parse_qsl(target.query, keep_blank_values=True, strict_parsing=True) == [(name, value)]
    assert parse_qsl(encoded.body.decode("ascii"), keep_blank_values=True) == [(name, value), (name, other)]
    document = HttpRequest("POST", ORIGIN, json={name: [value, {"x": other}]}).encode().body
    assert json.loads(document) == {name: [value, {"x": other}]}


BREAKS = ["\r", "\n", "\x00", "\r\nX-Injected: 1", "\x7f", "\x85", "\u2028"]
FIELDS: dict[str, Callable[[str], HttpRequest]] = {
    "header": lambda text: HttpRequest("GET", ORIGIN, headers={"X-Tag": text}),
    "header name": lambda text: HttpRequest("GET", ORIGIN, headers={text: "x"}),
    "segment": lambda text: HttpRequest("GET", url_of(ORIGIN, text)),
    "url": lambda text: HttpRequest("GET", f"{ORIGIN}/{text}"),
    "method": lambda text: HttpRequest(text, ORIGIN),
    "parameter": lambda text: HttpRequest("GET", ORIGIN, params={"to": text}),
    "parameter name": lambda text: HttpRequest("GET", ORIGIN, params={text: "x"}),
    "form": lambda text: HttpRequest("POST", ORIGIN, form={"to": text}),
    "document": lambda text: HttpRequest("POST", ORIGIN, json={"to": [{"x": text}]}),
    "document name": lambda text: HttpRequest("POST", ORIGIN, json={text: 1}),
    "name": lambda text: HttpRequest("GET", ORIGIN, auth=(text, "x")),
    "password": lambda text: HttpRequest("GET", ORIGIN, auth=("x", text)),
}


@pytest.mark.parametrize("text", BREAKS, ids=repr)
@pytest.mark.parametrize("field", FIELDS)
def test_a_control_character_is_refused_in_every_field(field: str, text: str) -> None:
    with pytest.raises(UnfitRequest) as refused:
        FIELDS[field](f"GET{text}").encode()
    assert text not in str(refused.value)


def test_only_the_words_may_break_lines() -> None:
    words = "1234 is your code.\n\n@example.com #1234"
    asked = HttpRequest("POST", ORIGIN, json={"text": f"{words}", "tag": "x"})
    assert json.loads(asked.encode(words).body)["text"] == words
    with pytest.raises(UnfitRequest):
        asked.encode()
    with pytest.raises(UnfitRequest):
        HttpRequest("POST", ORIGIN, json={"text": words, "tag": "a\nb"}).encode(words)


@pytest.mark.parametrize(
    "asked",
    [
        HttpRequest("TRACE", ORIGIN),
        HttpRequest("GET", "ftp://api.example.com"),
        HttpRequest("GET", "/relative"),
        HttpRequest("GET", "https://name:password@api.example.com"),
        HttpRequest("GET", "https://api.example.com/#part"),
        HttpRequest("GET", "https://api.example.com:port/"),
        HttpRequest("GET", "https://exämple.com/"),
        HttpRequest("GET", "https://api.example.com/a b"),
        HttpRequest("POST", ORIGIN, json={}, form={}),
        HttpRequest("POST", ORIGIN, json={"x": float("nan")}),
        HttpRequest("POST", ORIGIN, json={"x": object()}),
        HttpRequest("POST", ORIGIN, form={"x": "\ud800"}),
        HttpRequest("POST", ORIGIN, params=cast("Any", {"x": 1})),
        HttpRequest("GET", ORIGIN, headers={"Content-Length": "5"}),
        HttpRequest("GET", ORIGIN, headers={"Host": "elsewhere"}),
        HttpRequest("GET", ORIGIN, headers={"X-Tag": "ünicode"}),
        HttpRequest("GET", ORIGIN, auth=("a:b", "c")),
    ],
    ids=lambda asked: f"{asked.method} {asked.url}",
)
def test_what_cannot_be_meant_is_refused(asked: HttpRequest) -> None:
    with pytest.raises(UnfitRequest):
        asked.encode()


def test_credentials_and_queries_are_where_they_belong() -> None:
    encoded = HttpRequest("GET", f"{ORIGIN}?a=1", params={"b": "2 3"}, auth=("us", "pass:word")).encode()
    assert encoded.target == b"/v2?a=1&b=2+3"
    basic = dict(encoded.headers)[b"Authorization"]
    assert base64.b64decode(basic.removeprefix(b"Basic ")) == b"us:pass:word"
    assert (encoded.secure, encoded.host, encoded.port) == (True, "api.example.com", 443)


def test_nothing_of_a_request_or_an_answer_is_shown() -> None:
    asked = HttpRequest(
        "GET", f"{ORIGIN}/918273", headers={"X": "918273"}, params={"x": "918273"}, auth=("918273", "x")
    )
    answer = HttpResponse(400, {"x": "918273"}, b"918273")
    for value in (asked, asked.encode(), answer, failure(answer), failure(answer, code="918273 +12025550123")):
        assert "918273" not in repr(value)


def answered(status: int, body: bytes = b"{}", **headers: str) -> HttpResponse:
    return HttpResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(
    ("found", "kind", "effect"),
    [
        (failure(answered(401)), "misconfigured", "not_sent"),
        (failure(answered(402)), "quota_exhausted", "not_sent"),
        (failure(answered(429)), "rate_limited", "not_sent"),
        (failure(answered(418)), "content_rejected", "not_sent"),
        (failure(answered(500)), "internal", "unknown"),
        (failure(answered(504)), "timeout", "unknown"),
        (failure(answered(302)), "internal", "unknown"),
        (failure(answered(200)), "internal", "unknown"),
        (failure(answered(400), KINDS_OF_OURS, code="21610"), "opted_out", "not_sent"),
        (failure(answered(200), KINDS_OF_OURS, code="21610"), "opted_out", "not_sent"),
        (failure(answered(500), KINDS_OF_OURS, code="21610"), "opted_out", "unknown"),
        (failure(answered(200), KINDS_OF_OURS, code="unheard"), "internal", "unknown"),
        (failure(answered(503), effect=SendEffect.NOT_SENT), "internal", "not_sent"),
    ],
)
def test_a_status_or_a_code_says_why_and_whether(found: Failure, kind: str, effect: str) -> None:
    assert (found.kind, found.effect) == (kind, effect)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "30"}, 30),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "9" * 40}, 86_400),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "٣"}, None),
        ({}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:28:30 GMT"}, 0),
    ],
)
def test_retry_after_needs_no_clock(headers: dict[str, str], wait_s: int | None) -> None:
    assert HttpResponse(429, headers, b"").retry_after == (None if wait_s is None else timedelta(seconds=wait_s))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"<html>", b"\xff", b'{"other": 1}', b'{"code": {"x": 1}}', b"[" * 10_000]
)
def test_what_an_answer_does_not_say_is_none(body: bytes) -> None:
    assert answered(400, body).said("code") is None


KEY, OLD = b"k" * 32, b"o" * 32
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def inbound(body: bytes = b"{}", **headers: str) -> InboundRequest:
    return InboundRequest("POST", "/in", {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_a_signature_of_a_key_in_force_is_taken_and_no_other(encoding: Any) -> None:
    def signed(key: bytes, body: bytes) -> str:
        mac = hmac.digest(key, body, "sha256")
        return mac.hex() if encoding == "hex" else base64.b64encode(mac).decode()

    good = inbound(b"body", X_Signature=f"v1={signed(OLD, b'body')}")
    require_hmac(good, [KEY, OLD], header="x-signature", encoding=encoding, prefix="v1=")
    for wrong in (
        inbound(b"body"),
        inbound(b"body", X_Signature=""),
        inbound(b"body", X_Signature=signed(KEY, b"body")),
        inbound(b"body", X_Signature=f"v1={signed(KEY, b'other')}"),
        inbound(b"body", X_Signature=f"v1={signed(b'x' * 32, b'body')}"),
        inbound(b"body", X_Signature=f"v1={signed(b'', b'body')}"),
        inbound(b"body", X_Signature="v1=ü"),
        InboundRequest("POST", "/in", {"X-Signature": "v1=a", "x-signature": "v1=b"}, b"body"),
    ):
        with pytest.raises(ReceiptRefused):
            require_hmac(wrong, [KEY, OLD, b""], header="X-Signature", encoding=encoding, prefix="v1=")


def test_a_receipt_that_is_too_large_is_refused_before_it_is_signed() -> None:
    with pytest.raises(ReceiptRefused, match="at most"):
        require_hmac(inbound(b"x" * 70_000), [KEY], header="X-Signature")


@pytest.mark.parametrize("text", ["", "Basic", "Basic !!!", "Bearer dXM6c2VjcmV0", "Basic dXM6c2VjcmV1", "Basic ü"])
def test_other_credentials_are_refused(text: str) -> None:
    require_basic(inbound(Authorization="Basic dXM6c2VjcmV0"), "us", "secret")
    with pytest.raises(ReceiptRefused):
        require_basic(inbound(Authorization=text), "us", "secret")
    with pytest.raises(ReceiptRefused):
        require_basic(inbound(Authorization="Basic dXM6"), "us", "")


@pytest.mark.parametrize(
    "at", [NOW - timedelta(seconds=301), NOW + timedelta(seconds=301), "soon", "nan", "1e400", 10**30]
)
def test_what_was_not_signed_just_now_is_refused(at: Any) -> None:
    require_recent(NOW - timedelta(seconds=300), NOW)
    require_recent(str(int(NOW.timestamp())), NOW)
    with pytest.raises(ReceiptRefused):
        require_recent(at, NOW)


def test_no_http_library_is_loaded_before_the_first_call() -> None:
    code = (
        "import sys, otpcore, otpcore.providers.http as h;"
        "from tests.providers.test_http_kit import Messages;"
        "h.blocking(Messages('http://127.0.0.1:9')); h.awaited(Messages('http://127.0.0.1:9'));"
        "print([name for name in ('httpcore', 'httpx', 'anyio', 'h11') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert ended.stdout.strip() == "[]"
