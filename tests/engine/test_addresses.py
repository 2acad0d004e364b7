"""E-mail recipients through every verb: what holds of numbers holds of addresses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otpcore.contract import CodeOwner
from otpcore.errors import UnknownPurpose
from otpcore.hookspecs import Event, SendIntent, hookimpl
from otpcore.mail import MailAddress, canonicalise_address
from otpcore.phone import RegionPolicy
from otpcore.plugins import Plugins
from otpcore.providers.fake import Exchange
from otpcore.results import (
    Approved,
    ByRecipient,
    Ended,
    Forgotten,
    NotFound,
    Refusal,
    Refused,
    Sent,
    Status,
    Unlocked,
    Wait,
    Wrong,
)
from otpcore.stores.tinydb import TinyDBStore
from tests.engine.colours import COLOURS, NUMBER, Driven, driven

JO = "Jo.Doe@example.org"
OTHERWISE = "jo.doe@EXAMPLE.org"
KEY = "0b9c8f5e-7a52-4c1d-9a53-2f6f1d1f7a10"

OWNERS = list(CodeOwner)


class Moved:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Moved:
    return Moved()


def desk(colour: str, clock: Moved, owner: CodeOwner = CodeOwner.CORE, **given: Any) -> tuple[Driven, Exchange]:
    exchange = Exchange(owner=owner, clock=clock, seed=7)
    return driven(colour, exchange, clock=clock, **given), exchange


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_session_of_an_address_from_start_to_approved(colour: str, clock: Moved, owner: CodeOwner) -> None:
    here, vendor = desk(colour, clock, owner)
    sent = here.call("start", JO, channel="email")
    assert isinstance(sent, Sent)
    assert [(one.recipient, one.channel) for one in vendor.outbox] == [("Jo.Doe@example.org", "email")]
    token = sent.session.token
    assert isinstance(here.call("resend", token, JO), Wait)
    assert here.call("resend", token).kind is Refusal.RECIPIENT_NEEDED
    assert here.call("resend", token, "jill@example.org").kind is Refusal.RECIPIENT_MISMATCH
    assert here.call("resend", token, NUMBER).kind is Refusal.RECIPIENT_MISMATCH
    clock.now += timedelta(minutes=5)
    assert isinstance(here.call("resend", token, OTHERWISE), Sent)
    assert [one.recipient for one in vendor.outbox][1:] == ["jo.doe@example.org"], "as it was given this time"
    code = vendor.outbox[-1].code
    assert isinstance(here.call("check", token, other_than(code)), Wrong)
    assert isinstance(here.call("status", token), Status)
    assert isinstance(here.call("check", token, code, recipient=JO), Approved)
    assert isinstance(here.call("check", token, code), Ended)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_session_is_addressed_by_its_address(colour: str, clock: Moved) -> None:
    here, vendor = desk(colour, clock)
    me = ByRecipient(JO)
    assert isinstance(here.call("start", JO, channel="email", by_recipient=True), Sent)
    assert isinstance(here.call("check", ByRecipient(NUMBER), "123456"), NotFound)
    assert isinstance(here.call("check", me, other_than(vendor.outbox[-1].code)), Wrong)
    assert isinstance(here.call("resend", me), Wait)
    assert isinstance(here.call("status", ByRecipient(OTHERWISE)), Status)
    assert isinstance(here.call("cancel", me), Ended)
    assert isinstance(here.call("check", ByRecipient("jo.doe@"), "123456"), Refused)
    assert here.call("check", ByRecipient("jo.doe@"), "123456").kind is Refusal.INVALID_RECIPIENT
    assert here.call("unlock", OTHERWISE) == Unlocked(1, here.call("unlock", JO).next)
    forgotten = here.call("forget", OTHERWISE)
    assert isinstance(forgotten, Forgotten)
    assert forgotten.sessions == 1
    assert here.call("forget", "jo@").kind is Refusal.INVALID_RECIPIENT


@pytest.mark.parametrize("colour", COLOURS)
def test_two_spellings_of_one_mailbox_share_one_budget(colour: str, clock: Moved) -> None:
    here, vendor = desk(colour, clock)
    assert isinstance(here.call("start", JO, channel="email"), Sent)
    for spelling in (JO, OTHERWISE, "JO.DOE@EXAMPLE.ORG"):
        assert isinstance(here.call("start", spelling, channel="email"), Wait)
    assert len(vendor.outbox) == 1


def test_a_spelling_with_a_budget_of_its_own_would_be_seen(clock: Moved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MailAddress, "identity", property(lambda self: self.address))
    with pytest.raises(AssertionError):
        test_two_spellings_of_one_mailbox_share_one_budget("blocking", clock)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_repeated_key_gives_the_same_token_in_any_spelling(colour: str, clock: Moved) -> None:
    here, vendor = desk(colour, clock)
    first = here.call("start", JO, channel="email", idempotency_key=KEY)
    again = here.call("start", OTHERWISE, channel="email", idempotency_key=KEY)
    assert isinstance(again, Sent)
    assert (again.replayed, again.session.token) == (True, first.session.token)
    other = here.call("start", "jill@example.org", channel="email", idempotency_key=KEY)
    assert other.session.token != first.session.token, "the key's scope is the recipient"
    assert len(vendor.outbox) == 2


@pytest.mark.parametrize("colour", COLOURS)
def test_a_channel_that_cannot_reach_the_recipient_is_refused(colour: str, clock: Moved) -> None:
    here, vendor = desk(colour, clock)
    by_sms = here.call("start", JO)
    assert (by_sms.kind, "phone number" in by_sms.detail) == (Refusal.INVALID_RECIPIENT, True)
    by_mail = here.call("start", NUMBER, channel="email")
    assert (by_mail.kind, "e-mail address" in by_mail.detail) == (Refusal.INVALID_RECIPIENT, True)
    assert here.call("start", "jo@", channel="email").kind is Refusal.INVALID_RECIPIENT
    assert vendor.outbox == ()
    mailed = here.call("start", JO, channel="email")
    called = here.call("start", NUMBER)
    clock.now += timedelta(minutes=5)
    for token, recipient, channel in (
        (mailed.session.token, JO, "sms"),
        (called.session.token, NUMBER, "email"),
    ):
        refused = here.call("resend", token, recipient, channel=channel)
        assert isinstance(refused, Refused)
        assert refused.kind is Refusal.CHANNEL_UNSUPPORTED
        assert refused.next.checks_left == 5
    assert len(vendor.outbox) == 2


def test_rules_over_regions_do_not_apply_to_addresses(clock: Moved) -> None:
    here, _ = desk("blocking", clock, destinations=RegionPolicy(allow_regions=frozenset({"CM"})))
    assert here.call("start", NUMBER).kind is Refusal.DESTINATION_DENIED
    assert isinstance(here.call("start", JO, channel="email", region="CM"), Sent)


def test_one_source_uses_up_no_mailbox(clock: Moved) -> None:
    """Plus-addresses are recipients of their own, so what bounds who uses them is the share of a source."""
    here, _ = desk("blocking", clock)
    outcomes: list[object] = []
    for _ in range(6):
        outcomes.append(here.call("start", JO, channel="email", source="192.0.2.7"))
        clock.now += timedelta(hours=1)
    sent = sum(isinstance(one, Sent) for one in outcomes)
    assert 0 < sent < 4
    assert isinstance(here.call("start", JO, channel="email", source="192.0.2.8"), Sent)


class Watching:
    """Hears everything that a plugin is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.intents: list[SendIntent] = []

    @hookimpl
    def otpcore_observe(self, event: Event) -> None:
        self.events.append(event)

    @hookimpl
    def otpcore_guard_send(self, intent: SendIntent) -> None:
        self.intents.append(intent)


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("colour", COLOURS)
def test_an_address_is_written_nowhere(
    colour: str, clock: Moved, owner: CodeOwner, lines: list[str], tmp_path: Path
) -> None:
    """Not in an event, a log, the `repr` of a result, or the store: two characters and a pseudonym stand for it."""
    watching, plugins = Watching(), Plugins()
    plugins.register(watching, name="watching")
    path = tmp_path / "records.otpdb"
    canary = "canary.41+shop@birds.example"
    given = {"vendor": None, "plugins": plugins}
    store: Any = TinyDBStore(path, sync=False)
    if colour == "awaiting":
        store = None
    else:
        given["store"] = store
    here, vendor = desk(colour, clock, owner, **given)
    shown: list[object] = [canonicalise_address(canary), ByRecipient(canary)]
    shown.append(sent := here.call("start", canary, channel="email"))
    token = sent.session.token
    shown += [here.call("check", token, other_than(vendor.outbox[-1].code), recipient=canary)]
    shown += [here.call("start", canary), here.call("start", f"{canary} ", channel="email")]
    clock.now += timedelta(minutes=5)
    shown += [here.call("resend", token, canary), here.call("resend", token, canary, channel="sms")]
    shown += [here.call("check", token, vendor.outbox[-1].code)]
    shown += [here.call("unlock", canary), here.call("forget", canary)]
    with pytest.raises(UnknownPurpose) as raised:  # a caller who has swapped the arguments
        here.call("start", "login", channel="email", purpose=canary)
    shown.append(raised.value)
    if store is not None:
        store.close()
        shown.append(path.read_text())
    written = "\n".join((*map(repr, shown), *map(str, shown), *lines, *map(repr, (watching.events, watching.intents))))
    assert "send.accepted" in written
    for part in ("canary", "birds", "shop"):
        assert part not in written
    assert {event.recipient_tail for event in watching.events} <= {"", "…le"}
    assert {(intent.region, intent.line_type) for intent in watching.intents} == {("", "")}
