"""What the flows and the stores need to know of a database.

Rules of this file: the protocol, and the values that it speaks in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import sqlalchemy as sa

from otpcore.errors import StoreUnavailable
from otpcore.ports import StoreCapabilities, StoreRemark
from otpcore_sql.rows import Change

__all__ = ["Answer", "Ask", "Clash", "Dialect"]

Ask: TypeAlias = tuple[Any, Sequence[Any]]
"""A statement of the dialect, and its parameters."""

Answer: TypeAlias = tuple[Sequence[Sequence[Any]], int]
"""Rows, and the number of rows that were touched."""


class Clash(StoreUnavailable):
    """The server refused because others were at the same rows; certainly not applied."""


class Dialect(Protocol):
    """A kind of database, as the settings reach it.

    Attributes:
        name: `sqlite`, `postgresql` or `mysql`.
        prefix: of tables and views.
        timeout_s: for a connection, for an answer, and for whoever makes the tables.
        engine: makes the tables, over connections of `connect`.
        capabilities: of a store over it.
        load: a statement with the key; the version and data.
        insert: key, version, gc_at, data; touches no row where the key is there.
        update: version, gc_at, data, key, expected version.
        delete: key, expected version.
        due: after this key, this many; the key and gc_at of each, in order.
        scan: likewise; the key, version and data.
        settings: nothing; names and values for `remarks`.
    """

    name: str
    prefix: str
    timeout_s: float
    engine: sa.Engine
    capabilities: StoreCapabilities
    load: Any
    insert: Any
    update: Any
    delete: Any
    due: Any
    scan: Any
    settings: Any

    def connect(self) -> Any:
        """A connection of the driver that commits each statement by itself.

        Raises:
            StoreError: there is none; not CommitUnknown.
        """
        ...

    def load_many(self, keys: Sequence[str]) -> Ask:
        """The key, version and data of those that are there, in any order."""
        ...

    def write_many(self, changes: Sequence[Change]) -> Ask:
        """Apply those that find what they expect, each with data; the keys of those that did."""
        ...

    def drop(self, keys: Sequence[str], before: int) -> Ask:
        """Delete, of these keys, the rows whose gc_at is before this instant."""
        ...

    def remarks(self, found: Mapping[str, str]) -> Sequence[StoreRemark]:
        """What the server's settings mean for the records."""
        ...

    def is_stale(self, connection: Any) -> bool:
        """Whether this connection of the driver, on which no statement runs, is known to be of no use."""
        ...

    def perform(self, connection: Any, statement: Any, params: Sequence[Any]) -> Answer:
        """Run one statement on the driver's connection.

        Raises:
            Clash: refused for the sake of others.
            StoreFull: no room.
            StoreUnavailable: refused; certainly nothing is applied.
            CommitUnknown: no answer; the connection is of no use any more.
        """
        ...

    def after_fork(self) -> None:
        """In a child: let go of what is the parent's, but for the connections."""
        ...
