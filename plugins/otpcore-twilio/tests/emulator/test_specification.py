"""Twilio's own OpenAPI document: every answer of every test here is held against it, and every operation is looked at.

The document lies beside the repository. What holds the answers is in conftest.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from openapi_core.exceptions import OpenAPIError

from otpcore_twilio.emulator import Options
from otpcore_twilio.emulator.operations import OPERATIONS
from otpcore_twilio.emulator.resources import absent

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Bench

    Judge = Callable[[str, str, int, str], None]

DOCUMENT = Path(__file__).parents[5] / "shared" / "twilio" / "twilio_verify_v2.openapi.json"
TO = "+12025550123"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DOCUMENT.exists(), reason="no OpenAPI document beside the repository: answers are not held"),
]


def operations() -> list[tuple[str, str, str]]:
    """Method, path and id of every operation of the document."""
    document: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return [
        (method.upper(), path, item[method]["operationId"])
        for path, item in document["paths"].items()
        for method in ("get", "post", "delete")
        if method in item
    ]


def nameless(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_every_operation_of_the_document_is_served_or_says_that_it_is_not_emulated(bench: Bench) -> None:
    served = {(method, nameless(path)) for method, path, handler in OPERATIONS if handler is not absent.not_emulated}
    beside: set[str] = set()
    for method, path, operation in operations():
        if (method, nameless(path)) in served:
            continue
        bench.client.request(method, bench.emulator.url + re.sub(r"\{[^}]*\}", "x", path))
        assert bench.last == (501, None), operation
        assert bench.body["message"].startswith("Not emulated: push, TOTP and passkeys")
        beside.add(re.sub("Create|Update|Fetch|List|Delete", "", operation))
    assert {name for name in beside if not re.search("Entity|Factor|Challenge|Passkey", name)} == {
        "AccessToken", "Form", "Notification", "Webhook",
    }  # fmt: skip


def test_nothing_is_served_that_the_document_does_not_have() -> None:
    known = {(method, nameless(path)) for method, path, _ in operations()}
    ours = {
        (method, nameless(path))
        for method, path, handler in OPERATIONS
        if path.startswith("/v2/") and handler is not absent.not_emulated
    }
    assert ours <= known


@pytest.mark.parametrize("unused", ["absent", "null", "empty"])
@pytest.mark.parametrize("status", [200, 201])
def test_both_statuses_of_a_check_and_every_variant_of_unused_keys_are_allowed(
    bench_of: Callable[..., Bench], status: Literal[200, 201], unused: Literal["absent", "null", "empty"]
) -> None:
    bench = bench_of(Options(check_status=status, unused_sna=unused))
    wanted: dict[str, list[int] | str | None] = {"absent": "absent", "null": None, "empty": []}
    bench.send()
    assert bench.body.get("sna", "absent") == ("absent" if unused == "absent" else None)
    bench.check(bench.right())
    assert bench.body.get("sna_attempts_error_codes", "absent") == wanted[unused]
    assert bench.last == (status, None)


@pytest.mark.parametrize(
    ("key", "wrong"), [("sid", "VE1"), ("channel", "SMS"), ("valid", "no"), ("date_created", "yesterday")]
)
def test_an_answer_that_breaks_the_document_is_noticed(bench: Bench, judge: Judge, key: str, wrong: str) -> None:
    bench.send()
    method, url = bench.http.asked[-1]
    judge(method, url, 201, json.dumps(bench.body))
    with pytest.raises(OpenAPIError):
        judge(method, url, 201, json.dumps(bench.body | {key: wrong}))


def test_an_undeclared_status_is_noticed(bench: Bench, judge: Judge) -> None:
    bench.send()
    method, url = bench.http.asked[-1]
    with pytest.raises(OpenAPIError):
        judge(method, url, 200, json.dumps(bench.body))
