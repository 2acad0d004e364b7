"""D13: what the release before wrote is read whole, and used: checked, sent again, let expire.

The records of `earlier/` that name their schema were written by that release itself, together with what it read of
them. The live sessions among them go on over every store in `test_every_store`.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from otpcore.contract import CodeOwner
from otpcore.errors import StoreFormatError
from otpcore.legacy import Desk
from otpcore.model import (
    SCHEMA,
    Check,
    Code,
    Counter,
    Handle,
    IdempotencyKey,
    Ladder,
    RecipientRecord,
    Send,
    SendState,
    Session,
    SessionStatus,
)
from otpcore.results import Approved, Ended, Refusal, Refused, Sent, Status, Wait, Wrong
from otpcore.stores.memory import MemoryStore
from tests.places import memory
from tests.storms.arena import Arena, ThreadArena, checking, resending, starting

BEFORE: Final[dict[str, Any]] = json.loads((Path(__file__).parent / "earlier" / "2026-11-30.json").read_text())
STORIES: Final[dict[str, dict[str, Any]]] = BEFORE["stories"]
KEPT: Final = (RecipientRecord, Ladder, Send, Check, Session, Code, Handle, IdempotencyKey, Counter)
NEW: Final = {"stop", "extra", "attempts", "sealed"}
"""What the release before did not know."""

DAY: Final = timedelta(days=1)
each_story = pytest.mark.parametrize("name", STORIES)


def put_into(store: Any, story: dict[str, Any]) -> None:
    """The records as they were, in the place of any that are there."""
    for each in story["records"]:
        found = store.load(each["key"])
        gc_at = datetime.fromisoformat(story["at"]) + timedelta(days=400)
        store.commit(each["key"], each["record"].encode(), expect=found and found.version, gc_at=gc_at)


def told(name: str, **given: Any) -> tuple[Arena, dict[str, Any]]:
    """An engine of today over what the release before left, at that instant."""
    story = STORIES[name]
    arena = ThreadArena(memory().open(), **given)
    arena.clock.now = datetime.fromisoformat(story["at"])
    put_into(arena.store, story)
    return arena, story


def reads_as_then(story: dict[str, Any]) -> None:
    for each in story["records"]:
        read = RecipientRecord.decode(each["record"].encode())
        assert json.loads(msgspec.json.encode(read)) == each["reads"]


def test_the_records_are_of_the_schema_before_this_one() -> None:
    """N-1: when the schema grows, records that this release wrote have to join them."""
    assert BEFORE["schema"] == SCHEMA - 1
    records = [json.loads(each["record"]) for story in STORIES.values() for each in story["records"]]
    assert {one["v"] for one in records} == {SCHEMA - 1}
    held = names_in([each["reads"] for story in STORIES.values() for each in story["records"]])
    held |= set[str]().union(*records)  # `past` and `ended` are read into the others
    known = {name for kind in KEPT for name in kind.__struct_fields__}
    assert known - held == NEW, "a field that none of them has"


def names_in(value: Any) -> set[str]:
    """Of all fields, at any depth."""
    return set(re.findall(r'"(\w+)": ', json.dumps(value)))


@each_story
def test_a_record_of_the_release_before_reads_as_it_did(name: str) -> None:
    """Every field of every value, as that release read it."""
    reads_as_then(STORIES[name])


@pytest.mark.parametrize("name", sorted(STORIES.keys() - {"locked", "a resend record"}))
def test_a_record_of_the_release_before_is_written_as_one_of_this(name: str) -> None:
    """The next send drops nothing that was counted, and the schema is this one's."""
    arena, story = told(name, owner=owner_of(name))
    before = counted(arena)
    arena.clock.advance(timedelta(minutes=5))
    arena.start(story["number"])
    ((_, found),) = [entry for entry in arena.store.scan("", 9) if b'"forward"' not in entry[1].data]
    assert json.loads(found.data)["v"] == SCHEMA
    assert counted(arena) >= before


def owner_of(name: str) -> CodeOwner:
    return CodeOwner.PROVIDER if name.startswith("a code of the provider") else CodeOwner.CORE


def counted(arena: Arena) -> tuple[int, int, int]:
    record = max(arena.records(), key=lambda one: one.ladder.count)
    return len(record.sends), len(record.checks), record.consecutive


@each_story
def test_a_record_of_the_release_before_expires(name: str) -> None:
    """A code of then is over when it was said to be, and 400 days and an hour after the last write nothing is left."""
    arena, story = told(name, owner=owner_of(name))
    arena.clock.advance(timedelta(minutes=10))
    if "token" in story:
        answer = arena.run(checking(story["token"], story["code"]))
        assert isinstance(answer, Ended | Refused), answer
    arena.clock.advance(timedelta(days=400, hours=1))
    arena.sweep()
    assert arena.store.scan("", 9) == []


LIVE: Final = sorted(
    {name for name, story in STORIES.items() if "code" in story and owner_of(name) is CodeOwner.CORE} - {"locked"}
)


