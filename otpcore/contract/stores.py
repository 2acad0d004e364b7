"""The values that cross the line between the core and a store.

Rules of this file: see `otpcore.contract`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

__all__ = [
    "CommitRequest",
    "Conflict",
    "Durability",
    "StoreCapabilities",
    "StoreRemark",
    "Version",
    "Versioned",
]

Version = NewType("Version", str)
"""Opaque token of one written state of one key. Never recurs for a key, across deletion, restart or restore."""


@dataclass(frozen=True, slots=True)
class Versioned:
    """A record as it stands.

    Attributes:
        data: the bytes exactly as committed.
        version: give it back as `expect` to replace exactly this state.
    """

    data: bytes = field(repr=False)
    version: Version


@dataclass(frozen=True, slots=True)
class Conflict:
    """The answer to a lost commit.

    Attributes:
        current: the record that stands instead of the expected one; None when the key is absent.
    """

    current: Versioned | None


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """One commit among several; the attributes are the arguments of `Store.commit`."""

    key: str
    data: bytes | None = field(repr=False)
    expect: Version | None
    gc_at: datetime


@dataclass(frozen=True, slots=True)
class StoreRemark:
    """What a store says of its server's settings: a sentence for the operator, and whether it must be changed."""

    text: str
    is_fault: bool = False


class Durability(StrEnum):
    """What an acknowledged commit survives, each level including those before it."""

    VOLATILE = "volatile"  # nothing: gone with the process
    PROCESS = "process"  # the death of the process, not of the machine
    DISK = "disk"  # power loss of the machine
    REPLICATED = "replicated"  # the loss of the machine


@dataclass(frozen=True, slots=True)
class StoreCapabilities:
    """What a store promises.

    Attributes:
        durability: what an acknowledged commit survives.
        multi_process: several processes may use the same records at once.
        shared: several machines may use the same records (then a configured pepper is required).
        max_bytes: the largest record it takes; None for no limit of its own.
        batch: it implements `load_many` and `commit_many`.
        blocking_io: a call may wait for a disk, a lock or a network. A store without blocking I/O
            serves the async engine directly, without a worker thread.
    """

    durability: Durability
    multi_process: bool
    shared: bool = False
    max_bytes: int | None = None
    batch: bool = False
    blocking_io: bool = True
