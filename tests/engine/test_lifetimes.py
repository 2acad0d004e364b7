"""V8, invariant 8: a code is right a millisecond before its end, and never at its end or after it; on every store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from otpcore import Approved, CodeOwner, Ended, Engine, Sent
from otpcore.ports import Store
from otpcore.providers.fake import FakeProvider
from otpcore.stores.memory import MemoryStore
from otpcore.stores.tinydb import TinyDBStore
from tests.properties.world import EPOCH, NUMBER, PEPPER

MILLISECOND = timedelta(milliseconds=1)
STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda _: MemoryStore(),
    "tinydb": lambda folder: TinyDBStore(folder / "lives.otpdb"),
}


def code_ends_in_time(store: Store, owner: CodeOwner) -> None:
    """Three sessions of ten minutes; the vendor never ends one, so that the core does."""
    for early, kind in ((-MILLISECOND, Approved), (timedelta(0), Ended), (MILLISECOND, Ended)):
        now = [EPOCH]
        provider = FakeProvider(owner=owner, clock=lambda: EPOCH)  # its clock stands: it never lets go
        engine = Engine(store, provider, pepper=PEPPER, tenant=str(early), clock=lambda at=now: at[0])
        sent = engine.start(NUMBER)
        assert isinstance(sent, Sent)
        ends = EPOCH + timedelta(seconds=600)
        assert sent.next.expires_at == ends
        now[0] = ends + early
        answer = engine.check(sent.session.token or "", provider.code_for(NUMBER))
        assert isinstance(answer, kind), answer


@pytest.mark.parametrize("owner", list(CodeOwner))
@pytest.mark.parametrize("name", STORES)
def test_a_code_is_right_until_a_millisecond_before_its_end(name: str, owner: CodeOwner, tmp_path: Path) -> None:
    """V8, invariant 8."""
    store = STORES[name](tmp_path)
    code_ends_in_time(store, owner)
    store.close()


def codes_end_in_time() -> None:
    for owner in CodeOwner:
        code_ends_in_time(MemoryStore(), owner)
