"""Sessions of a database server that hold rows, and whether another one waits for them.

Rules of this file: a wait is seen in the server's own tables, never assumed after a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from tests.sql_places import Place

__all__ = ["another", "waiters", "waiting"]

WAITS: Final = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%{p}_records%'"


@contextmanager
def another(at: Place) -> Generator[sa.Connection]:
    """A session that is no store, in a transaction at READ COMMITTED, which `commit` ends."""
    engine = sa.create_engine(at.url.partition("?")[0], poolclass=NullPool, isolation_level="READ COMMITTED")
    with engine.connect() as connection:
        yield connection


def waiters(at: Place) -> int:
    """How many of the server's sessions wait for a row of the place.

    MariaDB's `information_schema.innodb_trx` is no witness: it is a copy, and stays as it is while anybody, of this
    test or another one, asks for it more often than every 0.1 s.
    """
    if at.kind == "postgresql":
        return int(at.run(WAITS.format(p=at.prefix))[0][0])
    ((_, _, status),) = at.run("SHOW ENGINE INNODB STATUS")
    now = status.partition("\nTRANSACTIONS\n")[2]  # before it is the last deadlock
    return len(re.findall(rf"of table `\w+`\.`{at.prefix}_records` trx id .* waiting$", now, re.MULTILINE))


def waiting(at: Place, call: Callable[[], Any], *, then: Callable[[], object]) -> Any:
    """Make the call; when it waits for a lock do `then`; what the call returned."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(call)
        while not answer.done() and not waiters(at):
            pass
        assert not answer.done(), f"it did not wait: {answer.result()}"
        then()
        return answer.result(60)
