"""Receipts: what a deliver_sm says, who is believed, and how one comes from the link into the record."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from otpcore import Received
from otpcore.errors import ReceiptRefused
from otpcore.ports import DeliveryState, InboundRequest, ReadsReceipts
from otpcore_smpp import AsyncSmppProvider, SmppProvider, blocking
from otpcore_smpp.receipts import METHOD, SEAL_HEADER, events_of
from tests.smpp_lines import CODE, PHONE, Line, settings_of
from tests.smsc import Smsc, receipt_body

MakeLine = Callable[..., Line]
LATER = 0x64


def tlvs_of(message_id: str, state: int) -> Mapping[int, bytes]:
    return {0x001E: message_id.encode() + b"\0", 0x0427: bytes((state,))}


@pytest.mark.parametrize(
    ("word", "number", "state"),
    [
        ("DELIVRD", 2, DeliveryState.DELIVERED),
        ("UNDELIV", 5, DeliveryState.UNDELIVERED),
        ("EXPIRED", 3, DeliveryState.EXPIRED),
        ("DELETED", 4, DeliveryState.FAILED),
        ("REJECTD", 8, DeliveryState.FAILED),
        ("ACCEPTD", 6, DeliveryState.ACCEPTED),
        ("ENROUTE", 1, DeliveryState.SENDING),
        ("UNKNOWN", 7, DeliveryState.UNKNOWN),
        ("SCHEDULED", 0, DeliveryState.QUEUED),
        ("delivrd", 2, DeliveryState.DELIVERED),
        ("NONSENSE", 200, DeliveryState.UNKNOWN),
    ],
)
def test_each_state_has_its_place(word: str, number: int, state: DeliveryState) -> None:
    by_text = receipt_body("17", word, PHONE)
    by_tlvs = receipt_body(None, "", PHONE, text=False, tlvs=tlvs_of("17", number))
    for body in (by_text, by_tlvs):
        (event,) = events_of(body, settings_of(1))
        assert (event.handle, event.recipient, event.state, event.at) == ("17", PHONE, state, None)


def test_tlvs_go_before_the_text() -> None:
    body = receipt_body("6699", "UNKNOWN", PHONE, tlvs=tlvs_of("1A2B", 2), error="011")
    (event,) = events_of(body, settings_of(1, response_ids="hex", receipt_ids="decimal"))
    assert (event.handle, event.state, event.provider_code) == ("6699", DeliveryState.DELIVERED, "011")


@pytest.mark.parametrize(
    ("error", "tlvs", "told"),
    [
        ("000", {}, None),
        ("001", {}, "001"),
        ("", {0x0423: b"\3\0\1"}, "3:1"),
        ("12025550123", {}, None),
        ("918273", {}, None),
    ],
)
def test_an_error_is_the_networks_and_no_number(error: str, tlvs: dict[int, bytes], told: str | None) -> None:
    (event,) = events_of(receipt_body("17", "UNDELIV", PHONE, error=error, tlvs=tlvs), settings_of(1))
    assert event.provider_code == told


@pytest.mark.parametrize(
    ("address", "ton", "recipient"),
    [
        ("12025550123", 1, "+12025550123"),
        ("+12025550123", 0, "+12025550123"),
        ("0012025550123", 0, "+12025550123"),
        ("2025550123", 2, None),
        ("Otpcore", 5, None),
        ("0", 1, None),
    ],
)
def test_the_recipient_is_told_only_by_a_plain_address(address: str, ton: int, recipient: str | None) -> None:
    body = b"\0" + bytes((ton, 1)) + address.encode() + b"\0" + b"\5\0Otpcore\0" + b"\4\0\0\0\0\0\0\0\0"
    words = b"id:17 stat:DELIVRD"
    (event,) = events_of(body + bytes((len(words),)) + words, settings_of(1))
    assert event.recipient == recipient


def test_an_smsc_may_have_the_addresses_the_other_way_round() -> None:
    body = b"\0\5\0Otpcore\0\1\1" + PHONE[1:].encode() + b"\0\4\0\0\0\0\0\0\0\0"
    words = b"id:17 stat:DELIVRD"
    (event,) = events_of(body + bytes((len(words),)) + words, settings_of(1, receipt_recipient="destination"))
    assert event.recipient == PHONE


def test_what_a_receipt_quotes_of_the_message_says_nothing() -> None:
    body = receipt_body("17", "UNDELIV", PHONE, quoted=f"stat:DELIVRD id:18 err:099 {CODE}")
    (event,) = events_of(body, settings_of(1))
    assert (event.handle, event.state, event.provider_code) == ("17", DeliveryState.UNDELIVERED, None)
    assert CODE not in f"{event!r}{event.id}"


def test_who_writes_to_the_sender_sends_no_receipt() -> None:
    assert not events_of(receipt_body("17", "DELIVRD", PHONE, esm_class=0), settings_of(1))


def test_every_cut_of_a_receipt_is_refused_or_says_the_same() -> None:
    whole = receipt_body("17", "DELIVRD", PHONE, tlvs=tlvs_of("17", 2))
    said = events_of(whole, settings_of(1))
    for end in range(len(whole)):
        try:
            found = events_of(whole[:end], settings_of(1))
        except ValueError:
            continue
        assert [event.handle for event in found] in ([], ["17"])
    assert said[0].handle == "17"


# --- who is believed ---


@pytest.fixture(params=[SmppProvider, AsyncSmppProvider])
def provider(request: pytest.FixtureRequest) -> Any:
    return request.param(settings_of(1))


def refused(provider: ReadsReceipts, request: InboundRequest) -> str | None:
    try:
        provider.parse_receipt(request)
    except ReceiptRefused as error:
        return str(error)
    return None


def test_only_what_came_over_the_link_is_believed(provider: Any) -> None:
    """Every bit of the body, another key, another provider, no seal at all."""
    body = receipt_body("17", "DELIVRD", PHONE)
    genuine = provider._seal.sealed(body)
    assert provider.parse_receipt(genuine)[0].handle == "17"
    seal = genuine.headers[SEAL_HEADER]
    stranger = type(provider)(settings_of(1))
    forged = [
        InboundRequest(METHOD, "", {}, body),
        InboundRequest("POST", "/receipts", {SEAL_HEADER: seal}, body),
        InboundRequest(METHOD, "x", {SEAL_HEADER: seal}, body),
        InboundRequest(METHOD, "", {SEAL_HEADER: seal[:-1]}, body),
        InboundRequest(METHOD, "", {SEAL_HEADER: "é"}, body),
        InboundRequest(METHOD, "", {SEAL_HEADER: seal}, body + b"x"),
        stranger._seal.sealed(body),
        *(
            InboundRequest(METHOD, "", {SEAL_HEADER: seal}, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
            for at in range(len(body))
        ),
    ]
    for request in forged:
        told = refused(provider, request)
        assert told, request
        assert PHONE[1:] not in told


def test_a_receipt_that_is_too_large_or_unreadable_is_refused(provider: Any) -> None:
    assert refused(provider, provider._seal.sealed(bytes(70_001)))
    assert refused(provider, provider._seal.sealed(b"\0\1"))


def test_one_receipt_has_one_id_and_others_have_others(provider: Any) -> None:
    bodies = [receipt_body(one, word, PHONE) for one in ("17", "18") for word in ("DELIVRD", "UNDELIV")]
    ids = [provider.parse_receipt(provider._seal.sealed(body))[0].id for body in bodies]
    assert len(set(ids)) == 4
    assert ids == [provider.parse_receipt(provider._seal.sealed(body))[0].id for body in bodies]
    assert all(PHONE[1:] not in one for one in ids)


# --- over the link ---


class Application:
    """Takes receipts as an application does, and answers as it is told."""

    def __init__(self, answer: Callable[[], object]) -> None:
        self.answer = answer
        self.taken: list[InboundRequest] = []
        self.came = threading.Semaphore(0)

    def __call__(self, request: InboundRequest) -> object:
        self.taken.append(request)
        self.came.release()
        return self.answer()


def test_a_receipt_is_handed_over_and_answered_afterwards(line: Line, smsc: Smsc) -> None:
    gate = threading.Event()

    def slowly() -> object:
        assert line.colour == "awaited" or gate.wait(20)
        return Received(1, 0)

    application = Application(slowly)
    line.deliver_to(application)
    line.send()
    body = receipt_body("1A2B", "DELIVRD", PHONE)
    sequence = smsc.deliver(body)
    assert application.came.acquire(timeout=20)
    if line.colour == "blocking":
        assert smsc.answered(sequence) is None, "nothing is answered before the application has taken it"
    gate.set()
    assert smsc.wait_for(lambda: smsc.answered(sequence) == 0)
    (event,) = line.provider.parse_receipt(application.taken[0])
    assert (event.handle, event.recipient, event.state) == ("1A2B", PHONE, DeliveryState.DELIVERED)


@pytest.mark.parametrize("wrong", [None, "Refused", OSError("the store is down")])
def test_what_the_application_did_not_take_is_to_come_again(line: Line, smsc: Smsc, wrong: object) -> None:
    def answer() -> object:
        if isinstance(wrong, Exception):
            raise wrong
        return wrong

    line.deliver_to(Application(answer))
    line.send()
    sequence = smsc.deliver(receipt_body("1A2B", "DELIVRD", PHONE))
    assert smsc.wait_for(lambda: smsc.answered(sequence) == LATER)


def test_nobody_who_takes_receipts_means_none_are_kept(line: Line, smsc: Smsc) -> None:
    line.send()
    sequence = smsc.deliver(receipt_body("1A2B", "DELIVRD", PHONE))
    assert smsc.wait_for(lambda: smsc.answered(sequence) == 0)


@pytest.mark.parametrize("body", [b"", b"\0\1\1", receipt_body("1", "DELIVRD", PHONE)[:-5]])
def test_what_cannot_be_read_is_dropped_and_the_link_goes_on(line: Line, smsc: Smsc, body: bytes) -> None:
    application = Application(lambda: Received(1, 0))
    line.deliver_to(application)
    line.send()
    broken = smsc.deliver(body)
    assert smsc.wait_for(lambda: smsc.answered(broken) == 0)
    assert not application.taken
    whole = smsc.deliver(receipt_body("1A2B", "DELIVRD", PHONE))
    assert smsc.wait_for(lambda: smsc.answered(whole) == 0)
    assert len(smsc.binds) == 1


def test_what_came_too_early_is_handed_over_again(line: Line, smsc: Smsc) -> None:
    """A receipt may overtake the commit that writes down the id; it is known the next time."""
    answers = iter([Received(0, 0, early=1), Received(1, 0)])
    application = Application(lambda: next(answers))
    line.deliver_to(application)
    line.send()
    sequence = smsc.deliver(receipt_body("1A2B", "DELIVRD", PHONE))
    assert application.came.acquire(timeout=20)
    assert application.came.acquire(timeout=20)
    assert smsc.answered(sequence) == 0
    assert len(application.taken) == 2


def answered_with_ok(smsc: Smsc, sequence: int) -> None:
    assert smsc.wait_for(lambda: smsc.answered(sequence) == 0)


@pytest.mark.parametrize("word", ["ENROUTE", "DELIVRD"])
def test_what_the_application_has_no_use_for_is_handed_over_once(
    line: Line, smsc: Smsc, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otpcore_smpp.handing.AGAIN_S", (0.0,))
    application = Application(lambda: Received(0, 1))
    line.deliver_to(application)
    line.send()
    for count in (1, 2, 3):  # by the third the first would have come again
        answered_with_ok(smsc, smsc.deliver(receipt_body("1A2B", word, PHONE)))
        assert len(application.taken) == count
    line.close()
    assert len(application.taken) == 3


def test_closing_does_not_wait_for_the_application(smsc: Smsc) -> None:
    gate, over = threading.Event(), threading.Event()

    def hang() -> object:
        gate.wait(20)
        over.set()
        return Received(1, 0)

    application = Application(hang)
    with Line("blocking", settings_of(smsc.port)) as line:
        line.deliver_to(application)
        line.send()
        smsc.deliver(receipt_body("1A2B", "DELIVRD", PHONE))
        assert application.came.acquire(timeout=20)
        line.close()
        assert not over.is_set()
        gate.set()
        assert over.wait(20)


async def _hangs(*_: object) -> None:
    """Does not let itself be ended."""
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)


@pytest.mark.parametrize("what", ["the link", "a task"])
def test_closing_ends_thread_and_loop_whatever_hangs(
    smsc: Smsc, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    monkeypatch.setattr(blocking, "CLOSING_S", 0.3)
    with Line("blocking", settings_of(smsc.port)) as line:
        line.send()
        runner = line.provider._runner
        if what == "the link":
            monkeypatch.setattr(line.provider._sender, "close", _hangs)
        else:
            runner.call(_hangs())
        line.close()
        assert ("is cut" in caplog.text) is (what == "the link")
    assert not runner._thread.is_alive()
    assert runner._loop.is_closed()
