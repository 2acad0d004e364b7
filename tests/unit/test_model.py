"""The stored form: read back as written, refused when damaged or newer, and about a kilobyte."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otpcore.codes import Token
from otpcore.contract import CodeOwner
from otpcore.errors import StoreFormatError
from otpcore.flows.finding import find_session
from otpcore.model import SCHEMA, Check, Handle, Ladder, RecipientRecord, Send, SendState, Session, SessionStatus
from tests.properties.world import EPOCH, NUMBER, World, begin

instants = st.integers(0, 10**9).map(lambda ms: EPOCH + timedelta(milliseconds=ms))
texts = st.text(max_size=12)
live = st.builds(Session, id=texts, purpose=texts, expires_at=instants, owner=st.sampled_from(CodeOwner))
ended = instants.flatmap(
    lambda at: st.builds(
        Session,
        id=texts,
        purpose=texts,
        status=st.sampled_from([one for one in SessionStatus if one is not SessionStatus.PENDING]),
        proof=st.none() | texts,
        provider=texts,
        region=texts,
        expires_at=st.just(at),
        ended_at=st.just(at),
        ended_by=texts,
    )
)
records = st.builds(
    RecipientRecord,
    v=st.just(SCHEMA),
    mark_at=st.none() | instants,
    ladder=st.builds(Ladder, count=st.integers(0, 4), next_at=st.none() | instants, epoch=st.integers(0, 99)),
    sends=st.lists(
        st.builds(Send, at=instants, provider=texts, region=texts)
        | st.builds(Send, id=texts, at=instants, state=st.sampled_from(SendState), refunded=st.booleans()),
        max_size=5,
    ).map(tuple),
    checks=st.lists(st.builds(Check, id=texts, at=instants, source=texts), max_size=3).map(tuple),
    sessions=st.tuples(st.lists(ended, max_size=2), st.lists(live, max_size=2)).map(lambda both: (*both[0], *both[1])),
    handles=st.lists(st.builds(Handle, provider=texts, id=texts, purpose=texts, first_at=instants), max_size=2).map(
        tuple
    ),
    forward=st.none() | texts,
)


@given(records)
def test_a_record_is_read_back_as_it_was_written(record: RecipientRecord) -> None:
    assert RecipientRecord.decode(record.encode()) == record
    assert record.encode().startswith(b'{"v":%d' % SCHEMA)


def test_an_ended_session_that_was_stored_in_full_is_read_and_its_holder_known() -> None:
    """Records of before: a session as an object with names, and a proof that is not truncated."""
    whole = base64.urlsafe_b64encode(hashlib.sha256(b"A" * 24).digest()).decode().rstrip("=")
    data = (
        b'{"v":1,"mark_at":"2026-11-01T00:00:00.129000Z","sessions":[{"id":"hFsoKKpJikT_","purpose":"login",'
        b'"status":"approved","proof":"%s","expires_at":"2026-11-01T00:10:00Z",'
        b'"ended_at":"2026-11-01T00:00:00.129000Z","ended_by":"eJuD6m_A"}]}'
    )
    record = RecipientRecord.decode(data % whole.encode())
    (session,) = record.sessions
    assert (session.status, session.ended_by) == (SessionStatus.APPROVED, "eJuD6m_A")
    token = Token(key="k", session=session.id, secret="A" * 24)
    assert find_session(record, token) == session
    again = RecipientRecord.decode(record.encode())
    assert again.sessions[0].ended_at == session.ended_at
    assert find_session(again, token) == again.sessions[0]
    assert find_session(again, Token(key="k", session=session.id, secret="B" * 24)) is None


def test_what_outlives_a_session_says_where_it_went() -> None:
    """Sends and ended sessions keep provider and region, for those who count by them."""
    world = World()
    token, code = begin(world)
    world.engine.check(token, code)
    (session,) = world.record().sessions
    (send,) = world.record().sends
    assert (session.provider, session.region) == (send.provider, send.region) == ("default", "US")
    assert b'"past":[[' in world.record().encode()


@pytest.mark.parametrize("at", [b"-1", b"253402300800000", b'"x"'])
def test_a_damaged_instant_in_a_short_form_is_refused(at: bytes) -> None:
    with pytest.raises(StoreFormatError):
        RecipientRecord.decode(b'{"v":1,"past":[[' + at + b',"p","CM"]]}')


def test_the_limits_of_this_layout_are_under_a_number_that_readers_of_the_one_before_refuse() -> None:
    """They ignore fields that they do not know, and would hand out what `past` has counted a second time."""
    world = World()
    world.engine.check(*begin(world))
    found = json.loads(world.record().encode())
    counted_by_1 = {"v", "mark_at", "ladder", "sends", "checks", "consecutive", "sessions", "handles", "keys"}
    assert set(found) - counted_by_1 == {"past", "ended"}
    assert found["v"] == SCHEMA > 1


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"v":"x"}', b'{"sends":[{}]}', b"\xff\xfe", b"null"])
def test_a_damaged_record_is_refused_and_not_quoted(data: bytes) -> None:
    """Invariant 13: nothing is read into it, and its text stays out of the message."""
    with pytest.raises(StoreFormatError) as refused:
        RecipientRecord.decode(data)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("data", [b'{"v":4}', b'{"v":4,"sends":"of another shape"}'])
def test_a_record_of_a_newer_schema_is_refused(data: bytes) -> None:
    with pytest.raises(StoreFormatError, match="schema 4"):
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
