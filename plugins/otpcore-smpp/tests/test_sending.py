"""One send over a real link, in both colours: what reaches the SMSC, and what the core is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from otpcore.ports import Accepted, Failure, FailureKind, FailureScope, SendEffect
from otpcore_smpp.statuses import STATUSES
from tests.smpp_lines import Line, request_of
from tests.smsc import Peer, Smsc, Submitted, accept, cut, cut_mid_answer, nack, refuse, silence

MakeLine = Callable[..., Line]


def seen_once(smsc: Smsc) -> Submitted:
    (seen,) = smsc.submits
    return seen


def test_a_message_is_submitted_once_and_accepted(line: Line, smsc: Smsc) -> None:
    answer = line.send()
    assert isinstance(answer, Accepted), answer
    assert (answer.handle, answer.segments) == ("1A2B", 1)
    assert json.loads(json.dumps(answer.handle)) == answer.handle
    assert smsc.binds == [("otpcore", "s3cr3t", "")]
    seen = seen_once(smsc)
    assert seen.source == (5, 0, "Otpcore")
    assert seen.destination == (1, 1, "12025550123")
    assert (seen.short, seen.coding, seen.registered, seen.esm_class) == (b"918273 is your code.", 0, 1, 0)
    assert not seen.tlvs


def test_a_link_serves_many_messages(line: Line, smsc: Smsc) -> None:
    answers = [call.result(20) for call in [line.begin(request_of()) for _ in range(50)]]
    assert len({answer.handle for answer in answers}) == 50
    assert len(smsc.submits) == 50
    assert len(smsc.binds) == 1


@pytest.mark.parametrize("status", [*STATUSES, 0x400, 0x4FF, 0x7FFFFFFF])
def test_a_refusal_is_a_definite_no(line: Line, smsc: Smsc, status: int) -> None:
    smsc.scenario = refuse(status)
    answer = line.send()
    assert isinstance(answer, Failure), answer
    assert answer.effect is SendEffect.NOT_SENT
    assert len(smsc.submits) == 1
    assert len(smsc.peers) == 1, "the link goes on"


@pytest.mark.parametrize(
    ("status", "kind", "scope"),
    [
        (0x0B, FailureKind.INVALID_RECIPIENT, FailureScope.RECIPIENT),
        (0x58, FailureKind.RATE_LIMITED, FailureScope.ACCOUNT),
        (0x14, FailureKind.TRANSIENT, FailureScope.RECIPIENT),
        (0x0A, FailureKind.MISCONFIGURED, FailureScope.ACCOUNT),
        (0x01, FailureKind.CONTENT_REJECTED, FailureScope.ACCOUNT),
        (0x45, FailureKind.TRANSIENT, FailureScope.RECIPIENT),
    ],
)
def test_a_refusal_says_why(line: Line, smsc: Smsc, status: int, kind: FailureKind, scope: FailureScope) -> None:
    smsc.scenario = refuse(status)
    answer = line.send()
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.scope, answer.provider_code) == (kind, scope, STATUSES[status][0])


def test_a_vendors_own_status_means_what_the_settings_say(line_with: MakeLine, smsc: Smsc) -> None:
    smsc.scenario = refuse(0x401)
    answer = line_with(statuses="0x401=quota_exhausted, 1026=opted_out").send()
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.provider_code) == (FailureKind.QUOTA_EXHAUSTED, "0x00000401")


def test_what_the_smsc_does_not_understand_was_not_sent(line: Line, smsc: Smsc) -> None:
    smsc.scenario = nack
    answer = line.send()
    assert isinstance(answer, Failure)
    assert answer.effect is SendEffect.NOT_SENT


def test_a_nack_without_an_error_is_no_acceptance(line: Line, smsc: Smsc) -> None:
    async def odd(peer: Peer, submitted: Submitted) -> None:
        peer.write(0x80000000, submitted.sequence)

    smsc.scenario = odd
    answer = line.send()
    assert isinstance(answer, Failure)
    assert answer.effect is SendEffect.NOT_SENT


@pytest.mark.parametrize("message_id", ["", "a" * 65, "with space", "\x07", "é"])
def test_an_id_that_cannot_be_kept_is_no_handle(line: Line, smsc: Smsc, message_id: str) -> None:
    async def odd(peer: Peer, submitted: Submitted) -> None:
        peer.answer(submitted, message_id=message_id)

    smsc.scenario = odd
    answer = line.send()
    assert isinstance(answer, Accepted)
    assert answer.handle is None


def test_no_answer_in_time_leaves_it_unknown(line: Line, smsc: Smsc) -> None:
    assert isinstance(line.send(), Accepted)
    smsc.scenario = silence
    answer = line.send(request_of(timeout_s=0.4))
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.effect) == (FailureKind.TIMEOUT, SendEffect.UNKNOWN)
    assert len(smsc.submits) == 2


@pytest.mark.parametrize("scenario", [cut, cut_mid_answer])
def test_a_link_cut_after_the_message_was_written_leaves_it_unknown(line: Line, smsc: Smsc, scenario: object) -> None:
    smsc.scenario = scenario  # type: ignore[assignment]  # one of the two scenarios
    answer = line.send()
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.effect) == (FailureKind.INTERNAL, SendEffect.UNKNOWN)
    assert len(smsc.submits) == 1
    assert smsc.wait_for(lambda: len(smsc.binds) == 2), "the link is opened again"
    assert len(smsc.submits) == 1, "nothing is sent again"


def test_an_unbind_by_the_smsc_leaves_what_waits_unknown(line: Line, smsc: Smsc) -> None:
    async def unbinds(peer: Peer, submitted: Submitted) -> None:
        peer.write(0x00000006, 77)

    smsc.scenario = unbinds
    answer = line.send()
    assert isinstance(answer, Failure)
    assert answer.effect is SendEffect.UNKNOWN
    assert smsc.wait_for(lambda: 0x80000006 in smsc.commands)
    assert smsc.wait_for(lambda: len(smsc.binds) == 2)
    assert len(smsc.submits) == 1


def test_a_late_answer_does_nothing(line: Line, smsc: Smsc) -> None:
    async def late(peer: Peer, submitted: Submitted) -> None:
        await smsc.gate.wait()
        peer.answer(submitted, message_id="LATE")

    assert isinstance(line.send(), Accepted)
    smsc.scenario = late
    first = line.send(request_of(timeout_s=0.4))
    assert isinstance(first, Failure)
    assert first.effect is SendEffect.UNKNOWN
    smsc.scenario = accept
    smsc.soon(smsc.gate.set)
    second = line.send()
    assert isinstance(second, Accepted)
    assert second.handle != "LATE"
    assert len(smsc.binds) == 1
    assert len(smsc.submits) == 3


def test_an_answer_twice_and_answers_to_nothing_do_nothing(line: Line, smsc: Smsc) -> None:
    async def twice(peer: Peer, submitted: Submitted) -> None:
        peer.write(0x80000004, submitted.sequence + 40, b"OTHER\0")
        peer.answer(submitted, message_id="FIRST")
        peer.answer(submitted, message_id="SECOND")
        peer.write(0x00000102, 5, b"\1\1a\0\1\1b\0")  # alert_notification: has no answer
        peer.write(0x80000103, 5)  # an answer to what was never asked

    smsc.scenario = twice
    first, second = line.send(), line.send()
    assert [getattr(answer, "handle", answer) for answer in (first, second)] == ["FIRST", "FIRST"]


def test_a_request_that_nobody_knows_is_nacked(line: Line, smsc: Smsc) -> None:
    line.send()
    smsc.soon(lambda: smsc.peers[-1].write(0x00000103, 9, b"data"))
    assert smsc.wait_for(lambda: 0x80000000 in smsc.commands)
    assert isinstance(line.send(), Accepted)


def test_the_smsc_may_ask_whether_the_link_lives(line: Line, smsc: Smsc) -> None:
    line.send()
    smsc.soon(lambda: smsc.peers[-1].write(0x00000015, 9))
    assert smsc.wait_for(lambda: 0x80000015 in smsc.commands)


@pytest.mark.parametrize("length", [0, 15, 70_001, 0xFFFFFFFF])
def test_what_is_no_pdu_ends_the_link(line: Line, smsc: Smsc, length: int) -> None:
    line.send()
    smsc.soon(lambda: smsc.peers[-1].writer.write(length.to_bytes(4) + bytes(12)))
    assert smsc.wait_for(lambda: len(smsc.binds) == 2)


@pytest.mark.parametrize("status", [0x0D, 0x0E, 0x0F])
def test_wrong_credentials_are_a_misconfiguration(line: Line, smsc: Smsc, status: int) -> None:
    smsc.bind_status = status
    for _ in range(2):
        answer = line.send()
        assert isinstance(answer, Failure)
        assert (answer.kind, answer.effect) == (FailureKind.MISCONFIGURED, SendEffect.NOT_SENT)
    assert not smsc.submits


def test_a_busy_smsc_at_the_bind_is_no_misconfiguration(line: Line, smsc: Smsc) -> None:
    smsc.bind_status = 0x08
    answer = line.send()
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.effect) == (FailureKind.TRANSIENT, SendEffect.NOT_SENT)


def test_an_smsc_that_does_not_answer_the_bind_was_sent_nothing(line: Line, smsc: Smsc) -> None:
    smsc.mute = True
    answer = line.send(request_of(timeout_s=4.0))
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.effect) == (FailureKind.TIMEOUT, SendEffect.NOT_SENT)
    assert not smsc.submits


def test_the_first_message_may_wait_for_the_link_and_no_other(line_with: MakeLine, smsc: Smsc) -> None:
    """While the link is being opened again a send is refused at once, though an SMSC would be there soon."""
    line = line_with(reconnect_first_s=30, reconnect_longest_s=30)
    assert isinstance(line.send(), Accepted)
    smsc.soon(smsc.peers[-1].reset)
    assert smsc.wait_for(lambda: not smsc.peers)
    answers = [line.send() for _ in range(3)]
    assert isinstance(answers[-1], Failure)
    assert (answers[-1].kind, answers[-1].effect) == (FailureKind.TRANSIENT, SendEffect.NOT_SENT)
    assert len(smsc.binds) == 1


def test_what_was_refused_without_a_link_is_never_sent(line: Line, smsc: Smsc) -> None:
    assert isinstance(line.send(), Accepted)
    smsc.stop_listening()
    assert smsc.wait_for(lambda: not smsc.peers)
    refused: list[SendEffect] = []
    while len(refused) < 3:  # the very first may find the link not yet known to be lost
        answer = line.send(request_of("late"))
        assert isinstance(answer, Failure)
        refused.append(answer.effect)
    assert refused[-1] is SendEffect.NOT_SENT
    smsc.listen_again()
    assert smsc.wait_for(lambda: len(smsc.binds) == 2)
    answer = line.send(request_of("in time"))
    while not isinstance(answer, Accepted):
        answer = line.send(request_of("in time"))
    assert [seen.short for seen in smsc.submits] == [b"918273 is your code.", b"in time"]


def test_a_silent_link_is_found_out_and_opened_again(line_with: MakeLine, smsc: Smsc) -> None:
    line = line_with(enquire_s=0.1, enquire_answer_s=0.2)
    assert isinstance(line.send(), Accepted)
    smsc.deaf = True
    assert smsc.wait_for(lambda: len(smsc.binds) == 2)


def test_a_message_without_an_answer_has_the_link_asked_at_once(line_with: MakeLine, smsc: Smsc) -> None:
    """Not in half a minute: the next code would be lost too."""
    line = line_with(enquire_s=600, enquire_answer_s=0.2)
    assert isinstance(line.send(), Accepted)
    assert 0x15 not in smsc.commands
    smsc.scenario, smsc.deaf = silence, True
    line.send(request_of(timeout_s=0.4))
    assert smsc.wait_for(lambda: 0x15 in smsc.commands)
    assert smsc.wait_for(lambda: len(smsc.binds) == 2)


@pytest.mark.parametrize(
    "recipient", ["12025550123", "+", "+0123456789", "+1202555012\0", "+\uff11\uff12025550123", ""]
)
def test_what_is_no_number_goes_nowhere(line: Line, smsc: Smsc, recipient: str) -> None:
    answer = line.send(request_of(recipient=recipient))
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.effect) == (FailureKind.INVALID_RECIPIENT, SendEffect.NOT_SENT)
    assert not smsc.binds


def test_a_caller_without_the_core_gets_a_plain_sentence(line: Line, smsc: Smsc) -> None:
    assert isinstance(line.send(request_of(None)), Accepted)
    assert seen_once(smsc).short == b"918273 is your code."
    answer = line.send(replace(request_of(None), code=None))
    assert isinstance(answer, Failure)
    assert answer.effect is SendEffect.NOT_SENT


def test_closing_unbinds_and_ends_everything(line: Line, smsc: Smsc) -> None:
    line.send()
    line.close()
    assert smsc.wait_for(lambda: not smsc.peers)
    assert smsc.commands[-1] == 0x06
    line.close()
    answer = line.send()
    assert isinstance(answer, Failure)
    assert answer.effect is SendEffect.NOT_SENT
    if line.colour == "awaited":
        assert line.tasks() == 0


def test_closing_a_provider_that_never_sent_is_harmless(line: Line) -> None:
    line.close()
    line.close()


def test_closing_without_an_smsc_ends_everything(line: Line, smsc: Smsc) -> None:
    smsc.stop_listening()
    answer = line.send()
    assert isinstance(answer, Failure)
    assert answer.effect is SendEffect.NOT_SENT
    line.close()
    if line.colour == "awaited":
        assert line.tasks() == 0
