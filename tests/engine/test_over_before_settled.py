"""A session that is over before its first send is written down: `start` says so, though a message went out."""

from __future__ import annotations

from typing import Any

import pytest

from otpcore.model import SessionStatus
from otpcore.providers.fake import Exchange
from otpcore.results import Ended, Sent
from otpcore.stores.memory import MemoryStore
from tests.engine.colours import COLOURS, NUMBER, driven


class Forgetful(MemoryStore):
    """Has lost its newest record when the second commit comes, as after a failover to a replica that lags."""

    def __init__(self, *, forgets: bool) -> None:
        super().__init__()
        self.forgets = forgets
        self.commits = 0

    def commit(self, key: str, data: bytes | None, *, expect: Any, gc_at: Any) -> Any:
        self.commits += 1
        if self.commits == 2 and self.forgets:
            super().commit(key, None, expect=expect, gc_at=gc_at)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("forgets", [True, False])
def test_where_the_store_lost_the_reservation_start_answers_ended(colour: str, forgets: bool) -> None:
    exchange, store = Exchange(), Forgetful(forgets=forgets)
    answer = driven(colour, exchange, store=store).call("start", NUMBER)
    assert len(exchange.outbox) == 1
    if forgets:
        assert isinstance(answer, Ended)
        assert answer.status is SessionStatus.CANCELED
    else:
        assert isinstance(answer, Sent)
