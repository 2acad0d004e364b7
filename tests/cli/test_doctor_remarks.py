"""`doctor`, on what a store tells of its server, and on what it says in the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otpcore.cli.exits import Exit
from otpcore.errors import StoreUnavailable
from otpcore.ports import StoreRemark
from otpcore.stores import tinydb
from otpcore.stores.tinydb import TinyDBStore
from tests.cli.running import NUMBER, PEPPER, Cli
from tests.redis_servers import Server

NOTED = "Nothing is wrong; what is marked ! works, and should be known."
WELL = "Everything is as it should be."
LATER = datetime.now(UTC) + timedelta(days=30)


@pytest.fixture
def remarks(monkeypatch: pytest.MonkeyPatch) -> list[StoreRemark | StoreUnavailable]:
    """What the embedded store is to tell; it tells nothing by itself."""
    told: list[StoreRemark | StoreUnavailable] = []

    class Telling(TinyDBStore):  # a class of its own: `isinstance` remembers what a protocol once found in one
        def examine(self) -> Sequence[Any]:
            for each in told:
                if isinstance(each, StoreUnavailable):
                    raise each
            return told

    monkeypatch.setattr(tinydb, "TinyDBStore", Telling)
    return told


def of_the_store(told: Any) -> list[tuple[str, str]]:
    """Its findings after the first, which every store has."""
    return [(each["level"], each["text"]) for each in told["findings"] if each["part"] == "store"][1:]


def test_what_a_store_tells_is_a_finding(otpcore: Cli, remarks: list[Any]) -> None:
    otpcore("start", NUMBER)
    remarks += [StoreRemark("The tide is high."), StoreRemark("The dike is broken.", is_fault=True)]
    ran = otpcore("doctor", "--json")
    assert of_the_store(ran.json) == [("note", "The tide is high."), ("bad", "The dike is broken.")]
    assert ran.code is Exit.NO
    assert "Not as it should be: store." in otpcore("doctor").out
    remarks[:] = [StoreUnavailable("Gone.")]
    ran = otpcore("doctor", "--json")
    assert (of_the_store(ran.json), ran.code) == ([("bad", "Gone.")], Exit.NO)


def test_what_is_noted_is_not_as_it_should_be_and_is_not_wrong(otpcore: Cli) -> None:
    otpcore("start", NUMBER)
    told = otpcore("doctor").out
    marks = [line[0] for line in told.splitlines() if line[:2] in {"! ", "✓ ", "✗ "}]
    assert ("!" in marks, NOTED in told, WELL in told) == (True, True, False)  # the console provider sends nothing
    assert "✗" not in marks


def test_resend_records_are_counted_apart(otpcore: Cli, tmp_path: Path) -> None:
    otpcore("start", NUMBER)
    store = TinyDBStore(tmp_path / "store" / "codes.otpdb")
    (key, record), *_ = store.scan("", 5)
    store.commit(key.replace("/r/", "/c/"), record.data, expect=None, gc_at=LATER)
    store.close()
    (facts,) = (each["facts"] for each in otpcore("doctor", "--json").json["findings"] if each["part"] == "records")
    assert (facts["records"], facts["resend records"], facts["damaged records"]) == (1, 1, 0)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    made = Server(tmp_path / "redis")
    for name, value in {"PLUGINS": "redis", "STORE": "redis", "REDIS_URL": made.url, "PEPPER": PEPPER}.items():
        monkeypatch.setenv(f"OTPCORE_{name}", value)
    yield made
    made.stop()


def test_a_redis_that_evicts_is_bad(otpcore: Cli, server: Server) -> None:
    assert otpcore("doctor", "--json").code is Exit.OK
    server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    ran = otpcore("doctor", "--json")
    assert ran.code is Exit.NO
    assert (
        "bad",
        "maxmemory-policy is allkeys-lru: an evicted record is a limit that is forgotten. Set noeviction.",
    ) in (of_the_store(ran.json))
