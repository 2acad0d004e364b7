"""Twilio's own examples, beside the repository: every request is accepted, every answer has the example's shape.

So do the fixtures of its SDK's tests, which are answers alone.

An example names resources that do not exist here (VEaaaa…) and a code that nobody sent; a stage makes the resources,
and only their SIDs are exchanged. A custom code makes the example's code the right one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
import requests

from otpcore_twilio.emulator import Options, Scenario, Template, Translation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Bench

EXAMPLES = Path(__file__).parents[5] / "shared" / "twilio" / "oai_examples.json"
FIXTURES = EXAMPLES.with_name("twilio_python_holodeck.json")
BESIDE = re.compile("Entit|Factor|Challenge|Passkey|AccessToken|Form|Notification|Webhook")
BESIDE_FILES = re.compile("entity|access_token|form|webhook")
TEMPLATE = Template(
    "HJ" + "a" * 32,
    "Of the example",
    {"en": Translation("Your {{AppName}} code is {{code}}. Contact: {{Contact}}", "approved")},
)
CHANNELS = frozenset({"sms", "call", "whatsapp", "email", "sna", "auto"})

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not EXAMPLES.exists(), reason="no examples beside the repository: none is played"),
]


def examples() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(EXAMPLES.read_text()) if EXAMPLES.exists() else []
    return [example for example in found if not BESIDE.search(example["operationId"])]


class Stage:
    """The resources that an example speaks of."""

    def __init__(self, bench: Bench, example: dict[str, Any]) -> None:
        self._bench = bench
        self._name: str = example["operationId"]
        self._form: dict[str, Any] = dict(example["request_form"] or {})
        self._path: str = example["path"]

    def request(self) -> tuple[str, dict[str, Any]]:
        """Path and form that mean the resources of this stage."""
        service = self._bench.service
        names = {"ServiceSid": self._bench.emulator.service_sid}
        if "RateLimit" in self._path or "RateLimits" in self._form:
            limit = service.rate_limits.create(unique_name="my_rate_limit_key")
            names["RateLimitSid"] = limit.sid
            names["Sid"] = limit.sid
            if "Buckets" in self._path:
                names["Sid"] = service.rate_limits(limit.sid).buckets.create(max=5, interval=30).sid
        elif self._path == "/v2/Services/{Sid}":
            names["Sid"] = self._bench.emulator.service_sid
        elif "MessagingConfigurations" in self._path and self._name != "CreateMessagingConfiguration":
            names["Country"] = service.messaging_configurations.create("CA", "MG" + "a" * 32).country
        elif "SafeList" in self._path and self._name == "FetchSafelist":
            names["PhoneNumber"] = self._bench.v2.safelist.create("+18001234567").phone_number
        elif "Attempts" in self._path or "{Sid}" in self._path:
            sent = self._bench.send()
            names["Sid"] = sent.send_code_attempts[-1]["attempt_sid"] if "Attempts" in self._path else sent.sid
        elif self._name == "CreateVerificationCheck":
            self._send_first()
        return re.sub(r"\{(\w+)\}", lambda match: names[match[1]], self._path), self._form

    def _send_first(self) -> None:
        """The verification that the example checks."""
        service, to = self._bench.service, self._form["To"]
        if "Code" not in self._form:
            sent = self._bench.send(to, "sna")
            requests.get(sent.sna["url"], timeout=10).raise_for_status()
        else:
            service.update(custom_code_enabled=True)
            sent = self._bench.send(to, "email" if "@" in to else "sms", custom_code=self._form["Code"])
        if "VerificationSid" in self._form:
            self._form["VerificationSid"] = sent.sid


Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | bool | None"
Shape: TypeAlias = "dict[str, Shape] | list[Shape] | str | None"


def shape(value: Json) -> Shape:
    """What a body is made of: its keys, and for a list the shape of its first element."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return None if value is None else type(value).__name__


def differences(ours: Shape, theirs: Shape, where: str = "body") -> list[str]:
    """Where two shapes differ; what is null or empty on one side may be anything on the other."""
    if not ours or not theirs:
        return []
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if where.endswith("translations"):  # by language
            return differences(next(iter(ours.values())), next(iter(theirs.values())), where + ".*")
        found = [f"{where}: {key}" for key in sorted(set(ours) ^ set(theirs))]
        for key in sorted(set(ours) & set(theirs)):
            found += differences(ours[key], theirs[key], f"{where}.{key}")
        return found
    if isinstance(ours, list) and isinstance(theirs, list):
        return differences(ours[0], theirs[0], where + "[]")
    return [] if ours == theirs else [f"{where}: {ours} is not {theirs}"]


@pytest.mark.parametrize("example", examples(), ids=lambda example: f"{example['operationId']}-{example['example']}")
def test_an_example_is_accepted_and_its_answer_has_the_same_shape(
    bench_of: Callable[..., Bench], example: dict[str, Any]
) -> None:
    refused = example["status"] == 429
    bench = bench_of(
        Options(
            channels=CHANNELS,
            templates=(TEMPLATE,),
            unused_sna="empty",
            check_status=example["status"] if example["operationId"] == "CreateVerificationCheck" else 200,
            faults=(Scenario(outcome=20429, operation="create_verification"),) if refused else (),
        )
    )
    path, form = Stage(bench, example).request()
    bench.client.request(example["method"], bench.emulator.url + path, data=form)
    assert bench.last == (example["status"], example["body"].get("code"))
    assert differences(shape(bench.body), shape(example["body"])) == []


