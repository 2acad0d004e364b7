"""`state_child.py POINT NTH [options]`: the emulator's command, killed at a point of the n-th writing of its file.

`never` is no point: the process lives until it is killed from outside. Two points are mutants: `in place` writes the
file itself, `unkept` answers before anything is written.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any, Final, Self

import pytest

from otpcore_twilio.emulator import keeping
from otpcore_twilio.emulator.command import load

PLANT: Final = pytest.MonkeyPatch()


def die(*_: Any, **__: Any) -> Any:
    """End as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def write_half(path: Path | int, data: bytes) -> None:
    """The first half reaches the file, and then nobody is left to write the second."""
    with open(path, "wb") as file:  # noqa: PTH123  # a descriptor too
        file.write(data[: len(data) // 2])
        file.flush()
        die()


class Half:
    """A file of which one half is written."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, data: bytes) -> None:
        write_half(self._fd, data)


class DeadlyOs:
    """`os`, but for one function."""

    def __init__(self, name: str, instead: Callable[..., Any]) -> None:
        self._name = name
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        return self._instead if name == self._name else getattr(os, name)


def half_file(fd: int, mode: str) -> IO[bytes] | Half:
    """In place of `os.fdopen`."""
    assert mode == "wb"
    return Half(fd)


def arm(point: str, write: Callable[[Path, bytes], None], path: Path, data: bytes) -> None:
    """Write, and die on the way."""
    move = Path.replace

    def replaced(new: Path, target: Path) -> None:
        move(new, target)
        die()

    if point == "begin":
        die()
    elif point == "in place":
        write_half(path, data)
    elif point in {"opened", "half"}:
        PLANT.setattr(keeping, "os", DeadlyOs("fdopen", half_file if point == "half" else die))
    elif point == "written":
        PLANT.setattr(keeping, "os", DeadlyOs("fsync", die))
    elif point == "flushed":
        PLANT.setattr(Path, "replace", die)
    elif point == "replaced":
        PLANT.setattr(Path, "replace", replaced)
    write(path, data)
    die()


def main(point: str, nth: int) -> None:
    """Plant, and run the command with the rest of the arguments."""
    write, writings = keeping.replace, 0

    def counted(path: Path, data: bytes) -> None:
        nonlocal writings
        writings += 1
        if writings < nth:
            write(path, data)
        else:
            arm(point, write, path, data)

    def at_once(_: keeping.Keeper) -> Future[None]:
        done: Future[None] = Future()
        done.set_result(None)
        return done

    if point == "unkept":
        PLANT.setattr(keeping.Keeper, "save", at_once)
    elif point != "never":
        PLANT.setattr(keeping, "replace", counted)
    load()()


if __name__ == "__main__":
    _, where, count, *rest = sys.argv
    sys.argv[1:] = rest
    main(where, int(count))
