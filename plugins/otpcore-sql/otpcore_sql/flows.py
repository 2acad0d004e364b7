"""What is asked of a database, in which order; for every dialect and either colour.

A flow yields a statement and its parameters, and is sent the rows and how many rows it touched. What fails is thrown
in: `Clash` where the server refused because others were at the same rows, another StoreUnavailable where it refused or
was not asked, CommitUnknown where no answer came. After that nothing more is asked of the connection.

Rules of this file: generators alone; no I/O, no driver, no text of SQL.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from otpcore.errors import CommitUnknown, StoreError, StoreUnavailable
from otpcore.ports import Conflict, StoreRemark, Version, Versioned
from otpcore_sql.dialect import Answer, Ask, Clash, Dialect
from otpcore_sql.rows import Change, outcome, read, text

__all__ = ["Flow", "commit", "commit_many", "examine", "load", "load_many", "pause_s", "scan", "sweep"]

T = TypeVar("T")

Flow: TypeAlias = Generator[Ask, Answer, T]

TRIES: Final = 50
"""Each but the first follows on somebody else's success, and from the third on on a pause."""

LONGEST_PAUSE_S: Final = 0.05

SERVED_LAST: Final = "The database served others first, again and again; nothing was applied."

PAGE: Final = 1000
"""Keys that a sweep looks at in one go."""


def pause_s(clashes: int) -> float:
    """What whoever drives a flow waits after so many clashes: nothing at first, then longer and longer, drawn by lot.

    At the isolation `serializable` PostgreSQL refuses what only might be in the way of others. Who comes back at once
    may be refused for as long as they come.
    """
    return random.uniform(0, min(0.001 * 2**clashes, LONGEST_PAUSE_S)) if clashes > 1 else 0.0  # noqa: S311 # no secret


def load(dialect: Dialect, key: str) -> Flow[Versioned | None]:
    """The record that stands."""
    rows, _ = yield from _asked(dialect.load, (key,))
    return read(*rows[0]) if rows else None


def commit(dialect: Dialect, change: Change) -> Flow[Version | Conflict]:
    """One statement where it wins; where it loses, a read that begins after that."""
    data, expect = change.data, change.expect
    for _ in range(TRIES):
        won = 0
        try:
            if data is None:
                if expect is not None:
                    _, won = yield dialect.delete, (change.key, expect)
            elif expect is None:
                _, won = yield dialect.insert, (change.key, change.version, change.gc_at, data)
            else:
                _, won = yield dialect.update, (change.version, change.gc_at, data, change.key, expect)
        except Clash:
            continue
        if won:
            return change.version
        stands = yield from load(dialect, change.key)
        answer = outcome(change, stands)
        if answer is not None:
            return answer
    raise StoreUnavailable(SERVED_LAST)


def load_many(dialect: Dialect, keys: Sequence[str]) -> Flow[list[Versioned | StoreError | None]]:
    """All on one trip."""
    if not keys:
        return []
    rows, _ = yield from _asked(*dialect.load_many(keys))
    found: dict[str, Versioned | StoreError] = {}
    for key, version, data in rows:
        try:
            found[text(key)] = read(version, data)
        except StoreError as error:
            found[text(key)] = error
    return [found.get(key) for key in keys]


def commit_many(dialect: Dialect, changes: Sequence[Change]) -> Flow[list[Version | Conflict | StoreError]]:
    """All that write on one trip; what stands instead of those that lost, on another.

    Deletions, of which there are few, and where the server refused all because of one, each goes by itself.
    """
    writing = [one for one in changes if one.data is not None]
    try:
        written: set[str] = set()
        if writing:
            rows, _ = yield dialect.write_many(writing)
            written = {text(key) for (key,) in rows}
    except Clash:
        return (yield from _commit_each(dialect, changes))
    answers: dict[str, Version | Conflict | StoreError] = {
        one.key: one.version for one in writing if one.key in written
    }
    lost = [one for one in writing if one.key not in written]
    if lost:
        try:
            found = yield from load_many(dialect, [one.key for one in lost])
        except StoreError as error:
            found = [error] * len(lost)
        for one, stands in zip(lost, found, strict=True):
            answer = stands if isinstance(stands, StoreError) else outcome(one, stands)
            if answer is not None:
                answers[one.key] = answer
    left = [one for one in changes if one.key not in answers]
    alone = yield from _commit_each(dialect, left)
    answers |= {one.key: answer for one, answer in zip(left, alone, strict=True)}
    return [answers[one.key] for one in changes]


def _commit_each(dialect: Dialect, changes: Sequence[Change]) -> Flow[list[Version | Conflict | StoreError]]:
    """One after the other; the error of one is its answer."""
    answers: list[Version | Conflict | StoreError] = []
    for change in changes:
        try:
            answers.append((yield from commit(dialect, change)))
        except StoreError as error:
            answers.append(error)
    return answers


def sweep(dialect: Dialect, before: int, limit: int) -> Flow[int]:
    """Walk the keys in pages; what is due of a page goes in one short statement of its own.

    Args:
        dialect: the database.
        before: what has its gc_at before this instant, in microseconds, goes.
        limit: of records.
    """
    gone, after = 0, ""
    while gone < limit:
        rows, _ = yield from _asked(dialect.due, (after, PAGE))
        if not rows:
            break
        after = text(rows[-1][0])
        due = [text(key) for key, gc_at in rows if gc_at < before][: limit - gone]
        if due:
            _, dropped = yield from _asked(*dialect.drop(due, before))
            gone += dropped
    return gone


def scan(dialect: Dialect, after: str, limit: int) -> Flow[list[tuple[str, Versioned]]]:
    """One page."""
    rows, _ = yield from _asked(dialect.scan, (after, max(limit, 0)))
    return [(text(key), read(version, data)) for key, version, data in rows]


def examine(dialect: Dialect) -> Flow[Sequence[StoreRemark]]:
    """What the server's settings mean."""
    rows, _ = yield from _asked(dialect.settings, ())
    return dialect.remarks({text(name): text(value) for name, value in rows})


def _asked(statement: Any, params: Sequence[Any]) -> Flow[Answer]:
    """Ask what may be asked again: an answer that is lost is no more than unavailable.

    PostgreSQL refuses a plain SELECT too, where the isolation is serializable.
    """
    for _ in range(TRIES):
        try:
            return (yield statement, params)
        except Clash:
            continue
        except CommitUnknown as lost:
            raise StoreUnavailable(str(lost)) from lost.__cause__
    raise StoreUnavailable(SERVED_LAST)
