"""Driving a flow, awaiting: the twin of `otpcore.engine.driving`, effect by effect.

Rules of this file: as for `otpcore.engine.driving`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

from otpcore.effects import (
    AskGuards,
    CancelCode,
    CheckCode,
    ChooseRoute,
    Commit,
    Effect,
    Load,
    Pause,
    ReadClock,
    ReadReceipt,
    ReconcileCheck,
    ReportOutcome,
    SendCode,
    Tell,
)
from otpcore.engine import answers, audit
from otpcore.errors import OtpcoreError
from otpcore.flows import Flow, Setup, claim_scopes, failed
from otpcore.phone import PhoneNumber
from otpcore.ports import AsyncCancels, AsyncChecks, AsyncReconcilesCheck, AsyncStore, AsyncTakesFeedback, Clock
from otpcore.results import ByRecipient

if TYPE_CHECKING:
    from otpcore.plugins import Plugins  # pluggy is paid for by who uses plugins

__all__ = ["AsyncDriver"]

T = TypeVar("T")

GRACE_S = 1.0
"""A provider has a deadline of its own; so long after it nobody waits for it any more."""


class AsyncDriver:
    """Performs effects awaited.

    Args:
        setup: of the engine.
        store: where records are kept.
        providers: by name.
        plugins: guards, routes and observers to ask and tell.
        clock: gives the time.
    """

    def __init__(
        self, setup: Setup, store: AsyncStore, providers: Mapping[str, Any], *, plugins: Plugins | None, clock: Clock
    ) -> None:
        self._setup = setup
        self._opened = False
        self._store = store
        self._providers = providers
        self._plugins = plugins
        self._clock = clock

    async def run(
        self,
        operation: str,
        flow: Flow[T],
        about: str | PhoneNumber | ByRecipient,
        purpose: str = "",
        region: str | None = None,
    ) -> T:
        """Drive an operation; what has to be done once is done before, and one that raises is told of.

        Args:
            operation: its name.
            flow: what it does.
            about: the token, the recipient or the number that it was called with; "" where there is none.
            purpose: as it was called with.
            region: as it was called with.
        """
        try:
            if not self._opened:
                await self.drive(claim_scopes(self._setup))
                self._opened = True
            return await self.drive(flow)
        except BaseException as error:  # whatever it is, and an interrupted one too: no operation goes untold
            with suppress(Exception):
                await self.drive(failed(self._setup, operation, error, about, purpose, region))
            raise

    async def drive(self, flow: Flow[T]) -> T:
        """Perform the effects of a flow, one after the other, and return its result."""
        try:
            effect = next(flow)
            while True:
                try:
                    answer = await self._perform(effect)
                except OtpcoreError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(answer)
        except StopIteration as finished:
            result: T = finished.value
            return result
        finally:
            flow.close()

    async def _perform(self, effect: Effect) -> Any:
        match effect:
            case ReadClock():
                return answers.to_milliseconds(self._clock())
            case Load(key=key):
                try:
                    return await self._store.load(key)
                except Exception as error:  # noqa: BLE001  # whatever a store raises is told as a StoreError
                    raise answers.load_failed(error) from answers.cause_of(error)
            case Commit(key=key, data=data, expect=expect, gc_at=gc_at):
                try:
                    return answers.commit_answer(await self._store.commit(key, data, expect=expect, gc_at=gc_at))
                except Exception as error:  # noqa: BLE001  # whatever a store raises is told as a StoreError
                    raise answers.commit_failed(error) from answers.cause_of(error)
            case Tell(events=events):
                return audit.tell(events, self._plugins.observe if self._plugins is not None else None)
            case AskGuards(intent=intent):
                return self._plugins.guard_send(intent) if self._plugins is not None else None
            case ChooseRoute(intent=intent, candidates=candidates):
                return self._plugins.route(intent, candidates) if self._plugins is not None else candidates
            case SendCode(provider=name, request=request):
                try:
                    async with asyncio.timeout(request.timeout_s + GRACE_S):
                        return answers.send_answer(await self._providers[name].send(request))
                except Exception as error:  # noqa: BLE001  # whatever a provider raises is an unknown outcome
                    return answers.send_failed(error)
            case CheckCode() | ReconcileCheck() | CancelCode() | ReportOutcome():
                return await self._ask(effect)
            case ReadReceipt(provider=name, request=received):
                return answers.read_receipt(self._providers[name], received)
            case Pause(seconds=seconds):
                return await asyncio.sleep(seconds)
            case _:
                assert_never(effect)

    async def _ask(self, effect: CheckCode | ReconcileCheck | CancelCode | ReportOutcome) -> Any:
        provider = self._providers[effect.provider]
        try:
            match effect:
                case CheckCode(request=request):
                    checks: AsyncChecks = provider
                    async with asyncio.timeout(request.timeout_s + GRACE_S):
                        return answers.check_answer(await checks.check(request))
                case ReconcileCheck(handle=handle, timeout_s=timeout_s):
                    reconciles: AsyncReconcilesCheck = provider
                    async with asyncio.timeout(timeout_s + GRACE_S):
                        later = await reconciles.reconcile_check(handle, timeout_s)
                    return None if later is None else answers.check_answer(later)
                case CancelCode(handle=handle, timeout_s=timeout_s):
                    cancels: AsyncCancels = provider
                    async with asyncio.timeout(timeout_s + GRACE_S):
                        return await cancels.cancel(handle, timeout_s) is True
                case ReportOutcome(handle=handle, outcome=outcome, timeout_s=timeout_s):
                    takes: AsyncTakesFeedback = provider
                    async with asyncio.timeout(timeout_s + GRACE_S):
                        return await takes.report_outcome(handle, outcome, timeout_s) is True
                case _:
                    assert_never(effect)
        except Exception as error:  # noqa: BLE001  # whatever a provider raises is an unknown outcome
            return False if isinstance(effect, CancelCode | ReportOutcome) else answers.check_failed(error)
