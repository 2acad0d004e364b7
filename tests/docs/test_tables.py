"""What the pages say in tables is what the code says: profiles, results, words, events."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import pytest

from otpcore import ByRecipient, Engine, Sent, results
from otpcore import routing as routes
from otpcore.contract import CheckRequest, CheckVerdict, CodeOwner, FailureKind, SendRequest
from otpcore.engine.breaking import RECENT, RULES, UNKNOWNS, Rule, Scope
from otpcore.events import Event
from otpcore.hookspecs import hookimpl
from otpcore.model import SCHEMA, SendState, SessionStatus
from otpcore.plugins import Plugins
from otpcore.policy import PROFILES, Profile
from otpcore.providers.fake import MAGIC_NUMBERS, Exchange, FakeProvider
from otpcore.receipts import DeliveryState
from otpcore.results import WaitReason
from otpcore.stores.memory import MemoryStore
from tests.docs.pages import ROOT, read, rows

CONCEPTS = ROOT / "docs" / "concepts"
OPERATIONS = {
    "start": results.SendResult,
    "resend": results.SendResult,
    "check": results.CheckResult,
    "cancel": results.CancelResult,
    "status": results.StatusResult,
    "forget": results.ForgetResult,
    "unlock": results.UnlockResult,
    "receipt": results.ReceiptResult,
}


def quoted(cell: str) -> list[str]:
    """The names in a cell."""
    return re.findall(r"`([^`]+)`", cell)


# --- the policy ------------------------------------------------------------------------------


def spelled(wait: timedelta) -> str:
    """A wait as the pages write it: hours where they are whole, else minutes and seconds."""
    minutes, seconds = divmod(int(wait.total_seconds()), 60)
    if minutes and not seconds and not minutes % 60:
        return f"{minutes // 60} h"
    return " ".join([f"{minutes} min"] * (minutes > 0) + [f"{seconds} s"] * (seconds > 0))


def profile_rows(profiles: dict[str, Profile]) -> list[tuple[str, ...]]:
    """The table of the profiles, as it should be."""
    return [(f"`{each.name}`", ", ".join(map(spelled, each.ladder)), each.source) for each in profiles.values()]


def shared_numbers(page: str) -> dict[str, str]:
    """The table of the numbers that all profiles share."""
    return {quoted(name)[0]: value for name, value, _ in rows(page, 3) if re.fullmatch(r"\d+( s)?", value)}


def number_of(value: object) -> str:
    """A number as the page writes it."""
    return f"{value.total_seconds():g} s" if isinstance(value, timedelta) else str(value)


def drift_of_profiles(page: str, profiles: dict[str, Profile]) -> list[object]:
    """What the page says of profiles against what they are."""
    named = [row for row in rows(page, 3) if row[0].strip("`") in profiles]
    wrong: list[object] = [] if named == profile_rows(profiles) else [named]
    shared = shared_numbers(page)
    numeric = {each.name for each in dataclasses.fields(Profile)} - {"name", "source", "ladder", "simulated_only"}
    if set(shared) != numeric:
        wrong.append(set(shared) ^ numeric)
    for profile in profiles.values():
        said = {name: value for name, value in shared.items() if value != number_of(getattr(profile, name, None))}
        wrong += [(profile.name, said)] if said else []
    return wrong


def test_the_table_of_profiles_is_what_they_are() -> None:
    assert drift_of_profiles(read(CONCEPTS / "policy.md"), PROFILES) == []


@pytest.mark.parametrize(
    "change",
    [
        {"ladder": (timedelta(seconds=1),)},
        {"daily_cap": 11},
        {"code_lifetime": timedelta(seconds=300)},
        {"source": "hearsay"},
    ],
)
def test_a_profile_that_has_other_numbers_than_the_page_is_noticed(change: dict[str, Any]) -> None:
    changed = {**PROFILES, "signal": dataclasses.replace(PROFILES["signal"], **change)}
    assert drift_of_profiles(read(CONCEPTS / "policy.md"), changed)


def test_every_reason_to_wait_is_in_the_table() -> None:
    reasons = {quoted(name)[0] for name, _ in rows(read(CONCEPTS / "policy.md"), 2) if quoted(name)}
    assert reasons - {"Wait.reason"} == {reason.value for reason in WaitReason}


# --- words -----------------------------------------------------------------------------------


def test_the_statuses_of_a_session_and_the_states_of_a_send_are_all_told() -> None:
    told = {words[0]: quoted(words[1]) for words in rows(read(CONCEPTS / "words.md"), 2)}
    assert set(told["session"]) == {status.value for status in SessionStatus}
    assert set(told["send"]) == {state.value for state in SendState}


# --- results ---------------------------------------------------------------------------------


def told_results(page: str) -> dict[str, set[str]]:
    """The table of results by operation."""
    return {
        operation: set(quoted(answers))
        for names, answers in rows(page, 2)
        for operation in quoted(names)
        if operation in OPERATIONS
    }


def test_the_table_of_results_is_what_the_types_say() -> None:
    real = {name: {each.__name__ for each in get_args(union)} for name, union in OPERATIONS.items()}
    assert told_results(read(CONCEPTS / "how-it-works.md")) == real


def test_the_verbs_in_the_table_are_those_of_the_engine_with_its_return_types() -> None:
    unions = {name: value for name, value in vars(results).items() if name.endswith("Result")}
    verbs = {name: method for name, method in vars(Engine).items() if not name.startswith("_") and name != "close"}
    assert {name: unions[inspect.signature(method).return_annotation] for name, method in verbs.items()} == OPERATIONS


# --- breakers ----------------------------------------------------------------------------------

SCOPES = {Scope.PROVIDER: "everywhere", Scope.CHANNEL: "channel", Scope.REGION: "channel and region"}


def breaker_rows(rules: Mapping[FailureKind, Rule]) -> list[tuple[str, ...]]:
    """The table of the failures that open a breaker, as it should be."""
    by_rate = f"{UNKNOWNS} of the last {RECENT}"
    return [
        (f"`{kind.value}`", "at once" if rule.at_once else by_rate, f"{rule.opens_s:g} s", SCOPES[rule.scope])
        for kind, rule in rules.items()
    ]


def told_breakers() -> list[tuple[str, ...]]:
    """The same, as it is."""
    return [row for row in rows(read(CONCEPTS / "availability.md"), 4) if row[0].startswith("`")]


def test_the_table_of_breakers_is_what_they_are() -> None:
    assert told_breakers() == breaker_rows(RULES)


def test_a_breaker_that_opens_for_longer_than_the_page_says_is_noticed() -> None:
    kind = FailureKind.TRANSIENT
    assert told_breakers() != breaker_rows({**RULES, kind: dataclasses.replace(RULES[kind], opens_s=6.0)})


# --- events ----------------------------------------------------------------------------------


class Service:
    """An engine with a clock to move, and the events that it told."""

    def __init__(self, owner: CodeOwner = CodeOwner.PROVIDER) -> None:
        self.events: list[Event] = []
        self.now = datetime(2030, 1, 1, tzinfo=UTC)
        self.phone = FakeProvider(owner=owner, clock=lambda: self.now)
        plugins = Plugins()
        plugins.register(self, name="listener")
        self.engine = Engine(MemoryStore(), self.phone, plugins=plugins, clock=lambda: self.now)

    @hookimpl
    def otpcore_observe(self, event: Event) -> None:
        self.events.append(event)

    def start(self, number: str, **options: Any) -> str:
        sent = self.engine.start(number, **options)
        assert isinstance(sent, Sent)
        assert sent.session.token is not None
        return sent.session.token

    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)


def magic(outcome: FailureKind | CheckVerdict) -> str:
    """The number whose sends fail, or whose checks are answered, like this."""
    return next(number for number, ordered in MAGIC_NUMBERS.items() if ordered is outcome)


def told_by_every_operation() -> list[Event]:
    """The events of a life with everything in it."""
    service, number = Service(), "+12025550123"
    engine, key = service.engine, str(UUID(int=0x0123456789ABCDEF_FEDCBA9876543210))
    token = service.start(number, idempotency_key=key)
    engine.start(number)
    engine.resend(token, number)
    engine.resend(token)
    service.wait(2)
    engine.resend(token, number)
    wrong = "000000" if service.phone.code_for(number) != "000000" else "000001"
    for code in ("12", wrong, service.phone.code_for(number), wrong):
        engine.check(token, code)
    engine.start(number, idempotency_key=key)
    engine.resend(token, number)
    engine.status(token)
    engine.cancel(token)
    for unknown in (engine.status, engine.cancel):
        unknown("otps_")
        unknown(ByRecipient("no number"))
    engine.resend("otps_", number)
    engine.check("otps_", wrong)
    for recipient in (number, "no number"):
        engine.forget(recipient)
        engine.unlock(recipient)
    for recipient in ("no number", magic(FailureKind.INVALID_RECIPIENT), magic(FailureKind.TIMEOUT)):
        engine.start(recipient)
    engine.start(magic(FailureKind.QUOTA_EXHAUSTED))
    engine.check(service.start(magic(CheckVerdict.UNKNOWN)), wrong)
    other = "+12025550124"
    for _ in range(2):
        token = service.start(other)
        wrong = "000000" if service.phone.code_for(other) != "000000" else "000001"
        for _ in range(5):
            engine.check(token, wrong)
        service.wait(11)
    return [*service.events, *told_afterwards(), *told_of_two(), *told_of_what_follows()]


def told_of_two() -> list[Event]:
    """The events of a send that its first provider did not take, for want of money."""
    service = Service(CodeOwner.CORE)
    number = "+12025550123"
    broken = Exchange(owner=CodeOwner.CORE, script={number: FailureKind.QUOTA_EXHAUSTED})
    plugins = Plugins()
    plugins.register(service, name="listener")
    providers = {"broken": FakeProvider(exchange=broken), "working": service.phone}
    Engine(MemoryStore(), providers, plugins=plugins, clock=lambda: service.now).start(number)
    return service.events


def told_afterwards() -> list[Event]:
    """The events of a message that was first said to be lost and then arrived, of a forgery, and of an outcome."""
    service = Service(CodeOwner.CORE)
    token = service.start("+12025550123")
    genuine = service.phone.receipt(service.phone.outbox[0], DeliveryState.DELIVERED)
    lost = service.phone.receipt(service.phone.outbox[0], DeliveryState.UNDELIVERED)
    for request in (lost, genuine, dataclasses.replace(genuine, headers={})):
        service.engine.receipt(None, request)
    service.engine.cancel(token)
    return service.events


def told_of_what_follows() -> list[Event]:
    """The events of messages that did not arrive: one is followed, one is refused by the next provider, one ends."""
    service, numbers = Service(CodeOwner.CORE), [f"+1202555012{place}" for place in range(3)]
    tokens: dict[str, str] = {}

    def second(request: SendRequest | CheckRequest) -> FailureKind | None:
        if request.recipient == numbers[2]:
            engine.cancel(tokens[numbers[2]])
        return FailureKind.QUOTA_EXHAUSTED if request.recipient == numbers[1] else None

    vendors = {"a": service.phone, "b": FakeProvider(exchange=Exchange(owner=CodeOwner.CORE, script=second))}
    plugins = Plugins()
    plugins.register(service, name="listener")
    rule = routes.Rule(legs=(routes.Leg("a"), routes.Leg("b")), failover_on_undelivered=timedelta(minutes=1))
    given: dict[str, Any] = {"routing": routes.Routing((rule,)), "keep_number": True, "plugins": plugins}
    engine = Engine(MemoryStore(), vendors, clock=lambda: service.now, **given)
    for number in numbers:
        sent = engine.start(number)
        assert isinstance(sent, Sent)
        tokens[number] = sent.session.token or ""
        engine.receipt("a", service.phone.receipt(service.phone.outbox[-1], DeliveryState.FAILED))
    engine.receipt("b", vendors["b"].receipt(vendors["b"].outbox[0], DeliveryState.FAILED))
    return service.events


def documented() -> set[str]:
    """The names in the table of events."""
    page = read(CONCEPTS / "security.md")
    found = {name for names, _ in rows(page, 2) for name in quoted(names)}
    return {name for name in found if re.fullmatch(r"\w+\.\w+|refund|lock|erase|delivery", name)}


def test_the_table_of_events_holds_every_event_that_is_told_and_no_other() -> None:
    assert {event.name for event in told_by_every_operation()} == documented()


def test_no_event_holds_a_code_or_a_number() -> None:
    for event in told_by_every_operation():
        shown = repr(event)
        assert not re.search(r"2025550\d{3}|3035550\d{3}", shown)
        assert re.fullmatch(r"|…\d\d", event.recipient_tail)


def test_the_sql_page_says_which_version_the_records_have() -> None:
    text = re.sub(r"\s+", " ", read(ROOT / "docs" / "stores" / "sql.md"))
    assert re.findall(r"The records have a version of their own, whatever the store, which is now (\d+)\.", text) == [
        str(SCHEMA)
    ]
