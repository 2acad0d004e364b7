"""What no person asks for: an operator's unlock, a receipt that a message follows, the claim of a vendor's scope.

Rules of this file: as for `flow_ends`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from otpcore.contract import Accepted, CodeOwner, Failure, SendRequest
from otpcore.engine import Engine
from otpcore.errors import ConfigurationError
from otpcore.policy import DEFAULT
from otpcore.providers.fake import Exchange, FakeProvider
from otpcore.receipts import DeliveryState
from otpcore.results import Approved, Received, Refusal, Refused, Sent, Wait, Wrong
from otpcore.routing import Leg, Routing, Rule
from tests.crash.scene import COMMITTED, Scene, code_of, codes_of, deaths_of, provider_of, settings_of
from tests.crash.vendor import Vendor
from tests.storms.arena import MovedClock, token_of
from tests.storms.sent_log import append

__all__ = ["LockScene", "ReceiptScene", "ScopeScene"]

RULE: Final = Rule(legs=(Leg("first"), Leg("second")), failover_on_undelivered=timedelta(minutes=2))

FOLLOWED: Final = ("before commit 1", "in the provider", "before commit 3", "after commit 3")
"""A message follows: the receipt is not written down, and the next one of the same words is heard; or it has left."""


class LoggedFake(FakeProvider):
    """The fake, which also writes down what it sends, and outlives nobody."""

    def __init__(
        self, exchange: Exchange, path: str, asked: Callable[[], object], answered: Callable[[], object]
    ) -> None:
        super().__init__(exchange=exchange)
        self._path = path
        self._asked = asked
        self._answered = answered

    def send(self, request: SendRequest) -> Accepted | Failure:
        self._asked()
        answer = super().send(request)
        at = self.exchange.outbox[-1].at.isoformat()
        append(self._path, recipient=request.recipient, code=request.code or "", at=at)
        self._answered()
        return answer


class LockScene(Scene):
    """Ten failures of a person, and the operator who lifts the lock."""

    def dies_at(self, point: str, number: str) -> None:
        """The lock is lifted or it is not; what was sent stays counted."""
        settings, clock = settings_of(f"unlock {self.owner} {point}")
        path = self.log_of(point)
        live = Engine(self.store, provider_of(self.owner, path, clock), **settings)
        for wait in DEFAULT.ladder[:2]:
            sent = live.start(number)
            assert isinstance(sent, Sent), sent
            wrong = f"{(int(code_of(path, number)) + 1) % 10**6:06}"
            while isinstance(live.check(token_of(sent), wrong), Wrong):
                pass
            clock.advance(wait)
        self.killed(point, provider_of(self.owner, path, clock, point), settings, "unlock", number)
        told = live.start(number)
        if point == COMMITTED:
            assert isinstance(told, Sent), told
            assert isinstance(live.start(number), Wait), "what was sent is not counted"
        else:
            assert isinstance(told, Refused), told
            assert told.kind is Refusal.LOCKED, told


class ReceiptScene(Scene):
    """The first message did not arrive, and a rule has another provider follow it."""

    def dies_at(self, point: str, number: str) -> None:
        """The vendor's call dies, and it calls again, as vendors do that were not answered."""
        settings, clock = settings_of(f"receipt {point}")
        settings |= {"routing": Routing((RULE,)), "keep_number": True}
        path = self.log_of(point)
        exchanges = {name: Exchange(owner=CodeOwner.CORE, clock=clock) for name in ("first", "second")}

        def providers(dies: str) -> Any:
            return {name: LoggedFake(each, path, **deaths_of(dies)) for name, each in exchanges.items()}

        live = Engine(self.store, providers(""), **settings)
        sent = live.start(number)
        assert isinstance(sent, Sent), sent
        token, message = token_of(sent), exchanges["first"].outbox[-1]
        clock.advance(seconds=30)
        request = exchanges["first"].receipts.of(message.handle, number, DeliveryState.UNDELIVERED)
        self.killed(point, providers(point), settings, "receipt", "first", request)
        for _ in range(3):
            assert isinstance(live.receipt("first", request), Received)
        followed = len(codes_of(path, number)) - 1
        assert followed == (point in FOLLOWED), f"{followed} messages followed"
        clock.now = message.at + DEFAULT.ladder[0]
        assert isinstance(live.resend(token, number), Sent), "what followed has taken a step"
        *former, newest = codes_of(path, number)
        assert len(former) == 1 + followed
        assert isinstance(live.check(token, newest), Approved), "the newest code is dead"
        for code in (newest, *former):
            assert not isinstance(live.check(token, code), Approved), "a used code is alive"


class ScopeScene(Scene):
    """An account at a vendor belongs to the tenant that claimed it first."""

    def dies_at(self, point: str, number: str) -> None:
        """An engine dies when it first works; another tenant's works, and then another one of its own."""
        path = self.log_of(f"{point} {number}")
        engines: dict[str, Engine] = {}
        for tenant in ("theirs", "mine"):
            settings, clock = settings_of(f"{tenant} {point} {number}")
            engines[tenant] = Engine(self.store, scoped(path, clock), **settings)
            if tenant == "mine":
                self.killed(point, scoped(path, clock), settings, "start", number)
        assert not codes_of(path, number), "sent before the scope was claimed"
        served: list[str] = []
        for tenant, engine in engines.items():
            with suppress(ConfigurationError):
                assert isinstance(engine.start(number), Sent)
                served.append(tenant)
        assert served == ["mine" if point == COMMITTED else "theirs"], f"the scope serves {served}"


def scoped(path: str, clock: MovedClock) -> Vendor:
    """A vendor whose verifications of one person are shared in its account, the path's."""
    vendor = Vendor(path, clock)
    vendor.capabilities = replace(vendor.capabilities, scope=path)
    return vendor
