"""PostgreSQL's wire, under the cursors of psycopg: one statement out, one answer in, within a time.

A cursor of psycopg costs as much again as the server does for a row by its key, and has no timeout of its own. So the
statements of the store are given to libpq as psycopg wraps it (`psycopg.pq`), parameters beside the text. A connection
prepares each on the server when it first asks it, on the same trip; where the server turns out not to have it any more,
as behind a PgBouncer that shares connections, nothing was applied, and this connection goes on without.

Rules of this file: no SQL; what the server's errors mean is decided here. A statement that may have reached the server
is never called unapplied, but where the server says so itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import select
import struct
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import pq

from otpcore.errors import CommitUnknown, StoreError, StoreFull, StoreUnavailable
from otpcore_sql.dialect import Answer, Clash

__all__ = [
    "BYTEA",
    "INT8",
    "TEXT",
    "Statement",
    "array",
    "awaited_exchange",
    "exchange",
    "is_stale",
    "statement",
    "unreachable",
]

BYTEA: Final = 17
INT8: Final = 20
TEXT: Final = 25
ARRAYS: Final = {BYTEA: 1001, INT8: 1016, TEXT: 1009}
"""Object ids of the types, and of arrays of them: fixed, see pg_type.dat of PostgreSQL."""

SERIALIZATION: Final = frozenset({"40001", "40P01"})
FULL: Final = frozenset({"53100"})
GONE: Final = ("08", "57P", "40003")
"""Beginnings of the codes after which nobody knows: the connection or the server is going, or the server does not know
itself. PgBouncer says 08P01 when its server died."""
ENDED: Final = frozenset({b"FATAL", b"PANIC"})
"""The session, or the whole server, ends with the error. Where it came while COMMIT wrote its log (a full disk: PANIC
and 53100), recovery may find the commit, and apply it."""


FORGOTTEN: Final = frozenset({"26000", "42P05", "0A000"})
"""A prepared statement is not there, is there already, or answers in another form than it did: not applied."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and how its parameters go over the wire; results come in binary.

    Attributes:
        name: under which it is prepared: the same for whoever has the same text.
    """

    name: bytes
    text: bytes
    types: tuple[int, ...]
    formats: tuple[int, ...]
    results: tuple[int, ...]


def statement(text: str, types: Sequence[int], results: Sequence[int] = ()) -> Statement:
    """A statement with parameters of these types, `-TYPE` for an array, and columns of these types."""
    oids = tuple(ARRAYS[-each] if each < 0 else each for each in types)
    formats = tuple(0 if each in (TEXT, INT8) else 1 for each in types)
    name = b"otpcore_" + hashlib.sha256(f"{oids} {text}".encode()).hexdigest()[:24].encode()
    return Statement(name, text.encode(), oids, formats, tuple(results))


def array(kind: int, items: Sequence[Any]) -> bytes:
    """A one-dimensional array as PostgreSQL takes it: dimensions, nulls, type; size, lower bound; length and bytes."""
    parts = [struct.pack(">iiIii", 1, 1, kind, len(items), 1)]
    for item in items:
        if item is None:
            parts.append(b"\xff\xff\xff\xff")
            continue
        value = item.encode() if type(item) is str else struct.pack(">q", item) if type(item) is int else item
        parts += (struct.pack(">i", len(value)), value)
    return b"".join(parts)


def _text(value: str) -> bytes:
    """A text, which libpq would take to end at its first NUL: a key would then be another one.

    Raises:
        StoreUnavailable: there is one.
    """
    if "\0" in value:
        raise StoreUnavailable("PostgreSQL has no texts with NUL.")
    return value.encode()


def is_stale(connection: Any) -> bool:
    """Whether an idle connection is closed, as far as this machine has heard; what else it has heard is taken in."""
    pgconn = connection.pgconn
    try:
        poll = select.poll()
        poll.register(pgconn.socket, select.POLLIN)
        if poll.poll(0):
            pgconn.consume_input()
            pgconn.consume_input()  # the end comes after what the server had to say
    except (psycopg.Error, OSError):
        return True
    return bool(pgconn.status != pq.ConnStatus.OK)


def exchange(connection: Any, asked: Statement, params: Sequence[Any], timeout_s: float, *, prepare: bool) -> Answer:
    """Send one statement and read its answer.

    Raises:
        Clash, StoreFull, StoreUnavailable, CommitUnknown: see `Dialect.perform`.
    """
    pgconn = connection.pgconn
    turn = _Turn(connection, asked, params, prepare=prepare)
    until = time.monotonic() + timeout_s
    try:
        while True:
            turn.send()
            poll = select.poll()
            poll.register(pgconn.socket, select.POLLIN)
            while pgconn.flush():
                poll.modify(pgconn.socket, select.POLLIN | select.POLLOUT)
                _ready(poll, until)
                pgconn.consume_input()
                poll.modify(pgconn.socket, select.POLLIN)
            while not turn.is_complete():
                _ready(poll, until)
                pgconn.consume_input()
            if not turn.was_forgotten():
                return _answer(pgconn, asked, turn.results)
    except (psycopg.Error, OSError) as error:
        raise unanswered(error) from error


def _ready(poll: select.poll, until: float) -> None:
    left = until - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise TimeoutError


async def awaited_exchange(
    connection: Any, asked: Statement, params: Sequence[Any], timeout_s: float, *, prepare: bool
) -> Answer:
    """`exchange`, awaited."""
    pgconn = connection.pgconn
    turn = _Turn(connection, asked, params, prepare=prepare)
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_s
    try:
        while True:
            await _carried(pgconn, turn, loop, until)
            if not turn.was_forgotten():
                return _answer(pgconn, asked, turn.results)
    except (psycopg.Error, OSError) as error:
        raise unanswered(error) from error


async def _carried(pgconn: Any, turn: _Turn, loop: asyncio.AbstractEventLoop, until: float) -> None:
    """Send, and take what comes, until all of it has come."""
    fd = -1
    ready: asyncio.Future[None] = loop.create_future()
    timer = loop.call_at(until, _settle, ready, TimeoutError())
    try:
        turn.send()
        fd = pgconn.socket
        loop.add_reader(fd, _heard, pgconn, ready, turn)
        if pgconn.flush():
            loop.add_writer(fd, _write, pgconn, ready, loop)
        await ready
    finally:
        timer.cancel()
        if fd >= 0:
            loop.remove_reader(fd)
            loop.remove_writer(fd)


def _settle(ready: asyncio.Future[None], error: Exception | None) -> None:
    if ready.done():
        return
    if error is None:
        ready.set_result(None)
    else:
        ready.set_exception(error)


def _heard(pgconn: Any, ready: asyncio.Future[None], turn: _Turn) -> None:
    try:
        pgconn.consume_input()
        if turn.is_complete():
            _settle(ready, None)
    except psycopg.Error as error:
        _settle(ready, error)


def _write(pgconn: Any, ready: asyncio.Future[None], loop: asyncio.AbstractEventLoop) -> None:
    try:
        if not pgconn.flush():
            loop.remove_writer(pgconn.socket)
    except psycopg.Error as error:
        _settle(ready, error)


_PREPARED: weakref.WeakKeyDictionary[Any, set[bytes] | None] = weakref.WeakKeyDictionary()
"""By connection: the names of what it has prepared, or None where that does not hold."""


class _Turn:
    """One statement on its way: as it is, prepared and asked, or asked by its name.

    Attributes:
        results: of the statement, in the order in which they came; an error of its preparation is among them.
    """

    def __init__(self, connection: Any, asked: Statement, params: Sequence[Any], *, prepare: bool) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._asked = asked
        self._given = [
            _text(value) if type(value) is str else b"%d" % value if type(value) is int else value for value in params
        ]
        self._names: set[bytes] | None = _PREPARED.setdefault(connection, set()) if prepare else None
        self._prepares = False
        self.results: list[Any] = []

    def send(self) -> None:
        """Hand it to libpq; a preparation goes ahead of the statement, and one Sync ends both."""
        pgconn, asked = self._pgconn, self._asked
        self._prepares = self._names is not None and asked.name not in self._names
        self.results = []
        if self._names is None:
            pgconn.send_query_params(asked.text, self._given, asked.types, asked.formats, 1)
            return
        if self._prepares:
            pgconn.enter_pipeline_mode()
            pgconn.send_prepare(asked.name, asked.text, asked.types)
        pgconn.send_query_prepared(asked.name, self._given, asked.formats, 1)
        if self._prepares:
            pgconn.pipeline_sync()

    def is_complete(self) -> bool:
        """Take the results that have come; whether that was the last."""
        pgconn = self._pgconn
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                if not self._prepares or pgconn.status != pq.ConnStatus.OK:
                    return True
            elif result.status == pq.ExecStatus.PIPELINE_SYNC:
                pgconn.exit_pipeline_mode()
                self._note()
                return True
            else:
                self.results.append(result)
        return False

    def _note(self) -> None:
        """It is prepared, whatever the statement said."""
        if self._names is not None and self.results[0].status == pq.ExecStatus.COMMAND_OK:
            self._names.add(self._asked.name)
            del self.results[0]

    def was_forgotten(self) -> bool:
        """Whether it has to be asked as it is, for what was prepared does not hold on this connection."""
        if self._names is None or not any(_code(result) in FORGOTTEN for result in self.results):
            return False
        self._names = _PREPARED[self._connection] = None
        return True


def _answer(pgconn: Any, asked: Statement, results: list[Any]) -> Answer:
    """What the results say together.

    A statement that went well is followed by an error where its transaction, which ends after it, is refused.
    """
    for result in results:
        if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
            raise _refusal(pgconn, result)
    if not results or pgconn.status != pq.ConnStatus.OK:
        raise psycopg.OperationalError("no answer")
    found = results[0]
    rows = [
        [_value(kind, found.get_value(row, column)) for column, kind in enumerate(asked.results)]
        for row in range(found.ntuples)
    ]
    return rows, found.command_tuples or 0


def _value(kind: int, value: Any) -> Any:
    if value is None or kind == BYTEA:
        return value
    return value.decode() if kind == TEXT else struct.unpack(">q", value)[0]


def _refusal(pgconn: Any, found: Any) -> StoreError:
    """What the server's error says of the statement."""
    code = _code(found)
    said = (found.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode("utf-8", "replace")
    ended = found.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED) in ENDED
    if ended or pgconn.status != pq.ConnStatus.OK or not code or code.startswith(GONE):
        return _caused(CommitUnknown(f"PostgreSQL gave no answer ({code or 'connection lost'})."), said)
    if code in SERIALIZATION:
        return _caused(Clash(f"PostgreSQL served others first ({code})."), said)
    if code in FULL:
        return _caused(StoreFull(f"PostgreSQL has no room left ({code})."), said)
    return _caused(StoreUnavailable(f"PostgreSQL refused a statement ({code})."), said)


def _code(found: Any) -> str:
    """The SQLSTATE of a result; empty where it is no error of the server's."""
    return (found.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode("ascii", "replace")


def _caused(error: StoreError, said: str) -> StoreError:
    error.__cause__ = psycopg.DatabaseError(said)
    return error


def unanswered(error: Exception) -> CommitUnknown:
    """The connection broke, or the time was over: what was sent may be applied."""
    return CommitUnknown(f"PostgreSQL gave no answer ({type(error).__name__}).")


def unreachable(error: Exception) -> StoreUnavailable:
    """No connection: nothing was sent."""
    return StoreUnavailable(f"PostgreSQL cannot be reached ({type(error).__name__}).")
