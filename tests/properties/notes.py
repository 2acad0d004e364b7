"""A whole service that a model drives, and the notes that it takes of every answer.

Rules of this file: an answer is judged by itself as it is noted; what must hold over a history is said by the model.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
)

from otpcore import Approved, ByRecipient, Ended, NextActions, Sent, Undecided, Wait, WaitReason, Wrong
from otpcore.contract import CodeOwner
from otpcore.errors import StoreError
from otpcore.policy import DAY, DEFAULT, Profile
from tests.properties.world import NUMBER, World

TIGHT = Profile(
    name="tight",
    source="made for this test: every limit is met within few steps",
    ladder=(timedelta(minutes=1), timedelta(hours=24)),
    daily_cap=4,
    checks_per_session=3,
    failures_per_day=4,
    failures_in_a_row=6,
    live_sessions=2,
    refunds_per_hour=1,
)


class Notes(RuleBasedStateMachine):
    """What was sent, told and ended so far. Numbers of the policy in force are the bounds."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: list[tuple[str, str]] = []
        self.codes: dict[str, list[str]] = {}
        self.sends: list[tuple[timedelta, int]] = []
        self.failures: list[timedelta] = []
        self.revealed: dict[str, int] = {}
        self.successes: dict[str, int] = {}
        self.expiries: dict[str, Any] = {}
        self.over: set[str] = set()
        self.approvals = self.in_a_row = self.keys = 0
        self.addressed = False
        self.last_key: dict[str, Any] | None = None

    @initialize(owner=st.sampled_from(CodeOwner), profile=st.sampled_from([DEFAULT, TIGHT]), seed=st.integers(0, 999))
    def open(self, owner: CodeOwner, profile: Profile, seed: int) -> None:
        self.world = World(owner=owner, profile=profile, seed=seed)
        self.profile = profile

    # --- taking notes --------------------------------------------------------------------------

    def _told(self, result: Any) -> Any:
        assert isinstance(result.next, NextActions)
        if isinstance(result, Wait):
            steps = self.profile.ladder
            longest = max(steps) if result.reason is WaitReason.LADDER else DAY
            assert 0 <= result.retry_after_s <= longest.total_seconds()
            assert result.next.resend_at == result.until
        return result

    def _sent(self, result: Any) -> None:
        self._told(result)
        new = self.world.vendor.outbox[len(self.sends) :]
        assert len(new) <= 1
        self.sends += [(self.world.passed, self.approvals) for _ in new]
        if isinstance(result, Sent):
            assert result.session.id not in self.over or result.replayed
            if new:
                self.codes.setdefault(result.session.id, []).append(new[0].code)
            self.expiries[result.session.id] = result.next.expires_at
            if result.session.token is not None and (result.session.id, result.session.token) not in self.tokens:
                self.tokens.append((result.session.id, result.session.token))

    def _checked(self, session: str, result: Any) -> None:
        self._told(result)
        match result:
            case Approved():
                assert result.session.id == session
                assert session not in self.over
                assert self.world.now < self.expiries[session]
                self.approvals += 1
                self.in_a_row = 0
                self.successes[session] = self.successes.get(session, 0) + 1
                self.revealed[session] = self.revealed.get(session, 0) + 1
                self.over.add(session)
            case Wrong() | Undecided():
                self.revealed[session] = self.revealed.get(session, 0) + 1
                self.failures.append(self.world.passed)
                self.in_a_row += 1
            case Ended():
                self.over.add(session)
            case _:
                pass

    def _pick(self, index: int) -> tuple[str, str]:
        return self.tokens[index % len(self.tokens)]

    def _addressed(self, purpose: str) -> str:
        mine = [one for one in self.world.record().sessions if one.proof is None and one.purpose == purpose]
        return next((one.id for one in mine if one.is_live), mine[-1].id if mine else "")

    def _check(self, pick: int, code: str, source: str | None) -> None:
        session, token = self._pick(pick)
        self._try(session, token, code, source)

    def _try(self, session: str, address: str | ByRecipient, code: str, source: str | None) -> None:
        try:
            result = self.world.engine.check(address, code, recipient=NUMBER, source=source)
        except StoreError:
            return
        self._checked(session, result)
