"""Invariants 9 and 10: no code, number, secret, source or key of a caller's is in the store, in its keys or in a log.

Rules of this file: what is searched is all that a store lists and all that any logger writes at DEBUG; the search
is shown to find each of these things where somebody writes it.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from otpcore import CodeOwner, Sent, Wrong
from tests.faults.test_canaries import Listener, found_in
from tests.properties.world import NUMBER, World

SOURCE = "203.0.113.77"
KEY = "6f1c2a34-9b7d-4e58-8a10-3c5d7e9fb214"


@contextmanager
def heard() -> Generator[Listener]:
    """Every logger, at DEBUG."""
    root, listener = logging.getLogger(), Listener()
    before = root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    try:
        yield listener
    finally:
        root.setLevel(before)
        root.removeHandler(listener)


def stored(world: World) -> str:
    """All that the store lists: keys and records."""
    return "\n".join(f"{key} {entry.data.decode()}" for key, entry in world.store.scan("", 1000))


def secrets_of(world: World, listener: Listener) -> tuple[dict[str, str], set[str], str]:
    """Go through a life: what must be readable nowhere, by its name; the codes; and all that was written."""
    written: list[str] = []
    sent = world.engine.start(NUMBER, source=SOURCE, idempotency_key=KEY)
    assert isinstance(sent, Sent)
    token = sent.session.token or ""
    codes = {world.vendor.code_for(NUMBER)}
    wrong = "314159" if "314159" not in codes else "271828"
    assert isinstance(world.engine.check(token, wrong, source=SOURCE), Wrong)
    written.append(stored(world))
    world.move(timedelta(minutes=2))
    world.engine.resend(token, NUMBER, source=SOURCE)
    codes |= {world.vendor.code_for(NUMBER), wrong}
    written.append(stored(world))
    world.engine.check(token, world.vendor.code_for(NUMBER))
    written.append(stored(world))
    names = {"the number": NUMBER[1:], "the secret half": token[-24:], "the source": SOURCE, "the key": KEY}
    return names, codes, "\n".join((*written, *listener.lines))


def nothing_is_readable(owner: CodeOwner) -> None:
    with heard() as listener:
        names, codes, written = secrets_of(World(owner=owner), listener)
    assert "otpcore.audit" in written
    assert '"mark_at"' in written
    assert not [name for name, text in names.items() if text in written]
    assert not found_in(written, codes)


def nothing_is_readable_of_either_owner() -> None:
    for owner in CodeOwner:
        nothing_is_readable(owner)


@pytest.mark.parametrize("owner", list(CodeOwner))
def test_nothing_of_a_person_is_readable_in_store_or_logs(owner: CodeOwner) -> None:
    """Invariants 9 and 10, L1, L2: 0 codes, 0 numbers, 0 secrets, 0 sources, 0 keys; in the store's keys too."""
    nothing_is_readable(owner)
