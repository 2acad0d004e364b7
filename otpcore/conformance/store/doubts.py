"""Requirements on a store under the engine: commits whose answers are lost cost nobody a second message or approval.

Every send, claim and approval keeps its own mark in the record, so that a reload tells what became of it. That needs
a store whose loads and conflicts are true; here the engine itself is what notices.

Rules of this file: the store is wrapped, and what fails is planned; the provider is the fake.
"""

from __future__ import annotations

from typing import Any, cast

from otpcore.conformance.losing import AsyncLosingStore, Fate, LosingStore
from otpcore.conformance.store.flow import AnyStore, Flow
from otpcore.conformance.store.requirement import Checks, check
from otpcore.engine import AsyncEngine, Engine
from otpcore.ports import AsyncStore, CodeOwner, Store
from otpcore.providers.fake import AsyncFakeProvider, Exchange, FakeProvider
from otpcore.results import Approved, Sent

__all__ = ["DoubtChecks"]

PEPPER = bytes(range(32))
PLANS = [(*(Fate.ANSWERED,) * number, fate) for number in range(3) for fate in (Fate.APPLIED, Fate.LOST)]
"""A start commits twice and a check once: each of them goes unanswered in turn, applied and not."""


class DoubtChecks(Checks):
    """An engine over the store, some of whose commits go unanswered."""

    @check()
    def test_commits_without_an_answer_never_send_twice(self, store: AnyStore) -> Flow[None]:
        """An engine over the store, any one of whose commits goes unanswered, sends one message for one start."""
        for number, plan in enumerate(PLANS):
            exchange, engine = self._engine(store, plan)
            sent = yield engine.start(_phone(number))
            assert isinstance(sent, Sent)
            assert len(exchange.outbox) == 1, f"messages after {plan}"

    @check()
    def test_commits_without_an_answer_never_approve_twice(self, store: AnyStore) -> Flow[None]:
        """An engine over the store, any one of whose commits goes unanswered, approves a right code once."""
        for number, plan in enumerate(PLANS):
            exchange, engine = self._engine(store, plan)
            recipient = _phone(10 + number)
            sent = cast("Sent", (yield engine.start(recipient)))
            code = exchange.code_for(recipient)
            answers: list[Any] = []
            for _ in range(2):
                answers.append((yield engine.check(sent.session.token, code)))  # noqa: PERF401  # a step of a flow
            assert [isinstance(answer, Approved) for answer in answers] == [True, False], f"answers after {plan}"

    def _engine(self, store: AnyStore, plan: tuple[Fate, ...]) -> tuple[Exchange, Any]:
        exchange = Exchange(owner=CodeOwner.CORE)
        if self.is_awaited:
            awaited = AsyncLosingStore(cast("AsyncStore", store), plan)
            return exchange, AsyncEngine(awaited, AsyncFakeProvider(exchange=exchange), pepper=PEPPER)
        return exchange, Engine(LosingStore(cast("Store", store), plan), FakeProvider(exchange=exchange), pepper=PEPPER)


def _phone(number: int) -> str:
    return f"+120255501{number:02}"
