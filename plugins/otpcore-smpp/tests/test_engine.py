"""The whole way: an engine on its embedded store sends over the link, and the receipt reaches the record."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from otpcore import Approved, AsyncEngine, Engine, InboundRequest, Received, Sent, open_async_engine
from otpcore.results import Refusal, Refused
from otpcore.stores.tinydb import TinyDBStore
from otpcore_smpp import AsyncSmppProvider, SmppProvider
from otpcore_smpp.receipts import METHOD, SEAL_HEADER, Seal
from tests.docs.pages import ROOT, blocks, read
from tests.smpp_lines import COLOURS, PATIENCE_S, PHONE, settings_of
from tests.smsc import Peer, Smsc, Submitted, receipt_body, refuse, silence

PAGE = ROOT / "docs" / "providers" / "smpp.md"
PEPPER = b"a pepper of at least thirty-two bytes"


class House:
    """An application of one colour: an engine, its store and its link, with receipts handed over.

    Args:
        colour: "blocking" or "awaited".
        smsc: to bind to.
        path: of the store.
    """

    def __init__(self, colour: str, smsc: Smsc, path: Path) -> None:
        self.store = TinyDBStore(path / "otp.jsonl", sync=False)
        self.received: list[object] = []
        self._came = threading.Condition()
        settings = settings_of(smsc.port, response_ids="hex", receipt_ids="decimal")
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.engine: Any
        self.provider: Any
        self.awaited = colour == "awaited"
        if self.awaited:
            self.provider = AsyncSmppProvider(settings)
            self.engine = AsyncEngine(self.store, {"smpp": self.provider}, pepper=PEPPER, timeout_s=2.0)
            self.provider.deliver_to(self._take_awaiting)
        else:
            self.provider = SmppProvider(settings)
            self.engine = Engine(self.store, {"smpp": self.provider}, pepper=PEPPER, timeout_s=2.0)
            self.provider.deliver_to(self._take)

    def _take(self, request: InboundRequest) -> object:
        return self._noted(self.engine.receipt("smpp", request))

    async def _take_awaiting(self, request: InboundRequest) -> object:
        return self._noted(await self.engine.receipt("smpp", request))

    def _noted(self, result: object) -> object:
        with self._came:
            self.received.append(result)
            self._came.notify_all()
        return result

    def until_received(self, wanted: object, patience_s: float = PATIENCE_S) -> bool:
        """Wait until the engine has answered a receipt so."""
        with self._came:
            return self._came.wait_for(lambda: wanted in self.received, patience_s)

    def call(self, name: str, *arguments: Any) -> Any:
        return self.begin(name, *arguments).result(PATIENCE_S)

    def begin(self, name: str, *arguments: Any) -> Future[Any]:
        method = getattr(self.engine, name)
        if self.awaited:
            return asyncio.run_coroutine_threadsafe(method(*arguments), self.loop)
        done: Future[Any] = Future()
        done.set_result(method(*arguments))
        return done

    def states(self) -> list[str]:
        """Of the sends, as they are in the store."""
        database: Any = self.store.db
        records: list[dict[str, Any]] = database.table("records").all()
        return [send.get("state", "accepted") for record in records for send in record["sends"]]

    def close(self) -> None:
        self.call("close")
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture(params=COLOURS)
def house(request: pytest.FixtureRequest, smsc: Smsc, tmp_path: Path) -> Iterator[House]:
    house = House(request.param, smsc, tmp_path)
    yield house
    house.close()


def code_in(smsc: Smsc) -> str:
    return "".join(character for character in smsc.submits[-1].short.decode() if character.isdigit())[:6]


@pytest.mark.parametrize(
    ("word", "state"), [("DELIVRD", "delivered"), ("UNDELIV", "undelivered"), ("EXPIRED", "undelivered")]
)
def test_a_receipt_reaches_the_record_and_the_code_still_opens(house: House, smsc: Smsc, word: str, state: str) -> None:
    """The SMSC writes ids as hexadecimal numbers in responses and as decimal ones, padded, in receipts."""
    sent = house.call("start", PHONE)
    assert isinstance(sent, Sent)
    assert house.states() == ["accepted"]
    sequence = smsc.deliver(receipt_body(f"{0x1A2B:010d}", word, PHONE, quoted=smsc.submits[-1].short.decode()[:20]))
    assert house.until_received(Received(1, 0))
    assert smsc.wait_for(lambda: smsc.answered(sequence) == 0)
    assert house.states() == [state]
    again = smsc.deliver(receipt_body(f"{0x1A2B:010d}", word, PHONE))
    assert house.until_received(Received(0, 0, 1)), "of one id one event is taken"
    assert smsc.wait_for(lambda: smsc.answered(again) == 0)
    assert isinstance(house.call("check", sent.session.token, code_in(smsc)), Approved)


def an_early_receipt_reaches_the_record(house: House, smsc: Smsc, patience_s: float = PATIENCE_S) -> None:
    """The property: a receipt that overtakes the answer to its message is not lost."""

    async def hasty(peer: Peer, submitted: Submitted) -> None:
        peer.write(0x00000005, 900, receipt_body("6699", "DELIVRD", PHONE))
        await smsc.gate.wait()
        peer.answer(submitted, message_id="1A2B")

    smsc.scenario = hasty
    if house.awaited:
        call = house.begin("start", PHONE)
        assert house.until_received(Received(0, 0, early=1)), "it was not known yet"
        smsc.soon(smsc.gate.set)
        assert isinstance(call.result(PATIENCE_S), Sent)
    else:
        found: list[object] = []
        thread = threading.Thread(target=lambda: found.append(house.call("start", PHONE)))
        thread.start()
        assert house.until_received(Received(0, 0, early=1)), "it was not known yet"
        smsc.soon(smsc.gate.set)
        thread.join()
        assert isinstance(found[0], Sent)
    assert house.until_received(Received(1, 0), patience_s), "it is handed over again"
    assert house.states() == ["delivered"]


def test_a_receipt_that_overtakes_the_answer_reaches_the_record(house: House, smsc: Smsc) -> None:
    an_early_receipt_reaches_the_record(house, smsc)


def test_an_early_receipt_that_is_let_go_would_be_seen(
    house: House, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otpcore_smpp.handing.AGAIN_S", ())
    with pytest.raises(AssertionError, match="handed over again"):
        an_early_receipt_reaches_the_record(house, smsc, 2.0)
    assert house.states() == ["accepted"]


def test_a_stranger_who_posts_a_receipt_is_refused(house: House, smsc: Smsc) -> None:
    house.call("start", PHONE)
    body = receipt_body("6699", "DELIVRD", PHONE)
    for headers in ({}, {SEAL_HEADER: "0" * 64}):
        for method in (METHOD, "POST"):
            result = house.call("receipt", "smpp", InboundRequest(method, "", headers, body))
            assert isinstance(result, Refused)
            assert result.kind is Refusal.INVALID_RECEIPT
    assert house.states() == ["accepted"]


@pytest.mark.parametrize("colour", COLOURS)
def test_a_provider_that_trusts_everybody_would_be_seen(
    colour: str, smsc: Smsc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def believe(_self: Seal, _request: InboundRequest) -> None: ...

    monkeypatch.setattr(Seal, "check", believe)
    house = House(colour, smsc, tmp_path)
    try:
        with pytest.raises(AssertionError):
            test_a_stranger_who_posts_a_receipt_is_refused(house, smsc)
        assert house.states() == ["delivered"], "a stranger has said so"
    finally:
        house.close()


def test_a_refused_message_gives_the_send_back(house: House, smsc: Smsc) -> None:
    smsc.scenario = refuse(0x0B)
    assert isinstance(house.call("start", PHONE), Refused)
    assert house.states() == ["refused"]


def test_a_message_without_an_answer_keeps_the_send(house: House, smsc: Smsc) -> None:
    smsc.scenario = silence
    assert isinstance(house.call("start", PHONE), Sent)
    assert house.states() == ["unknown"]


# --- from settings ------------------------------------------------------------------------------------


def settings_in(monkeypatch: pytest.MonkeyPatch, smsc: Smsc, folder: Path) -> None:
    """The environment of an application whose SMSC this is."""
    for name, value in {
        "PLUGINS": "smpp",
        "PROVIDER": "smpp",
        "TINYDB_PATH": str(folder / "otp.jsonl"),
        "DATA_DIR": str(folder),
        "SMPP_HOST": "127.0.0.1",
        "SMPP_PORT": str(smsc.port),
        "SMPP_TLS": "false",
        "SMPP_SYSTEM_ID": "otpcore",
        "SMPP_PASSWORD": "s3cr3t",
        "SMPP_SOURCE": "Otpcore",
    }.items():
        monkeypatch.setenv(f"OTPCORE_{name}", value)


def test_the_program_of_the_page_gets_receipts_into_the_record(
    smsc: Smsc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings_in(monkeypatch, smsc, tmp_path)
    (program,) = [block.text for block in blocks(read(PAGE)) if block.role == "file=from_settings.py"]
    scope: dict[str, Any] = {}
    exec(compile(program, "from_settings.py", "exec"), scope)
    with caplog.at_level("INFO", "otpcore.audit"), scope["engine"] as engine:
        assert isinstance(engine.start(PHONE), Sent)
        sequence = smsc.deliver(receipt_body("1A2B", "DELIVRD", PHONE))
        assert smsc.wait_for(lambda: smsc.answered(sequence) is not None)
    assert smsc.answered(sequence) == 0
    assert '"send.delivered"' in caplog.text


def test_the_awaiting_twin_gets_them_too(
    smsc: Smsc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings_in(monkeypatch, smsc, tmp_path)

    async def life() -> int | None:
        async with open_async_engine() as engine:
            provider = engine.provider("smpp")
            assert isinstance(provider, AsyncSmppProvider)
            provider.deliver_to(lambda receipt: engine.receipt("smpp", receipt))
            assert isinstance(await engine.start(PHONE), Sent)
            sequence = smsc.deliver(receipt_body("1A2B", "DELIVRD", PHONE))
            await asyncio.to_thread(smsc.wait_for, lambda: smsc.answered(sequence) is not None)
            return smsc.answered(sequence)

    with caplog.at_level("INFO", "otpcore.audit"):
        assert asyncio.run(life()) == 0
    assert '"send.delivered"' in caplog.text
