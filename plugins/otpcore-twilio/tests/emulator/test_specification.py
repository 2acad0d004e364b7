"""Every answer, held against Twilio's own OpenAPI document and its examples, which lie beside the repository."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import pytest
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from otpcore_twilio.emulator import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Bench

SHARED = Path(__file__).parents[5] / "shared" / "twilio"
TO = "+12025550123"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.exists(), reason="no OpenAPI document beside the repository"),
]


@cache
def document() -> OpenAPI:
    return OpenAPI.from_file_path(str(SHARED / "twilio_verify_v2.openapi.json"))


def examples(operation: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((SHARED / "oai_examples.json").read_text())
    return [example["body"] for example in found if example["operationId"] == operation and example["status"] < 300]


def hold(method: str, path: str, status: int, body: str) -> None:
    """Raise OpenAPIError unless the document allows this answer."""
    request = MockRequest("https://verify.twilio.com", method.lower(), path)
    content = body.encode() if body else None
    response = MockResponse(content or b"", status_code=status, content_type="application/json")
    document().validate_response(request, response)


def walk(bench: Bench) -> None:
    """Use every operation at least once."""
    services = bench.v2.services
    made = services.create(friendly_name="Shop")
    services(made.sid).update(friendly_name="Bazaar", tts_name="alice")
    services(made.sid).fetch()
    services.list(page_size=1)
    services(made.sid).delete()
    for channel in ("sms", "call", "whatsapp"):
        sent = bench.send(channel=channel)
        bench.service.verifications(sent.sid).fetch()
    bench.check(bench.wrong())
    bench.check(bench.right())
    bench.send("ada@example.org", "email")
    bench.service.verifications("ada@example.org").update(status="approved")
    bench.service.verifications(bench.send().sid).update(status="canceled")
    bench.refused(bench.send, "+15005550429")


def conversation(bench: Bench) -> list[tuple[str, str, int, str]]:
    return [
        (method, urlsplit(url).path, answer.status_code, answer.text)
        for (method, url), answer in zip(bench.http.asked, bench.http.answers, strict=True)
    ]


@pytest.mark.parametrize("status", [200, 201])
def test_every_answer_is_one_that_the_document_allows(
    bench_of: Callable[..., Bench], status: Literal[200, 201]
) -> None:
    bench = bench_of(Options(check_status=status, channels=frozenset({"sms", "call", "whatsapp", "email"})))
    walk(bench)
    seen: set[tuple[str, int]] = set()
    for method, path, answered, body in conversation(bench):
        hold(method, path, answered, body)
        seen.add((method, answered))
    assert seen == {("POST", 201), ("POST", 200), ("GET", 200), ("DELETE", 204), ("POST", 429)}


@pytest.mark.parametrize(
    ("key", "wrong"), [("sid", "VE1"), ("channel", "SMS"), ("valid", "no"), ("date_created", "yesterday")]
)
def test_an_answer_that_breaks_the_document_is_noticed(bench: Bench, key: str, wrong: str) -> None:
    bench.send()
    ((method, path, status, body),) = conversation(bench)
    with pytest.raises(OpenAPIError):
        hold(method, path, status, json.dumps(json.loads(body) | {key: wrong}))


@pytest.mark.parametrize(
    ("operation", "absent"),
    [
        ("FetchService", set[str]()),
        ("CreateVerification", {"sna"}),  # absent in the captures of 2022 to 2024
        ("CreateVerificationCheck", {"sna_attempts_error_codes"}),  # absent in the capture of 2024
    ],
)
def test_a_body_has_the_shape_of_the_examples(bench: Bench, operation: str, absent: set[str]) -> None:
    if operation == "FetchService":
        bench.service.fetch()
    else:
        bench.send()
    if operation == "CreateVerificationCheck":
        bench.check(bench.right())
    ours = bench.body
    theirs = [example for example in examples(operation) if example.get("channel", "sms") == "sms"]
    assert theirs
    for example in theirs:
        assert set(ours) == set(example) - absent
        for key in ("push", "totp", "whatsapp", "links", "passkeys"):
            if key in example:
                assert set(ours[key]) == set(example[key])
        if "send_code_attempts" in example:
            assert set(ours["send_code_attempts"][0]) == set(example["send_code_attempts"][0])
