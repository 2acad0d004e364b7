"""Driving a flow, blocking: what each effect does to clock, store, provider, plugins and audit log.

Rules of this file: one `match` over `Effect`, which is closed, the commonest first; no decision of any kind, but that
no operation goes untold. What a plugin raises, or answers that it may not, goes through `otpcore.engine.answers`.
"""

from __future__ import annotations

import time
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
from otpcore.engine.bounding import Bounds, Lane, NotStarted
from otpcore.engine.breaking import Breakers, Change, Probe
from otpcore.errors import OtpcoreError
from otpcore.flows import Flow, Setup, claim_scopes, failed
from otpcore.ports import Cancels, Checks, Clock, ReconcilesCheck, Store, TakesFeedback
from otpcore.recipients import Recipient
from otpcore.results import ByRecipient
from otpcore.routing import providers_of, ranked

if TYPE_CHECKING:
    from otpcore.plugins import Plugins  # pluggy is paid for by who uses plugins

__all__ = ["Driver"]

T = TypeVar("T")


class Driver:
    """Performs effects.

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
        store: Store,
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
        self._bounds = Bounds(providers, limit)
        self.breakers = Breakers()

    def run(
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
                self.drive(claim_scopes(self._setup))
                self._opened = True
            return self.drive(flow)
        except BaseException as error:  # whatever it is, and an interrupted one too: no operation goes untold
            with suppress(Exception):
                self.drive(failed(self._setup, operation, error, about, purpose, region))
            raise

    def drive(self, flow: Flow[T]) -> T:
        """Perform the effects of a flow, one after the other, and return its result."""
        probes: list[Probe] = []
        try:
            effect = next(flow)
            while True:
                try:
                    answer = self._perform(effect, probes)
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

    def _perform(self, effect: Effect, probes: list[Probe]) -> Any:
        match effect:
            case ReadClock():
                return answers.to_milliseconds(self._clock())
            case Commit(key=key, data=data, expect=expect, gc_at=gc_at):
                try:
                    return answers.commit_answer(self._store.commit(key, data, expect=expect, gc_at=gc_at))
                except Exception as error:  # noqa: BLE001  # whatever a store raises is told as a StoreError
                    raise answers.commit_failed(error) from answers.cause_of(error)
            case Tell(events=events):
                return audit.tell(events, self._plugins.observe if self._plugins is not None else None)
            case Load(key=key):
                try:
                    return self._store.load(key)
                except Exception as error:  # noqa: BLE001  # whatever a store raises is told as a StoreError
                    raise answers.load_failed(error) from answers.cause_of(error)
            case SendCode(provider=name, request=request):
                return self._send(name, request)
            case AskGuards(intent=intent):
                return self._plugins.guard_send(intent) if self._plugins is not None else None
            case ChooseRoute(intent=intent, candidates=legs):
                if self._plugins is not None:
                    legs = ranked(legs, self._plugins.route(intent, providers_of(legs)))
                return self.breakers.order(legs, intent.region, probes)
            case CheckCode() | ReconcileCheck() | CancelCode() | ReportOutcome():
                return self._ask(effect)
            case ReadReceipt(provider=name, request=received):
                return answers.read_receipt(self._providers[name], received)
            case Pause(seconds=seconds):
                return time.sleep(seconds)
            case _:
                assert_never(effect)

    def _send(self, name: str, request: SendRequest) -> Accepted | Failure:
        began = self.breakers.clock()
        try:
            with self._bounds.enter(name, Lane.SEND, request.timeout_s) as left_s:
                answer = answers.send_answer(self._providers[name].send(answers.within(request, left_s)), request)
        except NotStarted:
            return answers.send_not_started()  # no word of the provider's: its breaker learns nothing
        except Exception as error:  # noqa: BLE001  # whatever a provider raises is an unknown outcome
            answer = answers.send_failed(error)
        about = name, request.channel, request.region
        self._tell(self.breakers.heard(*about, answer, began=began, timeout_s=request.timeout_s))
        return answer

    def _ask(self, effect: CheckCode | ReconcileCheck | CancelCode | ReportOutcome) -> Any:
        name, began = effect.provider, self.breakers.clock()
        answer: Any
        lane = Lane.REPORT if isinstance(effect, ReportOutcome) else Lane.CHECK
        timeout_s = effect.request.timeout_s if isinstance(effect, CheckCode) else effect.timeout_s
        try:
            with self._bounds.enter(name, lane, timeout_s) as left_s:
                answer = self._asked(effect, self._providers[name], left_s)
        except NotStarted:
            if isinstance(effect, CheckCode):
                return answers.check_not_started()
            return None if isinstance(effect, ReconcileCheck) else False
        except Exception as error:  # noqa: BLE001  # whatever a provider raises is an unknown outcome
            answer = False if isinstance(effect, CancelCode | ReportOutcome) else answers.check_failed(error)
        if isinstance(effect, CheckCode):
            self._tell(self.breakers.checked(name, answer, began=began, timeout_s=timeout_s))
        return answer

    def _asked(
        self, effect: CheckCode | ReconcileCheck | CancelCode | ReportOutcome, provider: Any, left_s: float
    ) -> Any:
        match effect:
            case CheckCode(request=request):
                checks: Checks = provider
                return answers.check_answer(checks.check(answers.within(request, left_s)), request)
            case ReconcileCheck(handle=handle):
                reconciles: ReconcilesCheck = provider
                later = reconciles.reconcile_check(handle, left_s)
                return None if later is None else answers.check_answer(later, None)
            case CancelCode(handle=handle):
                cancels: Cancels = provider
                return cancels.cancel(handle, left_s) is True
            case ReportOutcome(handle=handle, outcome=outcome):
                takes: TakesFeedback = provider
                return takes.report_outcome(handle, outcome, left_s) is True
            case _:
                assert_never(effect)

    def _tell(self, changes: Sequence[Change]) -> None:
        if changes:
            observe = self._plugins.observe if self._plugins is not None else None
            audit.tell_breakers(changes, self._setup.tenant, self._clock, observe)
