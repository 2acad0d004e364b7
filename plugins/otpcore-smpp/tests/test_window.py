"""How many messages may be without an answer, and how many a second are written: what finds no place is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from otpcore.ports import Accepted, Failure, FailureKind, SendEffect
from otpcore_smpp.session import Session
from tests.smpp_lines import Line, request_of
from tests.smsc import Peer, Smsc, Submitted, accept, silence

MakeLine = Callable[..., Line]


def a_full_window_is_never_exceeded(line: Line, smsc: Smsc) -> None:
    """The property, for a window of 2: what finds no place is refused, and never written."""

    async def late(peer: Peer, submitted: Submitted) -> None:
        await smsc.gate.wait()
        peer.answer(submitted)

    smsc.scenario = late
    first = [line.begin(request_of()) for _ in range(2)]
    assert smsc.wait_for(lambda: len(smsc.submits) == 2)
    for call in [line.begin(request_of(timeout_s=2.0)) for _ in range(4)]:
        answer = call.result(20)
        assert (answer.kind, answer.effect) == (FailureKind.RATE_LIMITED, SendEffect.NOT_SENT)
    assert len(smsc.submits) == 2
    smsc.soon(smsc.gate.set)
    assert all(isinstance(call.result(20), Accepted) for call in first)


def a_place_is_free_again(line: Line, smsc: Smsc, patience_s: float) -> None:
    """The property, for a window of 2 whose messages get no answer."""
    assert isinstance(line.send(), Accepted)
    smsc.scenario = silence
    silent = [line.begin(request_of(timeout_s=1.0)) for _ in range(2)]
    assert {call.result(20).effect for call in silent} == {SendEffect.UNKNOWN}
    smsc.scenario = accept
    assert isinstance(line.send(request_of(timeout_s=patience_s)), Accepted), "the places are free again"
    assert len(smsc.submits) == 4


def test_no_more_than_the_window_is_without_an_answer(line_with: MakeLine, smsc: Smsc) -> None:
    a_full_window_is_never_exceeded(line_with(window=2), smsc)


def test_a_message_without_an_answer_keeps_no_place_of_the_window(line_with: MakeLine, smsc: Smsc) -> None:
    a_place_is_free_again(line_with(window=2), smsc, patience_s=10.0)


def test_a_window_without_a_bound_would_be_seen(
    line_with: MakeLine, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "submit", vars(Session)["_exchange"])
    with pytest.raises(AssertionError):
        a_full_window_is_never_exceeded(line_with(window=2), smsc)


def test_a_window_whose_places_are_never_given_back_would_be_seen(
    line_with: MakeLine, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep(_self: asyncio.Semaphore) -> None: ...

    line = line_with(window=3)  # the first message keeps its place too
    monkeypatch.setattr(asyncio.Semaphore, "release", keep)
    with pytest.raises(AssertionError, match="free again"):
        a_place_is_free_again(line, smsc, patience_s=1.0)


def test_no_more_than_the_smsc_takes_a_second_are_written(line_with: MakeLine, smsc: Smsc) -> None:
    """At one a second only the first is written within half a second; the others are refused, not kept."""
    line = line_with(per_second=1)
    answers = [call.result(20) for call in [line.begin(request_of(timeout_s=0.5)) for _ in range(4)]]
    refused = [answer for answer in answers if isinstance(answer, Failure)]
    assert len(refused) == 3
    assert {(one.kind, one.effect) for one in refused} == {(FailureKind.RATE_LIMITED, SendEffect.NOT_SENT)}
    assert len(smsc.submits) == 1
