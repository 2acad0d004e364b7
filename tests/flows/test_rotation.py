"""Trap 10: while a pepper is rotated, engines that know different peppers meet in one budget, and nothing is lost."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from otpcore import Approved, ByRecipient, NotFound, Sent, Wait
from otpcore.codes import Entropy, make_code, record_key
from otpcore.contract import CodeOwner, Versioned
from otpcore.effects import Commit, Effect, Load, SendCode
from otpcore.flows import Setup, check, forget, resend, start, status, transact
from otpcore.flows.transact import Snapshot
from otpcore.model import RecipientRecord
from tests.flows.script import NEW, NOW, NUMBER, OLD, Page, entropy, setup
from tests.numbers import phone

OLDEST = b"z" * 32
BEFORE = setup(current=OLD)
DURING = setup(current=NEW, previous=(OLD,))
LATER = setup(current=NEW, previous=(OLDEST, OLD))
BACK = setup(current=OLD, previous=(NEW,))
MINUTES = timedelta(minutes=1)


def key_of(given: Setup) -> str:
    return record_key(given.keyring.current, given.tenant_id, "phone", NUMBER)


def begin(page: Page, given: Setup, seed: int = 1, **asked: Any) -> Any:
    return page.run(start(given, entropy(seed), NUMBER, **asked))


def test_a_marker_is_left_under_the_old_pepper_before_the_record_is_made() -> None:
    """Trap 10: the order is marker, then reservation."""
    page = Page()
    begin(page, DURING)
    first, second = page.requests(Commit)[:2]
    assert (first.key, second.key) == (key_of(BEFORE), key_of(DURING))
    assert RecipientRecord.decode(first.data).forward == key_of(DURING)


def test_a_record_under_the_old_pepper_is_used_where_it_is() -> None:
    page = Page()
    token = begin(page, BEFORE).session.token
    assert isinstance(begin(page, DURING, 2), Wait)
    assert list(page.records) == [key_of(BEFORE)]
    assert isinstance(page.run(check(DURING, entropy(3), token, make_code(entropy(1).code, 6))), Approved)


@pytest.mark.parametrize("address", ["token", "token and number", "recipient"])
def test_an_engine_that_knows_only_the_old_pepper_follows_the_marker(address: str) -> None:
    """Trap 10: it makes a session in the other's record, and its right code is right, for both."""
    page = Page()
    begin(page, DURING)
    page.now += 2 * MINUTES
    by_recipient = address == "recipient"
    sent = begin(page, BEFORE, 2, by_recipient=by_recipient)
    assert isinstance(sent, Sent)
    page.now += 5 * MINUTES
    target: Any = ByRecipient(NUMBER) if by_recipient else sent.session.token
    assert isinstance(page.run(resend(BEFORE, entropy(3), target, NUMBER)), Sent)
    recipient = NUMBER if address == "token and number" else None
    code = make_code(entropy(3).code, 6)
    result = page.run(check(BEFORE, entropy(4), target, code, recipient=recipient))
    assert isinstance(result, Approved)
    assert sum(one.forward is None for one in map(decoded, page.records.values())) == 1


def decoded(found: Versioned) -> RecipientRecord:
    return RecipientRecord.decode(found.data)


@pytest.mark.parametrize("order", list(permutations([BEFORE, DURING, LATER, BACK], 3)))
def test_engines_with_different_peppers_meet_in_one_budget(order: tuple[Setup, ...]) -> None:
    """Trap 10: whoever comes first, two sends of three at one instant wait."""
    page = Page()
    results = [begin(page, given, seed) for seed, given in enumerate(order)]
    assert [type(each).__name__ for each in results] == ["Sent", "Wait", "Wait"]


@pytest.mark.parametrize("place", range(12))
@pytest.mark.parametrize(("one", "other"), [(DURING, BEFORE), (DURING, BACK), (BACK, DURING), (LATER, BEFORE)])
def test_engines_that_race_to_make_the_record_meet_in_one_budget(one: Setup, other: Setup, place: int) -> None:
    """Trap 10: absent-first starts cannot make a second budget, whichever step the other comes between."""
    page = Page()
    steps = 0

    def race(effect: Effect) -> None:
        nonlocal steps
        steps += 1
        if steps == place + 1:
            page.race = None
            begin(page, other, 2)

    page.race = race
    begin(page, one, 1)
    assert len(page.requests(SendCode)) <= 1 + (steps <= place)
    assert isinstance(begin(page, DURING, 3), Wait)
    assert sum(one.forward is None for one in map(decoded, page.records.values())) == 1


