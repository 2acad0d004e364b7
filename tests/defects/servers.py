"""Requirements that need a server, as bodies that a planted defect turns red, and how it is planted.

Rules of this file: as of `bodies`. Each body starts the server that it needs; where there is none, it is skipped, and
the run says so.
"""

from __future__ import annotations

import hashlib
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from otpcore.engine import Engine
from otpcore.providers.fake import FakeProvider
from otpcore.results import Sent
from otpcore_redis import RedisSettings, script
from otpcore_redis.settings import build
from tests.defects.planting import Planter
from tests.redis_servers import Server
from tests.redis_stores import later
from tests.storms.arena import phone, token_of

__all__ = ["redis_keys_have_lifetimes", "without_lifetime_after_delete"]


def redis_keys_have_lifetimes() -> None:
    """D10: whatever is written in whatever order, no key in Redis lives for ever (TTL = -1)."""
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        store = build(RedisSettings(url=SecretStr(server.url)))
        version: Any = store.commit("a", b"1", expect=None, gc_at=later())
        version = store.commit("a", b"2", expect=version, gc_at=later() + timedelta(days=400))
        store.commit("a", b"3", expect=None, gc_at=later())  # refused
        version = store.commit("a", None, expect=version, gc_at=later())
        store.commit("a", b"4", expect=None, gc_at=later() - timedelta(days=400))
        exchange = FakeProvider()
        with Engine(store, exchange, pepper=bytes(range(32))) as engine:
            for number in range(4):
                sent = engine.start(phone(number))
                assert isinstance(sent, Sent)
                if number == 0:
                    engine.check(token_of(sent), "000000")
                if number == 1:
                    engine.cancel(token_of(sent))
                if number == 2:
                    engine.forget(phone(number))
            with server.client() as raw:
                lifetimes = {key: raw.ttl(key) for key in raw.keys("*")}
        assert len(lifetimes) >= 5, lifetimes
        assert min(lifetimes.values()) > 0, lifetimes


def without_lifetime_after_delete(planter: Planter) -> None:
    """The script forgets the lifetime where nothing stands: at first, and after a delete."""
    said, says = b"'PX', ARGV[3])", b"unpack(ARGV[1] == '' and {} or {'PX', ARGV[3]}))"
    assert said in script.CAS
    forgetful = script.CAS.replace(said, says)
    planter.put("otpcore_redis.script.CAS", forgetful)
    planter.put("otpcore_redis.script.CAS_SHA", hashlib.sha1(forgetful, usedforsecurity=False).hexdigest())
