"""Driving a flow, awaiting: the twin of `otpcore.engine.driving`, effect by effect.

Rules of this file: as for `otpcore.engine.driving`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

from otpcore.contract import Accepted, Failure, SendRequest
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
from otpcore.engine.aio_bounding import AsyncBounds
from otpcore.engine.bounding import Lane, NotStarted
from otpcore.engine.breaking import Breakers, Change, Probe
from otpcore.errors import OtpcoreError
from otpcore.flows import Flow, Setup, claim_scopes, failed
from otpcore.ports import AsyncCancels, AsyncChecks, AsyncReconcilesCheck, AsyncStore, AsyncTakesFeedback, Clock
from otpcore.recipients import Recipient
from otpcore.results import ByRecipient
from otpcore.routing import providers_of, ranked

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
        limit: sends at once of each provider, and checks.

    Attributes:
        breakers: what is known of the providers.
    """

    def __init__(
        self,
        setup: Setup,
        store: AsyncStore,
        providers: Mapping[str, Any],
        *,
        plugins: Plugins | None,
        clock: Clock,
        limit: int,
    ) -> None:
        self._setup = setup
        self._opened = False
        self._store = store
        self._providers = providers
        self._plugins = plugins
        self._clock = clock
        self._bounds = AsyncBounds(providers, limit)
        self.breakers = Breakers()

    async def run(
        self,
        operation: str,
        flow: Flow[T],
        about: str | Recipient | ByRecipient,
        purpose: str = "",
        region: str | None = None,
    ) -> T:
        """Drive an operation; what has to be done once is done before, and one that raises is told of.

        Args:
            operation: its name.
            flow: what it does.
            about: the token or the recipient that it was called with; "" where there is none.
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
        probes: list[Probe] = []
        try:
            effect = next(flow)
            while True:
                try:
                    answer = await self._perform(effect, probes)
                except OtpcoreError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(answer)
        except StopIteration as finished:
            result: T = finished.value
            return result
        finally:
            if probes:
                self.breakers.release(probes)
            flow.close()

    async def _perform(self, effect: Effect, probes: list[Probe]) -> Any:
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
            case ChooseRoute(intent=intent, candidates=legs):
                if self._plugins is not None:
                    legs = ranked(legs, self._plugins.route(intent, providers_of(legs)))
                return self.breakers.order(legs, intent.region, probes)
            case SendCode(provider=name, request=request):
                return await self._send(name, request)
            case CheckCode() | ReconcileCheck() | CancelCode() | ReportOutcome():
                return await self._ask(effect)
            case ReadReceipt(provider=name, request=received):
                return answers.read_receipt(self._providers[name], received)
            case Pause(seconds=seconds):
                return await asyncio.sleep(seconds)
            case _:
                assert_never(effect)

    async def _send(self, name: str, request: SendRequest) -> Accepted | Failure:
        began = self.breakers.clock()
        try:
            async with self._bounds.enter(name, Lane.SEND, request.timeout_s) as left_s:
                async with asyncio.timeout(left_s + GRACE_S):
                    answer = answers.send_answer(
                        await self._providers[name].send(answers.within(request, left_s)), request
                    )
        except NotStarted:
            return answers.send_not_started()  # no word of the provider's: its breaker learns nothing
        except Exception as error:  # noqa: BLE001  # whatever a provider raises is an unknown outcome
            answer = answers.send_failed(error)
        about = name, request.channel, request.region
        self._tell(self.breakers.heard(*about, answer, began=began, timeout_s=request.timeout_s))
        return answer

    async def _ask(self, effect: CheckCode | ReconcileCheck | CancelCode | ReportOutcome) -> Any:
        name, began = effect.provider, self.breakers.clock()
        answer: Any
        lane = Lane.REPORT if isinstance(effect, ReportOutcome) else Lane.CHECK
        timeout_s = effect.request.timeout_s if isinstance(effect, CheckCode) else effect.timeout_s
        try:
            async with self._bounds.enter(name, lane, timeout_s) as left_s:
                async with asyncio.timeout(left_s + GRACE_S):
                    answer = await self._asked(effect, self._providers[name], left_s)
        except NotStarted:
            if isinstance(effect, CheckCode):
                return answers.check_not_started()
            return None if isinstance(effect, ReconcileCheck) else False
        except Exception as error:  # noqa: BLE001  # whatever a provider raises is an unknown outcome
            answer = False if isinstance(effect, CancelCode | ReportOutcome) else answers.check_failed(error)
        if isinstance(effect, CheckCode):
            self._tell(self.breakers.checked(name, answer, began=began, timeout_s=timeout_s))
        return answer

    async def _asked(
        self, effect: CheckCode | ReconcileCheck | CancelCode | ReportOutcome, provider: Any, left_s: float
    ) -> Any:
        match effect:
            case CheckCode(request=request):
                checks: AsyncChecks = provider
                return answers.check_answer(await checks.check(answers.within(request, left_s)), request)
            case ReconcileCheck(handle=handle):
                reconciles: AsyncReconcilesCheck = provider
                later = await reconciles.reconcile_check(handle, left_s)
                return None if later is None else answers.check_answer(later, None)
            case CancelCode(handle=handle):
                cancels: AsyncCancels = provider
                return await cancels.cancel(handle, left_s) is True
            case ReportOutcome(handle=handle, outcome=outcome):
                takes: AsyncTakesFeedback = provider
                return await takes.report_outcome(handle, outcome, left_s) is True
            case _:
                assert_never(effect)

    def _tell(self, changes: Sequence[Change]) -> None:
        if changes:
            observe = self._plugins.observe if self._plugins is not None else None
            audit.tell_breakers(changes, self._setup.tenant, self._clock, observe)
