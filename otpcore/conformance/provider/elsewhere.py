"""A provider in another process: a handle that was stored must open the same verification there.

Rules of this file: what runs in the child, and how it is started; no check.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from operator import attrgetter
from typing import Any

__all__ = ["call_elsewhere", "found_again"]


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


def call_elsewhere(
    opener: Callable[[], Any], make: Callable[[str], tuple[object, ...]], method: str, handle: str, patience_s: float
) -> Any:
    """Call a method of a provider that a new process makes.

    Args:
        opener: makes the provider; pickled, and so are
        make: of the stored handle, the arguments, and
        method: the name.
        handle: stored as JSON on the way.
        patience_s: for the process to start and answer.

    Returns:
        What the method returned; of a check, the verdict.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=_find_the_same, initargs=(sys.path,)) as pool:
        return pool.submit(_perform, opener, make, method, json.dumps(handle)).result(patience_s)


def _find_the_same(path: list[str]) -> None:
    sys.path[:] = path


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
