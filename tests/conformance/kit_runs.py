"""Runs the kit outside pytest, to see which requirements a store fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from otpcore.conformance.store import StoreContract
from otpcore.conformance.store.batches import BatchRaceChecks
from otpcore.conformance.store.races import RaceChecks
from otpcore.ports import AsyncStore, Store, StoreCapabilities
from otpcore.stores.memory import CAPABILITIES

RACES = [name for kind in (RaceChecks, BatchRaceChecks) for name in dir(kind) if name.startswith("test_")]
ONE_CALLER = [name for name in dir(StoreContract) if name.startswith("test_") and name not in RACES]
HOOKS = ("outage", "keys_without_expiry")


def contract_of(
    make: Callable[[], Store | AsyncStore],
    *,
    capabilities: StoreCapabilities | None = None,
    opener: Callable[[], Store | AsyncStore] | None = None,
) -> type[StoreContract]:
    """The contract class that the author of such a store would write.

    Args:
        make: its class, or makes it; a class may have `CLAIMS`, and the hooks of the contract as methods of its own.
        capabilities: what is claimed, unless the class says it.
        opener: see `StoreContract.opener`.
    """
    capabilities = capabilities or getattr(make, "CLAIMS", CAPABILITIES)

    def make_store(_self: StoreContract) -> Store | AsyncStore:
        return make()

    def get_opener(_self: StoreContract) -> Callable[[], Store | AsyncStore] | None:
        return opener

    members: dict[str, Any] = {"capabilities": capabilities, "scans": True, "make_store": make_store}
    if opener is not None:
        members["opener"] = get_opener
    members |= {hook: _hooked(hook) for hook in HOOKS if hasattr(getattr(make, "func", make), hook)}
    return type("TestIt", (StoreContract,), members)


def _hooked(hook: str) -> Callable[[StoreContract, Any], Any]:
    def call(_self: StoreContract, store: Any) -> Any:
        return getattr(store, hook)()

    return call


def failures(contract: type[StoreContract], names: list[str]) -> set[str]:
    """Which of the named requirements are there and fail."""
    failed: set[str] = set()
    for name in names:
        if getattr(contract, name) is None:
            continue
        try:
            getattr(contract(), name)()
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 # whatever way a check fails
            failed.add(name)
    return failed
