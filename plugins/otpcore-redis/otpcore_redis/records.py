"""What the stores of both colours do, as trips: loads, commits, a walk, a sweep.

Rules of this file: as of `routes`; what a server's answer means for one record is decided here.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from redis import exceptions

from otpcore.errors import CommitUnknown, StoreError, StoreFormatError, StoreFull, StoreUnavailable
from otpcore.ports import CommitRequest, Conflict, Version, Versioned
from otpcore_redis import script
from otpcore_redis.routes import Answer, Command, Node, Route, Short, Steps, caused

__all__ = ["Records"]

PAGE: Final = 1000

TOO_FEW: Final = "Too few replicas of Redis have what was written (OTPCORE_REDIS_REPLICAS)."


class Records:
    """Records under keys that begin with a prefix, wherever the route leads."""

    def __init__(self, route: Route, prefix: str) -> None:
        self._route = route
        self._prefix = prefix

    def load(self, keys: Sequence[str]) -> Steps[list[Versioned | StoreError | None]]:
        """See `Batches.load_many`."""
        places = [self._prefix + key for key in keys]
        answers = yield from self._route.send(places, [(b"GET", place) for place in places], writes=False)
        return [_loaded(answer) for answer in answers]

    def commit(self, commits: Sequence[CommitRequest]) -> Steps[list[Version | Conflict | StoreError]]:
        """See `Batches.commit_many`. Servers that do not know the script are taught it, by those commits alone."""
        now = datetime.now(UTC)
        places = [self._prefix + each.key for each in commits]
        versions = [script.made() for _ in commits]
        given = [
            script.arguments(each.data, each.expect, version, each.gc_at, now)
            for each, version in zip(commits, versions, strict=True)
        ]
        known: list[Command] = [
            (b"EVALSHA", script.CAS_SHA, b"1", place, *each) for place, each in zip(places, given, strict=True)
        ]
        answers = yield from self._route.send(places, known, writes=True)
        untaught = [index for index, answer in enumerate(answers) if isinstance(answer, exceptions.NoScriptError)]
        if untaught:
            taught: list[Command] = [(b"EVAL", script.CAS, b"1", places[index], *given[index]) for index in untaught]
            again = yield from self._route.send([places[index] for index in untaught], taught, writes=True)
            for index, answer in zip(untaught, again, strict=True):
                answers[index] = answer
        return [_committed(answer, version) for answer, version in zip(answers, versions, strict=True)]

    def sweep(self, before: datetime, limit: int) -> Steps[int]:
        """See `Store.sweep`. Redis drops records by itself, a day after they may go; this looks at every key."""
        gone, due = 0, script.due(before)
        cursors = yield from self._beginning()
        while cursors and gone < limit:
            cursors, keys = yield from self._page(cursors)
            keys = keys[: limit - gone]
            asked: list[Command] = [(b"EVAL", script.COLLECT, b"1", key, due) for key in keys]
            if keys:
                gone += sum(_all((yield from self._route.send(keys, asked, writes=True))))
        return gone

    def scan(self, after: str, limit: int) -> Steps[list[tuple[str, Versioned]]]:
        """See `Scans.scan`. Redis keeps no order: each page looks at every key."""
        head = len(self._prefix)
        wanted: list[str] = []
        cursors = yield from self._beginning()
        while cursors:
            cursors, keys = yield from self._page(cursors)
            found = (key[head:].decode("ascii", "replace") for key in keys)  # others' too: those are not found again
            wanted = heapq.nsmallest(limit, {*wanted, *(key for key in found if key > after)})
        loaded = (yield from self.load(wanted)) if wanted else []
        records: list[tuple[str, Versioned]] = []
        for key, record in zip(wanted, loaded, strict=True):
            if isinstance(record, StoreError):
                raise record
            if record is not None:
                records.append((key, record))
        return records

    def _beginning(self) -> Steps[dict[Node, bytes]]:
        return dict.fromkeys((yield from self._route.places()), b"0")

    def _page(self, cursors: dict[Node, bytes]) -> Steps[tuple[dict[Node, bytes], list[bytes]]]:
        """The next keys of every server, and where each goes on that has more."""
        pattern, count = self._prefix + "*", b"%d" % PAGE
        pages = yield [
            (node, [(b"SCAN", cursor, b"MATCH", pattern, b"COUNT", count)]) for node, cursor in cursors.items()
        ]
        answers = _all([page[0] for page in pages])
        left = {node: answer[0] for node, answer in zip(cursors, answers, strict=True) if answer[0] != b"0"}
        return left, [key for answer in answers for key in answer[1]]


def _loaded(answer: Answer) -> Versioned | StoreError | None:
    match answer:
        case Short():
            return StoreUnavailable(TOO_FEW)
        case Exception():
            return _unread(answer)
        case _:
            try:
                return script.read(answer)
            except StoreFormatError as error:
                return error


def _committed(answer: Answer, version: Version) -> Version | Conflict | StoreError:
    match answer:
        case Short(answer=int()):
            return CommitUnknown(TOO_FEW)
        case Short():
            return StoreUnavailable(TOO_FEW)
        case Exception():
            return _refusal(answer)
        case _:
            try:
                return script.answered(answer, version)
            except StoreFormatError as error:
                return error


def _all(answers: Sequence[Answer]) -> list[Answer]:
    """The answers to what may be asked again, where all are needed.

    Raises:
        StoreError: the first that is one.
    """
    for answer in answers:
        if isinstance(answer, Exception | Short):
            raise StoreUnavailable(TOO_FEW) if isinstance(answer, Short) else _unread(answer)
    return list(answers)


def _unread(error: Exception) -> StoreError:
    """What became of a question: nothing was to be applied, so nothing is unknown."""
    if isinstance(error, CommitUnknown):
        return caused(StoreUnavailable(str(error)), error.__cause__)
    return _refusal(error)


def _refusal(error: Exception) -> StoreError:
    """What the refusal of a command means; certainly nothing was applied."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, exceptions.OutOfMemoryError) or "-OOM" in str(error):  # before Redis 7 a script says it so
        return StoreFull("Redis has no memory left: give it more (maxmemory). It must not make room by itself.")
    return StoreUnavailable(f"Redis refused a command ({_code(error)}).")


def _code(error: Exception) -> str:
    """The word that says why; redis-py takes it off the texts of some."""
    return str(getattr(error, "status_code", None) or str(error).partition(" ")[0])[:40]
