"""A provider in another process: a handle that was stored must open the same verification there.

Rules of this file: what runs in the child, and how it is started; no check.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from operator import attrgetter
from types import TracebackType
from typing import Any, Self

from otpcore.conformance.processes import as_there, context

__all__ = ["Elsewhere", "found_again"]


def found_again(file: str, qualname: str, method: str, origin: str) -> Any:
    """The provider of a contract class, in a process that knows the class's file."""
    spec = importlib.util.spec_from_file_location("otpcore_contract_elsewhere", file)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{qualname} cannot be found again; give the contract an opener().")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    contract: Any = attrgetter(qualname)(module)()
    return getattr(contract, method)(origin)


class Elsewhere:
    """Another process, which starts with the first call and serves those that follow; use as a context manager.

    It knows of the process of the tests what it is given with a call, and nothing else.
    """

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def call(
        self,
        opener: Callable[[], Any],
        make: Callable[[str], tuple[object, ...]],
        method: str,
        handle: str,
        patience_s: float,
    ) -> Any:
        """Call a method of a provider that the process makes for this call.

        Args:
            opener: makes the provider; pickled, and so are
            make: of the stored handle, the arguments, and
            method: the name.
            handle: stored as JSON on the way.
            patience_s: for the process to start and answer.

        Returns:
            What the method returned; of a check, the verdict.
        """
        if self._pool is None:
            given = (sys.path, dict(os.environ))
            self._pool = ProcessPoolExecutor(1, mp_context=context(), initializer=_find_the_same, initargs=given)
        return self._pool.submit(_perform, opener, make, method, json.dumps(handle)).result(patience_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()


def _find_the_same(path: list[str], environment: Mapping[str, str]) -> None:
    sys.path[:] = path
    as_there(environment)


def _perform(opener: Callable[[], Any], make: Callable[[str], tuple[object, ...]], method: str, stored: str) -> object:
    provider = opener()
    arguments = make(json.loads(stored))

    async def awaited(answer: Any) -> Any:
        try:
            return await answer
        finally:
            await provider.close()

    answer = getattr(provider, method)(*arguments)
    if asyncio.iscoroutine(answer):
        answer = asyncio.run(awaited(answer))
    else:
        provider.close()
    return getattr(answer, "verdict", answer)  # the SDK's own object does not travel
