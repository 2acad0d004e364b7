"""The stored form: read back as written, refused when damaged or newer, and about a kilobyte."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otpcore.contract import CodeOwner
from otpcore.errors import StoreFormatError
from otpcore.model import SCHEMA, Check, Handle, Ladder, RecipientRecord, Send, SendState, Session
from tests.properties.world import EPOCH, NUMBER, World

instants = st.integers(0, 10**9).map(lambda ms: EPOCH + timedelta(milliseconds=ms))
texts = st.text(max_size=12)
records = st.builds(
    RecipientRecord,
    v=st.just(SCHEMA),
    mark_at=st.none() | instants,
    ladder=st.builds(Ladder, count=st.integers(0, 4), next_at=st.none() | instants, epoch=st.integers(0, 99)),
    sends=st.lists(
        st.builds(Send, id=texts, at=instants, state=st.sampled_from(SendState), refunded=st.booleans()), max_size=3
    ).map(tuple),
    checks=st.lists(st.builds(Check, id=texts, at=instants, source=texts), max_size=3).map(tuple),
    sessions=st.lists(
        st.builds(Session, id=texts, purpose=texts, expires_at=instants, owner=st.sampled_from(CodeOwner)), max_size=2
    ).map(tuple),
    handles=st.lists(st.builds(Handle, provider=texts, id=texts, purpose=texts, first_at=instants), max_size=2).map(
        tuple
    ),
    forward=st.none() | texts,
)


@given(records)
def test_a_record_is_read_back_as_it_was_written(record: RecipientRecord) -> None:
    assert RecipientRecord.decode(record.encode()) == record
    assert record.encode().startswith(b'{"v":1')


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"v":"x"}', b'{"sends":[{}]}', b"\xff\xfe", b"null"])
def test_a_damaged_record_is_refused_and_not_quoted(data: bytes) -> None:
    """Invariant 13: nothing is read into it, and its text stays out of the message."""
    with pytest.raises(StoreFormatError) as refused:
        RecipientRecord.decode(data)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("data", [b'{"v":2}', b'{"v":2,"sends":"of another shape"}'])
def test_a_record_of_a_newer_schema_is_refused(data: bytes) -> None:
    with pytest.raises(StoreFormatError, match="schema 2"):
        RecipientRecord.decode(data)


def test_a_full_record_is_about_a_kilobyte() -> None:
    world = World()
    for step in (2, 5, 15):
        world.engine.start(NUMBER)
        world.move(timedelta(minutes=step, seconds=-1))
        world.move(timedelta(seconds=1))
    for _ in range(3):
        world.engine.start(NUMBER)
    assert len(world.record().encode()) < 2_000
