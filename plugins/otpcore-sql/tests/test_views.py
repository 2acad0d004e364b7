"""What the views show of records that a real engine wrote, the sums checked; and that nothing else disturbs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otpcore import Approved, CodeOwner, Engine, Sent, Wrong
from otpcore.providers.fake import FakeProvider
from tests.sql_places import KINDS, Place, place

PEPPER = b"thirty-two bytes, kept elsewhere"
LATER = datetime.now(UTC) + timedelta(days=30)
NUMBERS = (*(f"+1202555010{person}" for person in range(3)), *(f"+23767123456{person}" for person in range(3)))
PEOPLE, APPROVED = len(NUMBERS), 4

STRANGERS = (
    b"", b"\xff\xfe\x00", b"no json", b"{}", b"[]", b"3", b'"x"', b"null", b'{"sends":3,"sessions":"x"}',
    b'{"sends":["x",3,null],"sessions":[4,"y",null]}', b'{"v":1,"sends":[{}],"sessions":[{}]}',
    b'{"v":1,"ended":[3,"x",null,{},[],[1,2,3,4],["a","login","approved","p","x","b"]]}', b'{"v":1,"ended":7}',
    b'{"v":1,"past":[3,"x",null,{},[],[1],[-1,"p","CM"],[1.5,"p","CM"]]}', b'{"v":1,"past":{}}',
    b'{"v":1,"counter":{"unique_id":"a"},"sends":[{"id":"z","at":"2026-11-30T00:00:00Z"}]}',
)  # fmt: skip
"""Rows that are no records of recipients: another kind, of another program, or of a legacy counter."""


@pytest.fixture(params=KINDS)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with place(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def told(at: Place) -> str:
    """Six people were sent a code, four were approved, one typed a wrong one; the day of it, as the views write it."""
    store = at.store()
    for stranger, data in enumerate(STRANGERS):
        store.commit(f"stranger/{stranger}", data, expect=None, gc_at=LATER)
    provider = FakeProvider(owner=CodeOwner.CORE)
    with Engine(store, {"fake": provider}, pepper=PEPPER) as engine:
        for person in range(PEOPLE):
            number = NUMBERS[person]
            sent = engine.start(number)
            assert isinstance(sent, Sent)
            code = provider.code_for(number)
            assert code is not None
            assert sent.session.token is not None
            if person < APPROVED:
                assert isinstance(engine.check(sent.session.token, code), Approved)
            elif person == APPROVED:
                assert isinstance(engine.check(sent.session.token, "0" * len(code)), Wrong)
    (day,) = {row[0] for row in at.run(f"SELECT day FROM {at.prefix}_sends")}
    return str(day)


def test_sends_approvals_and_conversion_add_up_by_day_region_and_provider(at: Place, told: str) -> None:
    rows = at.run(f"SELECT day, region, provider, sends, approvals, conversion FROM {at.prefix}_daily ORDER BY region")
    assert [(*about, int(sends), int(approvals), float(share)) for *about, sends, approvals, share in rows] == [
        (told, "CM", "fake", 3, 1, 0.3333),
        (told, "US", "fake", 3, 3, 1.0),
    ]


def test_a_send_shows_where_it_went_and_while_its_session_lives_what_for(at: Place, told: str) -> None:
    rows = at.run(f"SELECT day, state, provider, region, channel, purpose FROM {at.prefix}_sends")
    assert Counter(rows) == {
        (told, "accepted", "fake", "US", "", ""): 3,
        (told, "accepted", "fake", "CM", "", ""): 1,
        (told, "accepted", "fake", "CM", "sms", "login"): 2,
    }


def test_instants_are_told_alike_of_live_and_of_ended_sessions(at: Place, told: str) -> None:
    instants = [row[0] for row in at.run(f"SELECT at FROM {at.prefix}_sends")]
    instants += [row[0] for row in at.run(f"SELECT ended_at FROM {at.prefix}_sessions WHERE ended_at IS NOT NULL")]
    assert all(datetime.now(UTC) - datetime.fromisoformat(each) < timedelta(minutes=5) for each in instants)


def test_sessions_show_how_they_ended(at: Place, told: str) -> None:
    rows = at.run(f"SELECT status, day, purpose, provider, region FROM {at.prefix}_sessions")
    assert Counter(rows) == {
        ("approved", told, "login", "fake", "US"): 3,
        ("approved", told, "login", "fake", "CM"): 1,
        ("pending", None, "login", "fake", "CM"): 2,
    }


def test_a_record_reads_as_the_text_that_was_committed(at: Place, told: str) -> None:
    store = at.store()
    stored = {key: record.data.decode() for key, record in store.scan("", 100) if not key.startswith("stranger/")}
    store.close()
    rows: list[tuple[Any, ...]] = at.run(f"SELECT * FROM {at.prefix}_readable")
    shown = {row[0]: row[3] for row in rows if not row[0].startswith("stranger/")}
    assert shown == stored
    assert len(rows) == PEOPLE + len(STRANGERS)
