"""A live verification in the way of a new one: whose it is, who may take it over, and what is never taken over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from otpcore import Approved, CodeOwner, Ended, Engine, Refused, SendState, Sent, SessionStatus, Wait
from otpcore.errors import ConfigurationError
from otpcore.policy import TWILIO
from otpcore.ports import Accepted, Failure, FailureKind, FailureScope, SendEffect, SendRequest
from otpcore.results import Refusal, WaitReason
from otpcore.stores.memory import MemoryStore
from otpcore_vonage import VonageProvider, translate
from otpcore_vonage.fake import FakeVonage, Fault

PHONE = "+12025550123"
Desks = Callable[..., Any]
MakeSend = Callable[..., SendRequest]
MakeProvider = Callable[..., VonageProvider]


@pytest.mark.parametrize("fault", ["cut", "close", 503])
def test_a_lost_answer_is_made_good_by_the_next_send(desk: Desks, vonage: FakeVonage, fault: Any) -> None:
    here = desk()
    vonage.faults.append(Fault(fault, processed=True))
    sent = here.start(PHONE)
    assert isinstance(sent, Sent)
    assert sent.state is SendState.UNKNOWN
    refused = here.check(sent.session.token, here.codes()[0])
    assert isinstance(refused, Refused), "without Vonage's id there is nothing to ask"
    assert refused.kind is Refusal.RECIPIENT_NEEDED
    vonage.advance(120)
    again = here.resend(sent.session.token, PHONE)
    assert isinstance(again, Sent)
    assert again.state is SendState.ACCEPTED
    assert len(vonage.messages) == 1, "the 409 is an answer and no message"
    assert isinstance(here.check(sent.session.token, here.codes()[0]), Approved)


def test_the_send_after_an_adoption_moves_what_was_adopted(desk: Desks, vonage: FakeVonage) -> None:
    here = desk(channels=("sms", "sms", "call"), channel_timeout_s=200, engine={"profile": replace(TWILIO, ladder=())})
    vonage.faults.append(Fault("cut", processed=True))
    token = here.start(PHONE).session.token
    vonage.advance(30)
    here.resend(token, PHONE)
    assert vonage.exchanges[-1].status == 409
    vonage.advance(40)
    assert isinstance(here.resend(token, PHONE), Sent)
    assert vonage.exchanges[-1].path.endswith("/next_workflow")


def test_what_another_purpose_lost_is_not_taken_over(desk: Desks, vonage: FakeVonage) -> None:
    here = desk(engine={"purposes": ("login", "payment")})
    vonage.faults.append(Fault("cut", processed=True))
    here.start(PHONE, purpose="payment")
    vonage.advance(130)
    waiting = here.start(PHONE, purpose="login")
    assert isinstance(waiting, Wait)
    assert waiting.reason is WaitReason.OTHER_PURPOSE
    assert len(vonage.exchanges) == 1, "Vonage was not even asked"


def test_what_another_purpose_cancelled_after_a_lost_answer_is_not_taken_over(desk: Desks, vonage: FakeVonage) -> None:
    here = desk(engine={"purposes": ("login", "payment")})
    vonage.faults.append(Fault("cut", processed=True))
    lost = here.start(PHONE, purpose="payment")
    here.cancel(lost.session.token)
    assert len(vonage.live()) == 1, "without its id it cannot be ended"
    vonage.advance(130)
    waiting = here.start(PHONE, purpose="login")
    assert isinstance(waiting, Wait)
    assert waiting.reason is WaitReason.OTHER_PURPOSE


def test_what_another_purpose_has_is_not_taken_over_though_the_clocks_are_apart(
    desk: Desks, vonage: FakeVonage
) -> None:
    ahead = [0.0]

    def clock() -> datetime:
        return datetime.fromtimestamp(vonage.now() + ahead[0], UTC)

    here = desk(engine={"purposes": ("login", "payment"), "clock": clock})
    here.start(PHONE, purpose="payment")
    ahead[0] = 400.0  # the core takes the verification for over, and Vonage does not
    answer = here.start(PHONE, purpose="login")
    assert vonage.exchanges[-1].status == 409
    assert isinstance(answer, Ended), "Vonage named the payment's, which opens no login"
    assert answer.status is SessionStatus.FAILED


def test_two_tenants_never_share_an_account(vonage: FakeVonage, provider_of: MakeProvider) -> None:
    store, pepper = MemoryStore(), b"a pepper of at least thirty-two bytes"
    one = Engine(store, provider_of(vonage.origin), pepper=pepper, tenant="one")
    other = Engine(store, provider_of(vonage.origin), pepper=pepper, tenant="other")
    assert isinstance(one.start(PHONE), Sent)
    with pytest.raises(ConfigurationError):
        other.start(PHONE)
    one.close()
    other.close()


def test_one_account_is_one_scope_whichever_application_asks(vonage: FakeVonage, provider_of: MakeProvider) -> None:
    of_account = [
        provider_of(vonage.origin, api_key="abcd1234", application_id=f"{n}8d335fa-323d-0114-9c3d-d6f0d48968cf")
        for n in range(2)
    ]
    assert len({one.capabilities.scope for one in of_account}) == 1


def test_a_stranger_is_adopted_only_where_the_account_is_ours_alone(
    vonage: FakeVonage, provider_of: MakeProvider, a_send: MakeSend
) -> None:
    theirs = provider_of(vonage.origin).send(a_send())
    assert isinstance(theirs, Accepted)
    ours = provider_of(vonage.origin).send(a_send())
    assert ours == Accepted(theirs.handle)
    assert isinstance(ours, Accepted)
    assert isinstance(ours.native, Exception), "the refusal is handed out: it was an adoption"
    refused = provider_of(vonage.origin, adopts=False).send(a_send())
    assert isinstance(refused, Failure)
    assert (refused.kind, refused.scope, refused.effect) == (
        FailureKind.RATE_LIMITED,
        FailureScope.RECIPIENT,
        SendEffect.NOT_SENT,
    )


@pytest.mark.parametrize(
    "named",
    [
        None,
        7,
        "",
        "x",
        "../../account",
        "C11236F4-00BF-4B89-84BA-88B25DF9731",
        "c11236f4-00bf-4b89-84ba-88b25df97315\n",
    ],
)
def test_only_what_looks_like_an_id_is_adopted(
    vonage: FakeVonage, provider_of: MakeProvider, a_send: MakeSend, named: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_: object) -> tuple[int, dict[str, Any]]:
        return 409, {"type": "x#conflict", "title": "Conflict", "request_id": named}

    monkeypatch.setattr(vonage, "answer", answer)
    refused = provider_of(vonage.origin).send(a_send())
    vonage.exchanges.clear()  # no answer of Vonage's, so not to be held against its description
    assert isinstance(refused, Failure)
    assert refused.effect is SendEffect.NOT_SENT


def test_a_code_of_the_core_never_takes_over_and_the_next_send_gets_through(
    vonage: FakeVonage, provider_of: MakeProvider, a_send: MakeSend
) -> None:
    provider_of(vonage.origin).send(a_send())
    ours = provider_of(vonage.origin, custom_code_enabled=True)
    met = ours.send(a_send(code="918273"))
    assert isinstance(met, Failure)
    assert (met.kind, met.effect) == (FailureKind.TRANSIENT, SendEffect.NOT_SENT)
    assert isinstance(ours.send(a_send(code="918273")), Accepted)
    assert vonage.messages[-1].code == "918273"


def test_the_double_that_adopts_for_the_core_too_is_found_out(
    vonage: FakeVonage, provider_of: MakeProvider, a_send: MakeSend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red: with the owner mixed up, the core would wait for a code that nobody has."""
    provider_of(vonage.origin).send(a_send())

    def mixed_up(_: object) -> CodeOwner:
        return CodeOwner.PROVIDER

    monkeypatch.setattr(translate, "owner_of", mixed_up)
    ours = provider_of(vonage.origin, custom_code_enabled=True)
    assert isinstance(ours.send(a_send(code="918273")), Accepted)
    assert vonage.messages[-1].code != "918273"
