"""What a check is, and which claims of a store bring it in.

Rules of this file: no check; it is what the check modules and the contract share.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar, cast

from otpcore.conformance.store.flow import AnyStore, Flow, Opener, run
from otpcore.ports import StoreCapabilities

__all__ = ["Checks", "Claim", "Requirement", "check", "requirements"]


class Claim(StrEnum):
    """A property that not every store has; a check that needs one is there only where it is claimed."""

    BLOCKING = "blocking"  # it blocks: threads share it
    DURABLE = "durable"  # records survive the process that wrote them
    MULTI_PROCESS = "multi-process"  # several processes share the records
    SCAN = "scan"  # it lets an operator walk its records
    MAX_BYTES = "max-bytes"  # it has a limit of its own on the size of a record
    BATCH = "batch"  # it takes several keys in one call
    OUTAGE = "outage"  # its author can make it unreachable for a while
    EXPIRES = "expires"  # it gives each record a lifetime of its own, as Redis does


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence that a store must fulfil.

    Attributes:
        name: of the test.
        sentence: the requirement.
        needs: the claims that together bring it in; none: it holds of every store.
    """

    name: str
    sentence: str
    needs: frozenset[Claim]


class Checks:
    """What a check sees of its contract; an author writes these in a subclass of `StoreContract`.

    Attributes:
        capabilities: what the store claims. The checks follow from it, and one proves that the store says the same.
        scans: whether the store has `scan`.
    """

    capabilities: StoreCapabilities
    scans: bool = False

    def make_store(self) -> Any:
        """Make an empty store, new for each test; `async def` for an awaited store.

        Returns:
            The store.
        """
        raise NotImplementedError("StoreContract needs make_store(): an empty store, new for each test.")

    def opener(self) -> Opener:
        """What opens the records of this test's `make_store` once more, while it is open or after it is closed.

        Needed by a store that claims durability or several processes. It is sent to another process, so it is a
        class, a function of an importable module, or a `functools.partial` of those.
        """
        raise NotImplementedError("A store that is durable or multi_process needs opener(): see its docstring.")

    def outage(self, store: Any) -> AbstractContextManager[None]:
        """Make what is behind this test's store unreachable while the context lasts; no record is lost by it.

        Optional, for a store whose server or file can be away: stop a server of the test's own, close the port of a
        proxy, move the folder. At the end of the context a new connection must succeed. Not `async`, in either colour.

        Args:
            store: open, of `make_store`; it goes on being used afterwards.
        """
        raise NotImplementedError(f"{type(store).__name__} has no outage.")

    def keys_without_expiry(self, store: Any) -> Iterable[str]:
        """The stored keys, as the server knows them, that it would keep for ever.

        Optional, for a store that gives its records a lifetime at the server, so that none stays when nobody sweeps.
        Not `async`, in either colour: ask the server by a client of the test's own.

        Args:
            store: open, of `make_store`.
        """
        raise NotImplementedError(f"{type(store).__name__} has no lifetimes.")

    @property
    def is_awaited(self) -> bool:
        """Whether the store is an `AsyncStore`: `make_store` is then `async def`."""
        return inspect.iscoroutinefunction(self.make_store)


C = TypeVar("C", bound=Checks)
NEEDS = "otpcore_needs"


def check(*needs: Claim) -> Callable[[Callable[[C, AnyStore], Flow[None]]], Callable[[C], None]]:
    """Make a flow over a new store into a test; its docstring is the requirement."""

    def decorate(flow: Callable[[C, AnyStore], Flow[None]]) -> Callable[[C], None]:
        def test(self: C) -> None:
            run(self.make_store, partial(flow, self), awaited=self.is_awaited)

        # Not functools.wraps: through `__wrapped__` pytest would take the flow's `store` for a fixture.
        test.__name__, test.__qualname__, test.__module__ = flow.__name__, flow.__qualname__, flow.__module__
        test.__doc__ = flow.__doc__
        setattr(test, NEEDS, frozenset(needs))
        return test

    return decorate


def requirements(contract: type[Checks]) -> Iterator[Requirement]:
    """Every requirement that a contract class knows, claimed or not, in the order of their names."""
    found: dict[str, Requirement] = {}
    for owner in contract.__mro__:
        for name, test in vars(owner).items():
            if hasattr(test, NEEDS) and name not in found:
                needs = cast("frozenset[Claim]", getattr(test, NEEDS))
                found[name] = Requirement(name, inspect.getdoc(test) or name, needs)
    return iter(sorted(found.values(), key=lambda requirement: requirement.name))