@pytest.mark.parametrize("name", LIVE)
def test_a_code_of_the_release_before_is_taken_once(name: str) -> None:
    """Whether its send was accepted, delivered, or nobody knows."""
    arena, story = told(name)
    assert isinstance(arena.run(checking(story["token"], arena.wrong_code(story["number"]))), Wrong)
    assert isinstance(arena.run(checking(story["token"], story["code"])), Approved)
    assert isinstance(arena.run(checking(story["token"], story["code"])), Ended)


def test_a_session_that_ended_stays_ended_and_its_sends_count() -> None:
    """`ended` and `past`: one approval before; nine more sends in that day, and no tenth."""
    arena, story = told("after an approval")
    ended = arena.run(lambda engine: engine.status(story["used"]))
    assert isinstance(ended, Status), ended
    assert ended.session.status is SessionStatus.APPROVED
    assert len(arena.records()[0].sends) == 2
    for _ in range(20):
        arena.clock.advance(timedelta(minutes=30))
        answer = arena.start(story["number"])
        if isinstance(answer, Sent):
            arena.run(checking(answer.session.token or "", arena.right_code(story["number"])))
    assert len(arena.exchange.outbox) == arena.profile.daily_cap - 2


def test_an_idempotency_key_of_the_release_before_is_known() -> None:
    arena, story = told("a refused resend")
    again = arena.start(story["number"], idempotency_key=story["key"])
    assert isinstance(again, Sent)
    assert again.replayed
    assert arena.exchange.outbox == ()


def test_a_resend_takes_up_the_ladder_of_the_release_before() -> None:
    """A refunded step is free at once; an unknown outcome has kept its step."""
    arena, story = told("a refused resend")
    resent = arena.run(resending(story["token"], story["number"]))
    assert isinstance(resent, Sent), resent
    assert resent.next.resend_at == arena.clock.now + arena.profile.ladder[1]
    arena, story = told("nobody knows whether it was sent")
    assert arena.records()[0].sends[0].state is SendState.UNKNOWN
    assert isinstance(arena.run(resending(story["token"], story["number"])), Wait)


def test_a_lock_of_the_release_before_holds_its_day() -> None:
    arena, story = told("locked")
    held = arena.start(story["number"])
    assert isinstance(held, Refused)
    assert held.kind is Refusal.LOCKED
    arena.clock.advance(DAY)
    assert isinstance(arena.start(story["number"]), Sent)


def test_a_code_of_the_provider_is_asked_for_by_the_handle_of_the_release_before() -> None:
    """The vendor of today has the same verification: seeded alike, its first one is the same."""
    arena = ThreadArena(memory().open(), owner=CodeOwner.PROVIDER)
    story = STORIES["a code of the provider"]
    arena.started(story["number"])
    put_into(arena.store, story)
    assert arena.records()[0].handles[0].checks == 2
    assert isinstance(arena.run(checking(story["token"], arena.wrong_code(story["number"]))), Wrong)
    assert arena.records()[0].handles[0].checks == 3
    assert isinstance(arena.run(checking(story["token"], story["code"])), Approved)


def test_a_marker_of_the_release_before_leads_to_the_record() -> None:
    """A pepper is being changed: who still starts with the old one meets the same budget."""
    arena, story = told("a pepper is being changed")
    marker, found = story["records"]
    assert RecipientRecord.decode(marker["record"].encode()).forward == found["key"]
    other = ThreadArena(arena.store)
    other.clock.now = arena.clock.now
    other.engine = type(other.engine)(
        arena.store, other.provider, **{**other.settings, "pepper": story["previous"].encode()}
    )
    assert isinstance(other.run(starting(story["number"])), Wait)


def test_a_resend_record_of_the_release_before_counts_on() -> None:
    story = STORIES["a resend record"]
    store = MemoryStore()
    put_into(store, story)
    arena = ThreadArena(store)
    arena.clock.now = datetime.fromisoformat(story["at"])
    settings: dict[str, Any] = {**arena.settings, "purposes": ("login",)}
    desk = Desk(store, arena.provider, **settings)
    (record,) = desk.counters()
    assert record.ladder.count == 3
    arena.clock.advance(timedelta(minutes=30))
    assert desk.count(story["unique_id"], story["user_id"]).ladder.count == 4


def test_a_record_of_the_release_to_come_is_refused() -> None:
    data = STORIES["locked"]["records"][0]["record"].replace('"v":2', f'"v":{SCHEMA + 1}').encode()
    with pytest.raises(StoreFormatError, match=f"schema {SCHEMA + 1}"):
        RecipientRecord.decode(data)


def test_a_reader_that_drops_the_short_forms_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """T1, of D13: it takes `past` and `ended` for what is not there."""

    def forgetful(data: bytes) -> RecipientRecord:
        return msgspec.json.decode(data, type=RecipientRecord).but(past=(), ended=())

    monkeypatch.setattr(RecipientRecord, "decode", forgetful)
    with pytest.raises(AssertionError):
        reads_as_then(STORIES["after an approval"])
    with pytest.raises(AssertionError):
        test_a_session_that_ended_stays_ended_and_its_sends_count()
