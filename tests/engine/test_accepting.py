"""D3: a store is refused that several processes would each have for themselves, or whose records survive too little."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from otpcore.contract import Durability, StoreCapabilities
from otpcore.engine.accepting import check_store
from otpcore.engine.opening import open_async_engine, open_engine
from otpcore.errors import ConfigurationError
from otpcore.settings import Settings, load_settings

PEPPER = "QfTZ0pX9v3yK1mWc7dRb5nLs8hGj2aEu4tIo6wVxYzA"
LEVELS = list(Durability)


def refusal(settings: Settings, can: StoreCapabilities) -> str:
    """What is refused; nothing where it is not."""
    try:
        check_store(settings, can)
    except ConfigurationError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("workers", "multi_process"), list(itertools.product([1, 2, 16], [True, False])))
def test_a_store_of_one_process_serves_one_worker(workers: int, *, multi_process: bool) -> None:
    told = refusal(load_settings(workers=workers), StoreCapabilities(Durability.DISK, multi_process=multi_process))
    assert bool(told) is (workers > 1 and not multi_process)
    if told:
        assert f"'tinydb' serves one process, and OTPCORE_WORKERS (or WEB_CONCURRENCY) says {workers}" in told
        assert "Choose a store that processes share" in told


@pytest.mark.parametrize("production", [True, False])
@pytest.mark.parametrize(("accepted", "has"), list(itertools.product([None, *LEVELS], LEVELS)))
def test_a_store_survives_at_least_what_is_asked_for(
    accepted: Durability | None, has: Durability, *, production: bool
) -> None:
    """Unset, it is nothing outside production, and the death of the process in it."""
    least = accepted or (Durability.PROCESS if production else Durability.VOLATILE)
    settings = load_settings(production=production, durability=accepted)
    told = refusal(settings, StoreCapabilities(has, multi_process=True))
    assert bool(told) is (LEVELS.index(has) < LEVELS.index(least))
    if told:
        assert f"are {has!s}, and OTPCORE_{'DURABILITY' if accepted else 'PRODUCTION'} asks for {least!s}" in told
        assert f"or accept it: OTPCORE_DURABILITY={has!s}" in told


@pytest.mark.parametrize("opening", [open_engine, open_async_engine])
def test_two_workers_over_the_memory_store_do_not_start(
    opening: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the conventional variable too; over the embedded store they do."""
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    monkeypatch.setenv("OTPCORE_TINYDB_PATH", str(tmp_path / "records.otpdb"))
    with pytest.raises(ConfigurationError, match="'memory' serves one process"):
        opening(store="memory", provider="fake")
    opening(store="tinydb", provider="fake")


@pytest.mark.parametrize("opening", [open_engine, open_async_engine])
def test_production_wants_records_that_outlive_the_process_unless_the_operator_accepts_less(
    opening: Any, tmp_path: Path
) -> None:
    twilio = {"account_sid": "AC" + "0" * 32, "service_sid": "VA" + "0" * 32, "auth_token": "x"}
    given: dict[str, Any] = {
        "production": True,
        "provider": "twilio",
        "provider_settings": twilio,
        "plugins": ["twilio"],
    }
    with pytest.raises(ConfigurationError, match="OTPCORE_PRODUCTION asks for process at least"):
        opening(store="memory", **given)
    opening(store="memory", durability="volatile", **given)
    opening(store_settings={"path": tmp_path / "records.otpdb"}, durability="disk", **given)
    with pytest.raises(ConfigurationError, match="OTPCORE_DURABILITY asks for replicated at least"):
        opening(store_settings={"path": tmp_path / "records.otpdb"}, durability="replicated", **given)
