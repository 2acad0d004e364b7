"""What goes into a submit_sm, read by two who share nothing with it: the SMSC of the tests and aiosmpplib."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from aiosmpplib.codec import GSM7BitCodec  # type: ignore[import-untyped]  # carries no types
from aiosmpplib.protocol import SmppMessage, SubmitSm  # type: ignore[import-untyped]  # carries no types

from otpcore.ports import Accepted, Failure, FailureKind, MessageText, SendEffect, SendRequest
from otpcore_smpp import pdu
from otpcore_smpp.messages import normal_id, parts_of
from otpcore_smpp.pdu import Command
from tests.smpp_lines import Line, request_of, settings_of
from tests.smsc import Peer, Smsc, Submitted, parse_submit

JUDGE = GSM7BitCodec()
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
NOTHING_ELSE = Submitted(
    sequence=7,
    service_type="",
    source=(5, 0, "Otpcore"),
    destination=(1, 1, ""),
    esm_class=0,
    protocol_id=0,
    priority=0,
    schedule="",
    validity="000000000500000R",
    registered=1,
    replace=0,
    coding=0,
    default_id=0,
    short=b"",
    tlvs={},
)


def bodies_of(request: SendRequest, **changes: Any) -> Sequence[bytes]:
    found = parts_of(request, settings_of(1, **changes), NOW)
    assert not isinstance(found, Failure), found
    return found


def the_one(request: SendRequest, **changes: Any) -> Submitted:
    (body,) = bodies_of(request, **changes)
    return parse_submit(1, body)


def ends_in(**left: float) -> SendRequest:
    return request_of(expires_at=NOW + timedelta(**left))


def strange(among: random.Random, most: int) -> str:
    """A text of up to so many characters: plain ones, those that end or part fields, and any others."""
    kinds = (
        "0123456789",
        "abc {}€Δé",
        "\0\r\n\x1b\x7f\t;,:=%",
        "".join(map(chr, range(0x2000, 0x2100))),
        "\u202e😀٣\xa0",
    )
    return "".join(among.choice(among.choice(kinds)) for _ in range(among.randint(1, most)))


def test_ten_thousand_texts_are_submitted_as_they_were_meant() -> None:
    """Whatever the text holds (NUL, line ends, control characters), no other field changes."""
    among = random.Random(3)
    for count in range(10_000):
        text, digits = strange(among, 90), str(among.randint(10**6, 10**15 - 1))
        request = request_of(text, f"+{digits}", send_id=strange(among, 9), expires_at=NOW + timedelta(seconds=300))
        (body,) = bodies_of(request)
        seen = parse_submit(7, body)
        assert replace(seen, short=b"", coding=0, tlvs={}) == replace(NOTHING_ELSE, destination=(1, 1, digits))
        assert set(seen.tlvs) <= {0x0424}
        assert (JUDGE.decode(seen.octets)[0] if seen.coding == 0 else seen.octets.decode("utf-16-be")) == text
        if count % 10 == 0:  # the second judge is slow
            whole = pdu.pack(Command.SUBMIT_SM, 7, body)
            judged = SubmitSm.from_pdu(whole, SmppMessage.parse_header(whole), "gsm0338")
            assert isinstance(judged, SubmitSm)
            assert (judged.short_message or judged.message_payload) == text
            assert (judged.destination.number, judged.source.number) == (digits, "Otpcore")


def test_ten_thousand_recipients_are_taken_whole_or_refused() -> None:
    among, taken = random.Random(4), 0
    for _ in range(10_000):
        recipient = among.choice(("+", "", "00", "+0")) + "".join(
            strange(among, 3) if among.random() < 0.02 else among.choice("0123456789")
            for _ in range(among.randint(1, 18))
        )
        found = parts_of(request_of(recipient=recipient, expires_at=NOW + timedelta(minutes=5)), settings_of(1), NOW)
        if isinstance(found, Failure):
            assert (found.kind, found.effect) == (FailureKind.INVALID_RECIPIENT, SendEffect.NOT_SENT)
        else:
            taken += 1
            assert f"+{parse_submit(1, found[0]).destination[2]}" == recipient
    assert 500 < taken < 5000


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({"source": "Otpcore"}, (5, 0, "Otpcore")),
        ({"source": "+237671234567"}, (1, 1, "237671234567")),
        ({"source": "8080"}, (0, 1, "8080")),
        ({"source": "8080", "source_ton": 3, "source_npi": 0}, (3, 0, "8080")),
    ],
)
def test_the_sender_has_the_type_of_its_shape(changes: dict[str, Any], address: tuple[int, int, str]) -> None:
    assert the_one(ends_in(minutes=5), **changes).source == address


@pytest.mark.parametrize(
    ("left", "validity"),
    [
        ({"seconds": 1}, "000000000001000R"),
        ({"seconds": 59.999}, "000000000059000R"),
        ({"seconds": 600}, "000000001000000R"),
        ({"days": 1, "hours": 2, "minutes": 3, "seconds": 4}, "000001020304000R"),
        ({"days": 400}, "000030000000000R"),
    ],
)
def test_the_smsc_is_told_how_long_the_code_lives(left: dict[str, float], validity: str) -> None:
    assert the_one(ends_in(**left)).validity == validity


def test_the_smsc_may_be_told_the_instant_or_nothing() -> None:
    zone = timezone(timedelta(hours=1))
    request = request_of(expires_at=(NOW + timedelta(minutes=5)).astimezone(zone))
    assert the_one(request, validity="absolute").validity == "261130120500000+"
    assert the_one(request, validity="none").validity == ""


def test_a_code_that_has_ended_is_not_sent() -> None:
    found = parts_of(ends_in(seconds=0.9), settings_of(1), NOW)
    assert isinstance(found, Failure)
    assert found.effect is SendEffect.NOT_SENT


def test_a_long_message_goes_whole_in_the_payload() -> None:
    seen = the_one(replace(ends_in(minutes=5), message=MessageText("a" * 161, 2, "plain", "en")))
    assert (seen.short, seen.tlvs, seen.esm_class) == (b"", {0x0424: b"a" * 161}, 0)


@pytest.mark.parametrize("text", ["a" * 161, "a" * 152 + "€" * 30, "ж" * 66 + "😀" * 40])
def test_a_long_message_may_go_in_numbered_parts(text: str) -> None:
    request = replace(ends_in(minutes=5), message=MessageText(text, 2, "plain", "en"))
    seen = [parse_submit(1, body) for body in bodies_of(request, long_messages="parts")]
    heads = [part.short[:6] for part in seen]
    assert heads == [bytes((5, 0, 3, heads[0][3], len(seen), number)) for number in range(1, len(seen) + 1)]
    assert {part.esm_class for part in seen} == {0x40}
    assert [part.registered for part in seen] == [0] * (len(seen) - 1) + [1]
    assert all(len(part.short) <= (160 if part.coding == 0 else 140) for part in seen)
    joined = b"".join(part.short[6:] for part in seen)
    assert joined.replace(b"\x1be", b"\xa4").decode("iso-8859-15" if seen[0].coding == 0 else "utf-16-be") == text


def test_a_message_without_an_end_is_refused() -> None:
    for mode, length in (("payload", 70_000), ("parts", 153 * 10 + 1)):
        request = replace(ends_in(minutes=5), message=MessageText("a" * length, 9, "plain", "en"))
        found = parts_of(request, settings_of(1, long_messages=mode), NOW)
        assert isinstance(found, Failure)
        assert (found.kind, found.effect) == (FailureKind.CONTENT_REJECTED, SendEffect.NOT_SENT)


def test_half_a_character_is_refused() -> None:
    found = parts_of(replace(ends_in(minutes=5), message=MessageText("\ud800", 1, "plain", "en")), settings_of(1), NOW)
    assert isinstance(found, Failure)
    assert found.kind is FailureKind.CONTENT_REJECTED


def test_the_parts_of_a_message_share_its_fate(line_with: Callable[..., Line], smsc: Smsc) -> None:
    """All taken: the id is the last one's. The first refused: nothing was sent. A later one: nobody knows."""
    line = line_with(long_messages="parts")
    long = request_of("a" * 400)
    accepted = line.send(long)
    assert isinstance(accepted, Accepted)
    assert (accepted.handle, accepted.segments, len(smsc.submits)) == ("1A2D", 3, 3)

    def refusing(which: int) -> Callable[[Peer, Submitted], Any]:
        async def refused(peer: Peer, submitted: Submitted) -> None:
            peer.answer(submitted, 0x14 if submitted.short[5] == which else 0)

        return refused

    for which, effect, count in ((1, SendEffect.NOT_SENT, 1), (2, SendEffect.UNKNOWN, 2)):
        smsc.submits.clear()
        smsc.scenario = refusing(which)
        failure = line.send(long)
        assert isinstance(failure, Failure)
        assert (failure.effect, len(smsc.submits)) == (effect, count)


@pytest.mark.parametrize(
    ("given_id", "notation", "normal"),
    [
        ("1A2B", "text", "1A2B"),
        ("1A2B", "hex", "6699"),
        ("00001a2b", "hex", "6699"),
        ("0000006699", "decimal", "6699"),
        ("1A2B", "decimal", "1A2B"),
        ("m-17", "hex", "m-17"),
    ],
)
def test_ids_are_compared_in_one_notation(given_id: str, notation: Any, normal: str) -> None:
    assert normal_id(given_id, notation) == normal
