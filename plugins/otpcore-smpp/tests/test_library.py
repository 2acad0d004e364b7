"""Why the link is the plugin's own: what aiosmpplib 0.7.4 does where a code must not be late, lost or shown.

Each test states what the library does, and beside it that the plugin does not. When one goes red with a newer library,
look again whether it can carry the plugin.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from aiosmpplib import ESME, PhoneNumber, SubmitSm  # type: ignore[import-untyped]  # carries no types

from otpcore.ports import Accepted, Failure, SendEffect
from otpcore_smpp import AsyncSmppProvider
from otpcore_smpp.pdu import PduError, Submit
from tests.smpp_lines import CODE, PHONE, Line, request_of, settings_of
from tests.smpp_planted import LibraryProvider
from tests.smsc import Smsc, receipt_body, refuse


@pytest.fixture(params=[LibraryProvider, AsyncSmppProvider])
def either(request: pytest.FixtureRequest, smsc: Smsc) -> Iterator[Line]:
    with Line("awaited", settings_of(smsc.port), request.param) as line:
        yield line


def is_library(line: Line) -> bool:
    return isinstance(line.provider, LibraryProvider)


def test_a_message_without_a_link_is_sent_when_there_is_one(either: Line, smsc: Smsc) -> None:
    """The late code. This is the control of `test_what_was_refused_without_a_link_is_never_sent`."""
    assert isinstance(either.send(), Accepted)
    smsc.stop_listening()
    assert smsc.wait_for(lambda: not smsc.peers)
    outcomes = [either.send(request_of("late", send_id=f"late {n}", timeout_s=0.7)) for n in range(3)]
    assert isinstance(outcomes[-1], Failure)
    smsc.listen_again()
    assert smsc.wait_for(lambda: len(smsc.binds) == 2)
    if is_library(either):
        assert smsc.wait_for(lambda: any(seen.short == b"late" for seen in smsc.submits)), "no late code any more?"
        return
    assert outcomes[-1].effect is SendEffect.NOT_SENT
    answer = either.send()
    while not isinstance(answer, Accepted):
        answer = either.send()
    assert not [seen for seen in smsc.submits if seen.short == b"late"]


def test_a_vendors_own_status_ends_the_link(either: Line, smsc: Smsc) -> None:
    """0x401 is as good a refusal as any; the library's table has it not, and what waits on the link is lost with it."""
    smsc.scenario = refuse(0x401)
    answer = either.send(request_of(timeout_s=3.0))
    assert isinstance(answer, Failure)
    assert len(smsc.submits) == 1
    assert answer.effect is (SendEffect.UNKNOWN if is_library(either) else SendEffect.NOT_SENT)


def test_a_receipt_in_optional_parameters_alone_is_nacked(either: Line, smsc: Smsc) -> None:
    assert isinstance(either.send(), Accepted)
    tlvs = {0x001E: b"1A2B\0", 0x0427: b"\2"}
    sequence = smsc.deliver(receipt_body(None, "", PHONE, text=False, tlvs=tlvs))
    if is_library(either):
        assert smsc.wait_for(lambda: 0x80000000 in smsc.commands)
        assert smsc.answered(sequence) is None
    else:
        assert smsc.wait_for(lambda: smsc.answered(sequence) == 0)


def test_a_nul_in_an_address_is_written_and_moves_every_field_behind_it() -> None:
    octets = SubmitSm(short_message="x", source=PhoneNumber("1"), destination=PhoneNumber("1202\x0055")).pdu()
    assert b"1202\x0055\0" in octets
    with pytest.raises(PduError):
        Submit((1, 1, "1"), (1, 1, "1202\x0055"), 0, "", 0, 0, b"x").encode()


def test_what_cannot_be_written_is_logged_with_number_and_code(smsc: Smsc) -> None:
    shown = io.StringIO()

    async def use() -> None:
        provider = LibraryProvider(settings_of(smsc.port), logging.StreamHandler(shown))
        with pytest.raises(UnicodeError):
            await provider.send(request_of(f"{CODE} \ud83d", timeout_s=20.0))
        await provider.close()

    asyncio.run(use())
    assert CODE in shown.getvalue()
    assert PHONE[1:] in shown.getvalue()


def test_parts_of_a_message_end_the_sender(smsc: Smsc) -> None:
    """`auto_message_payload=False`: a name is read before it is bound, and nobody hears of it."""

    async def use() -> list[BaseException | None]:
        esme: Any = ESME("127.0.0.1", smsc.port, "otpcore", "s3cr3t", log_handler=logging.NullHandler())
        esme._bound.set()
        esme._session_state = esme.bind_mode.session_state
        await esme.broker.enqueue(SubmitSm(short_message="x", auto_message_payload=False))
        sender: asyncio.Task[Any] = asyncio.create_task(esme._dequeue_messages())
        await asyncio.wait([sender])
        return [sender.exception()]

    (error,) = asyncio.run(use())
    assert isinstance(error, UnboundLocalError)


def test_the_library_has_no_tls() -> None:
    assert not [name for name in ESME.__init__.__annotations__ if "tls" in name or "ssl" in name]
