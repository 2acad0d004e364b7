"""L1, L2: codes and full numbers are in no log, no text of a value, no traceback and no store.

Every operation runs at DEBUG with codes that are known beforehand; then everything that was written is searched.
The control writes one code into the log, and the search finds it.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otpcore.contract import CodeOwner, Failure, FailureKind, SendEffect
from otpcore.errors import OtpcoreError, StoreError
from otpcore.results import ByRecipient
from otpcore.stores.tinydb import TinyDBStore
from tests.storms.arena import Arena, Call, checking, phone, resending, starting
from tests.storms.bodies_sends import always

Make = Callable[..., Arena]

CANARIES = [25, pytest.param(2000, marks=pytest.mark.nightly)]
"""Phones; two codes for each, in two colours and with two owners: 200 in CI, 16,000 in the nightly run.

Every verb on one number, heard at DEBUG, takes some 10 ms of a processor, and 10^4 codes a minute and a half of one: in
CI each kind of line that can be written is written, for each colour and owner, and searched.
"""

SIX = re.compile(r"(?<![\w.-])\d{6}(?![\w.-])", re.ASCII)
ELEVEN = re.compile(r"(?=(\d{11}))", re.ASCII)


COUNTED = frozenset({"created", "msecs", "relativeCreated", "thread", "process"})
"""What `logging` itself puts into a record, in digits."""


class Listener(logging.Handler):
    """Keeps every line of every logger, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))
        self.lines.append(repr({name: value for name, value in vars(record).items() if name not in COUNTED}))


@pytest.fixture
def listener() -> Iterator[Listener]:
    root = logging.getLogger()
    before, heard = root.level, Listener()
    root.addHandler(heard)
    root.setLevel(logging.DEBUG)
    yield heard
    root.setLevel(before)
    root.removeHandler(heard)


def texts_of(result: object) -> list[str]:
    """Everything that a careless caller might print of an outcome."""
    texts = [repr(result), str(result)]
    if isinstance(result, BaseException):
        texts += traceback.format_exception(result)
    return texts


def every_operation(arena: Arena, number: str, spoken: list[str]) -> set[str]:
    """Run all verbs on one number, well and badly; returns the codes that were used."""

    def said(call: Call) -> Any:
        try:
            result = arena.run(call)
        except OtpcoreError as error:
            spoken.extend(texts_of(error))
            return None
        spoken.extend(texts_of(result))
        return result

    sent = said(starting(number, source="192.0.2.7"))
    token = sent.session.token
    codes = {arena.right_code(number)}
    wrong = arena.wrong_code(number)
    codes.add(wrong)
    for code in (wrong, f"{wrong} ", wrong[:5]):
        said(checking(token, code))
    arena.clock.advance(arena.profile.ladder[0])
    said(resending(token, number))
    codes.add(arena.right_code(number))
    arena.exchange.script = always(Failure(FailureKind.INTERNAL, SendEffect.UNKNOWN))
    said(starting(number))
    arena.exchange.script = None
    said(checking(ByRecipient(number), wrong))  # type: ignore[arg-type]  # the other address of a session
    said(starting(number, purpose="unknown"))
    said(lambda engine: engine.status(token))
    said(checking(token, arena.right_code(number)))
    said(lambda engine: engine.cancel(token))
    said(lambda engine: engine.unlock(number))
    said(lambda engine: engine.forget(number))
    return codes


@pytest.mark.parametrize("owner", list(CodeOwner))
@pytest.mark.parametrize("phones", CANARIES)
def test_codes_and_numbers_are_written_nowhere(
    arena_with: Make, listener: Listener, tmp_path: Path, owner: CodeOwner, phones: int
) -> None:
    path = tmp_path / "records.otpdb"
    arena = arena_with(TinyDBStore(path, sync=False), owner=owner)
    spoken: list[str] = []
    codes: set[str] = set()
    for each in range(phones):
        codes |= every_operation(arena, phone(each), spoken)
    assert len(codes) >= phones * 0.9  # some are equal by chance
    written = "\n".join((*listener.lines, *spoken, path.read_text()))
    assert "otpcore.audit" in written
    assert not found_in(written, codes)
    assert not {f"+{digits}" for digits in ELEVEN.findall(written)} & set(map(phone, range(phones)))


def found_in(text: str, codes: set[str]) -> set[str]:
    """The codes in a text that are no part of a longer run of letters and digits, nor of a fraction."""
    return codes.intersection(SIX.findall(text))


def test_the_search_finds_a_code_that_somebody_logs(arena_with: Make, listener: Listener) -> None:
    arena = arena_with()
    arena.started(phone(0))
    code = arena.right_code(phone(0))
    assert not found_in("\n".join(listener.lines), {code})
    logging.getLogger("plugin").debug("sending %s", code)
    assert found_in("\n".join(listener.lines), {code}) == {code}


def test_what_logging_counts_is_not_taken_for_digits_of_a_number() -> None:
    """A thread's number, of fifteen digits, holds any four of them now and then."""
    heard = Listener()
    heard.emit(
        logging.makeLogRecord({"msg": "said", "digits": phone(38)[-4:], "thread": int(f"14{phone(37)[-4:]}000")})
    )
    assert any(phone(38)[-4:] in line for line in heard.lines)
    assert not any(phone(37)[-4:] in line for line in heard.lines)


def test_the_last_two_digits_and_a_pseudonym_are_shown(arena_with: Make, listener: Listener) -> None:
    arena_with().started(phone(37))
    lines = [line for line in listener.lines if "otpcore.audit" in line and "start" in line]
    assert lines
    assert all("37" in line for line in lines if '"tail"' in line)
    assert not any(phone(37)[-4:] in line for line in lines)


class Talkative:
    """A plugin's exception that quotes what it was given."""

    def __call__(self, request: Any) -> Any:
        raise RuntimeError(f"cannot send {request.code} to {request.recipient}")


def test_what_a_provider_raises_is_not_passed_on(arena_with: Make, listener: Listener) -> None:
    arena = arena_with(script=Talkative())
    sent = arena.start(phone(0))
    text = "\n".join((*texts_of(sent), *listener.lines))
    assert phone(0)[1:] not in text
    assert "cannot send" not in text


def test_what_a_store_raises_is_not_passed_on(arena_with: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    arena = arena_with()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("cannot write 123456 of +12025550123")

    monkeypatch.setattr(arena.store, "commit", fail)
    monkeypatch.setattr(arena.store, "load", fail)
    with pytest.raises(StoreError) as raised:
        arena.start(phone(0))
    assert "123456" not in str(raised.value)
