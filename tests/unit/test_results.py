"""Every answer says what to do next; a stranger sees one shape."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest

from otpcore import results
from otpcore.contract import CheckAnswer, CheckVerdict, FailureKind
from otpcore.model import SessionStatus
from otpcore.results import (
    Approved,
    CheckResult,
    Ended,
    NextActions,
    NotFound,
    Outward,
    Refusal,
    Refused,
    SendResult,
    Sent,
    SessionView,
    Undecided,
    Wait,
    WaitReason,
    Wrong,
    outward,
)
from tests.properties.world import EPOCH

VIEW = SessionView(token="otps_secret", id="n", purpose="login", status=SessionStatus.APPROVED)
NEXT = NextActions(resend_at=EPOCH, checks_left=3, expires_at=EPOCH)
NATIVE = "+12025550123"
FAILED_CHECKS: list[CheckResult] = [
    Wrong(NEXT, NATIVE),
    Undecided(NEXT, CheckAnswer(CheckVerdict.UNKNOWN, native=NATIVE)),
    Ended(SessionStatus.EXPIRED, NEXT),
    Ended(SessionStatus.APPROVED, NEXT),
    Ended(SessionStatus.MAX_ATTEMPTS_REACHED, NEXT),
    Refused(Refusal.LOCKED),
    NotFound(),
]
SENDS: list[SendResult] = [
    Sent(VIEW, NEXT, native=NATIVE),
    Wait(EPOCH, WaitReason.LADDER, NEXT, 5.0),
    Refused(Refusal.FRAUD_SUSPECTED),
    Ended(SessionStatus.EXPIRED, NEXT),
    NotFound(),
]


@pytest.mark.parametrize(
    "union", ["SendResult", "CheckResult", "CancelResult", "StatusResult", "ForgetResult", "UnlockResult"]
)
def test_every_result_carries_its_next_actions(union: str) -> None:
    """Invariant 15."""
    for kind in get_args(getattr(results, union)):
        field = {each.name: each for each in dataclasses.fields(kind)}["next"]
        assert field.type == "NextActions"
        assert kind.__dataclass_params__.frozen


def test_wrong_expired_used_locked_and_unknown_look_alike_to_a_stranger() -> None:
    """Invariant 12, V12, trap 11: one value, compared whole."""
    assert {outward(each, of="check") for each in FAILED_CHECKS} == {Outward("not_approved")}
    assert outward(Approved(VIEW, NEXT), of="check") == Outward("approved")
    assert {outward(each, of="send") for each in SENDS} == {Outward("requested")}
    assert {tuple(vars_of(outward(each, of="check"))) for each in FAILED_CHECKS} == {("status",)}


def vars_of(value: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(value)]


def test_a_question_that_nobody_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="send"):
        outward(NotFound(), of="status")


def test_neither_tokens_nor_native_objects_show_in_a_repr() -> None:
    """Invariants 9 and 10."""
    for each in (*FAILED_CHECKS, *SENDS, Approved(VIEW, NEXT, NATIVE), results.ByRecipient(NATIVE)):
        assert "otps_secret" not in repr(each)
        assert NATIVE not in repr(each)


def test_every_failure_of_a_provider_has_a_refusal_of_its_name() -> None:
    assert {kind.value for kind in FailureKind} <= {kind.value for kind in Refusal}
