"""Driving a flow, blocking: what each effect does to clock, store, provider, plugins and audit log.

Rules of this file: one `match` over `Effect`, which is closed, the commonest first; no decision of any kind. What
a plugin raises, or answers that it may not, goes through `otpcore.engine.answers`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
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
    ReconcileCheck,
    SendCode,
    Tell,
)
from otpcore.engine import answers, audit
from otpcore.errors import OtpcoreError
from otpcore.flows import Flow
from otpcore.ports import Cancels, Checks, Clock, ReconcilesCheck, Store

if TYPE_CHECKING:
    from otpcore.plugins import Plugins  # pluggy is paid for by who uses plugins

__all__ = ["Driver"]

T = TypeVar("T")


class Driver:
    """Performs effects.

    Args:
        store: where records are kept.
        providers: by name.
        plugins: guards, routes and observers to ask and tell.
        clock: gives the time.
    """

    def __init__(self, store: Store, providers: Mapping[str, Any], *, plugins: Plugins | None, clock: Clock) -> None:
        self._store = store
        self._providers = providers
        self._plugins = plugins
        self._clock = clock

    def drive(self, flow: Flow[T]) -> T:
        """Perform the effects of a flow, one after the other, and return its result."""
        try:
            effect = next(flow)
            while True:
                try:
                    answer = self._perform(effect)
                except OtpcoreError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(answer)
        except StopIteration as finished:
            result: T = finished.value
            return result
        finally:
            flow.close()

    def _perform(self, effect: Effect) -> Any:
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
                try:
                    return answers.send_answer(self._providers[name].send(request))
                except Exception as error:  # noqa: BLE001  # whatever a provider raises is an unknown outcome
                    return answers.send_failed(error)
            case AskGuards(intent=intent):
                return self._plugins.guard_send(intent) if self._plugins is not None else None
            case ChooseRoute(intent=intent, candidates=candidates):
                return self._plugins.route(intent, candidates) if self._plugins is not None else candidates
            case CheckCode() | ReconcileCheck() | CancelCode():
                return self._ask(effect)
            case Pause(seconds=seconds):
                return time.sleep(seconds)
            case _:
                assert_never(effect)

    def _ask(self, effect: CheckCode | ReconcileCheck | CancelCode) -> Any:
        provider = self._providers[effect.provider]
        try:
            match effect:
                case CheckCode(request=request):
                    checks: Checks = provider
                    return answers.check_answer(checks.check(request))
                case ReconcileCheck(handle=handle, timeout_s=timeout_s):
                    reconciles: ReconcilesCheck = provider
                    later = reconciles.reconcile_check(handle, timeout_s)
                    return None if later is None else answers.check_answer(later)
                case CancelCode(handle=handle, timeout_s=timeout_s):
                    cancels: Cancels = provider
                    return cancels.cancel(handle, timeout_s) is True
                case _:
                    assert_never(effect)
        except Exception as error:  # noqa: BLE001  # whatever a provider raises is an unknown outcome
            return False if isinstance(effect, CancelCode) else answers.check_failed(error)