def test_without_markers_two_budgets_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted defect of the tests above."""
    from otpcore.flows import sending

    def no_marker(_setup: Setup, _entropy: Entropy, _recipient: str, known: Snapshot) -> Any:
        yield from ()
        return known

    monkeypatch.setattr(sending, "make_way", no_marker)
    page = Page()
    assert isinstance(begin(page, DURING), Sent)
    assert isinstance(begin(page, BEFORE, 2), Sent)


def test_a_second_rotation_over_old_markers_ends() -> None:
    """A marker whose record has gone leads to a place that is itself an old one: it is led on, not to itself."""
    page = Page()
    begin(page, setup(current=OLD, previous=(OLDEST,)))
    del page.records[key_of(BEFORE)]
    assert isinstance(begin(page, LATER, 2), Sent)
    assert isinstance(begin(page, setup(current=OLDEST), 3), Wait)
    assert isinstance(begin(page, BEFORE, 4), Wait)


def test_a_rotation_there_and_back_ends_and_has_one_budget() -> None:
    """Two markers that point at each other: all engines take the same one of them as the record's place."""
    page = Page()
    begin(page, DURING)
    del page.records[key_of(DURING)]
    assert isinstance(begin(page, BACK, 2), Sent)
    for seed, given in enumerate((BEFORE, DURING, BACK, LATER)):
        assert isinstance(begin(page, given, 3 + seed), Wait)


def test_only_a_start_leaves_markers() -> None:
    """Trap 2: what makes no record writes nothing, or strangers could fill the store."""
    page = Page()
    page.run(check(DURING, entropy(1), ByRecipient(NUMBER), "123456"))
    page.run(resend(DURING, entropy(2), ByRecipient(NUMBER)))
    page.run(forget(DURING, entropy(3), NUMBER))
    page.run(start(DURING, entropy(4), NUMBER, channel="pigeon"))
    assert isinstance(page.run(status(DURING, entropy(5), ByRecipient(NUMBER))), NotFound)
    assert page.records == {}


def test_a_session_keeps_its_pepper_over_a_rotation() -> None:
    """Invariant 7: its older code still matches while the newer one is not accepted."""
    from tests.flows.script import NO_ANSWER

    page = Page()
    token = begin(page, BEFORE).session.token
    page.now += 2 * MINUTES
    page.sends = [NO_ANSWER]
    page.run(resend(DURING, entropy(2), token, NUMBER))
    assert isinstance(page.run(check(DURING, entropy(3), token, make_code(entropy(1).code, 6))), Approved)


@pytest.mark.parametrize("owner", list(CodeOwner))
def test_a_rotation_under_load_loses_no_session_and_resets_no_limit(owner: CodeOwner) -> None:
    """L3: 1,000 live sessions, half made before and half during; 0 lost, 0 limits reset."""
    before, during = setup(owner, current=OLD), setup(owner, current=NEW, previous=(OLD,))
    page = Page()
    made: list[tuple[str, str, str]] = []
    for n in range(1000):
        drawn = Entropy.split(n.to_bytes(4, "big") * 16 + b"xy")
        number = phone(n)
        page.handle = f"VE{n}"
        sent = page.run(start(before if n % 2 else during, drawn, number))
        made.append((sent.session.token, number, make_code(drawn.code, 6)))
    lost = reset = 0
    for n, (token, number, code) in enumerate(made):
        reset += not isinstance(page.run(start(during if n % 2 else before, entropy(1), number)), Wait)
        if owner is CodeOwner.CORE:
            lost += not isinstance(page.run(check(during, entropy(2), token, code)), Approved)
        else:
            lost += type(page.run(check(during, entropy(2), token, code))).__name__ != "Wrong"
    assert (lost, reset) == (0, 0)


def test_following_is_what_a_lost_race_with_a_marker_does() -> None:
    """`transact` decides on the record where it really is, and says so to who binds codes to that key."""
    page = Page()
    begin(page, DURING)
    keys: list[str] = []

    def decide(record: RecipientRecord, _now: Any, key: str) -> tuple[RecipientRecord, None]:
        keys.append(key)
        return record.but(consecutive=record.consecutive + 1), None

    known = Snapshot(key_of(BEFORE), RecipientRecord(), None)
    page.run(transact.transact(BEFORE, decide, entropy(5), known=known))
    assert keys == [key_of(BEFORE), key_of(DURING)]
    assert page.record().consecutive == 1
    assert page.now == NOW
    assert page.requests(Load)