def test_a_difference_of_shape_is_noticed() -> None:
    theirs = shape({"a": {"b": [{"c": 1}]}, "d": None, "e": {}})
    assert differences(shape({"a": {"b": [{"c": 2}]}, "d": 1, "e": {"carrier": None}}), theirs) == []
    assert differences(shape({"a": {"b": [{"c": "2"}]}, "d": 1, "e": None}), theirs) == ["body.a.b[].c: str is not int"]
    assert differences(shape({"a": {"b": [{}]}, "e": None}), theirs) == ["body: d"]
    assert differences(shape({"a": {"b": [{"x": 1}]}, "d": 1, "e": None}), theirs) == [
        "body.a.b[]: c",
        "body.a.b[]: x",
    ]


def test_no_example_of_codes_is_left_out() -> None:
    assert len(examples()) == 39


# -- the fixtures of the SDK's own tests: answers alone, whose requests are made up here


def fixtures() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(FIXTURES.read_text())["fixtures"] if FIXTURES.exists() else []
    return [fixture for fixture in found if not BESIDE_FILES.search(fixture["file"])]


FORMS: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "bucket": ("{service}/RateLimits/{limit}/Buckets", {"Max": "5", "Interval": "30"}, {"Max": "4"}),
    "messaging_configuration": (
        "{service}/MessagingConfigurations",
        {"Country": "CA", "MessagingServiceSid": "MG" + "a" * 32},
        {"MessagingServiceSid": "MG" + "b" * 32},
    ),
    "rate_limit": ("{service}/RateLimits", {"UniqueName": "other", "Description": "x"}, {"Description": "y"}),
    "safelist": ("SafeList/Numbers", {"PhoneNumber": "+18001234567"}, {}),
    "service": ("Services", {"FriendlyName": "Shop"}, {"FriendlyName": "Other"}),
    "verification": ("{service}/Verifications", {"To": "+12025550123", "Channel": "sms"}, {"Status": "canceled"}),
    "verification_check": ("{service}/VerificationCheck", {"To": "+12025550123", "Code": "123456"}, {}),
    "template": ("Templates", {}, {}),
    "verification_attempt": ("Attempts", {}, {}),
    "verification_attempts_summary": ("Attempts/Summary", {}, {}),
}
"""By file: the address of the list, a form that makes one, a form that changes it."""


CHANGED = {"mailer_sid", "passkeys", "verify_event_subscription_enabled", "whatsapp"}
"""Keys of a service that the fixtures, which are of another year, and the document do not share."""


def ask(bench: Bench, fixture: dict[str, Any]) -> None:
    """Send the request that a fixture answers; what it needs to be there is made before."""
    kind = re.sub(r".*/test_(\w+)\.py", r"\1", fixture["file"])
    step = fixture["test"].removeprefix("test_").partition("_")[0]
    place, made, changed = FORMS[kind]
    service = f"Services/{bench.emulator.service_sid}"
    limit = bench.service.rate_limits.create(unique_name="ip").sid
    url = f"{bench.emulator.url}/v2/{place.format(service=service, limit=limit)}"
    channel = fixture["body"].get("channel", "sms")
    to = "ada@example.org" if channel == "email" else "+12025550123"
    if kind.startswith("verification"):
        made = {"To": to, "Channel": channel} if kind == "verification" else made
        if kind != "verification" and "empty" not in fixture["test"]:
            bench.service.update(custom_code_enabled=True)
            sent = bench.send(to, channel, custom_code="123456")
            if channel == "sna":
                requests.get(sent.sna["url"], timeout=10).raise_for_status()
                made = {"To": to}
            elif kind == "verification_check":
                made = made | {"To": to}
    if made and "empty" not in fixture["test"]:
        bench.client.request("POST", url, data=made)
    if step in {"fetch", "update", "approve"}:
        first = bench.v2.verification_attempts.list(limit=1)[0].sid if kind == "verification_attempt" else ""
        name = first or bench.body.get("country") or bench.body.get("phone_number") or bench.body["sid"]
        form = changed | ({"Status": "approved"} if step == "approve" else {})
        bench.client.request("GET" if step == "fetch" else "POST", f"{url}/{name}", data=form)
    elif step in {"read", "list", "get"}:
        bench.client.request("GET", url)


@pytest.mark.parametrize("fixture", fixtures(), ids=lambda one: f"{Path(one['file']).stem}-{one['test']}")
def test_an_answer_has_the_shape_of_the_sdks_fixture(bench_of: Callable[..., Bench], fixture: dict[str, Any]) -> None:
    status: Any = fixture["status"] if "check" in fixture["file"] else 200
    bench = bench_of(Options(channels=CHANNELS, templates=(TEMPLATE,), unused_sna="empty", check_status=status))
    ask(bench, fixture)
    assert bench.last == (fixture["status"], None)
    found = differences(shape(bench.body), shape(fixture["body"]))
    assert {each.rpartition(": ")[2] for each in found} == (
        CHANGED if fixture["file"].endswith("/test_service.py") else set()
    )


def test_no_fixture_of_codes_is_left_out() -> None:
    assert len(fixtures()) == 37
