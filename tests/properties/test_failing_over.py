"""Whatever several providers answer, in whatever order: one send, no second live verification, no forbidden leg.

Each life is a list of starts and resends of one recipient, through providers whose answers are drawn; the vendors' side
is kept beside the record, and the two are compared after each call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otpcore import Ended, Refused, SendState, Sent, SessionStatus
from otpcore.contract import Accepted, CodeOwner, Failure, FailureKind, FailureScope, SendEffect
from otpcore.effects import Effect, SendCode
from otpcore.flows import Setup, resend, start
from otpcore.policy import DEFAULT
from otpcore.routing import Leg, Routing, Rule
from tests.flows.legs import several
from tests.flows.script import CORE, NUMBER, PROVIDER, Page, entropy

FORBIDDEN = {FailureKind.FRAUD_SUSPECTED, FailureKind.OPTED_OUT, FailureKind.INVALID_RECIPIENT}
FAILURES = [
    Failure(kind, effect, scope=scope) for kind, effect, scope in product(FailureKind, SendEffect, FailureScope)
]
ANSWERS = st.one_of(st.just("accepted"), st.sampled_from(FAILURES))
OWNERS = st.lists(st.sampled_from([CORE, PROVIDER]), min_size=1, max_size=4).map(tuple)


def forbids(failure: Failure) -> bool:
    """Whether nobody else may be asked after it."""
    recipient = failure.kind is FailureKind.RATE_LIMITED and failure.scope is FailureScope.RECIPIENT
    return failure.kind in FORBIDDEN or recipient


@dataclass
class Vendors:
    """The providers' side: what each was asked in one call, and which verifications live there.

    Attributes:
        answers: what is answered, in turn; then everything is accepted.
        asked: provider and answer of this call.
        live: until when a verification lives, by provider; one that answered UNKNOWN may have opened one.
        opened: verifications so far.
        doubted: providers that may have opened one without saying so.
    """

    page: Page
    owners: dict[str, CodeOwner]
    answers: list[str | Failure]
    asked: list[tuple[str, str, Accepted | Failure]] = field(default_factory=list[tuple[str, str, Accepted | Failure]])
    live: dict[str, datetime] = field(default_factory=dict[str, datetime])
    opened: int = 0
    doubted: set[str] = field(default_factory=set[str])

    def answer(self, effect: SendCode) -> Accepted | Failure:
        drawn = self.answers.pop(0) if self.answers else "accepted"
        name = effect.provider
        answer = Accepted(f"{name}{len(self.asked)}") if isinstance(drawn, str) else drawn
        if self.owners[name] is PROVIDER:
            may_live = isinstance(answer, Accepted) or answer.effect is SendEffect.UNKNOWN
            if may_live and name not in self.alive():
                self.live[name] = self.page.now + timedelta(seconds=600)
                self.opened += 1
            if isinstance(answer, Accepted):
                answer = Accepted(f"VE{self.opened}")
        self.asked.append((name, effect.request.code or "", answer))
        if isinstance(answer, Failure) and answer.effect is SendEffect.UNKNOWN:
            self.doubted.add(name)
        return answer

    def alive(self) -> set[str]:
        return {name for name, ends in self.live.items() if ends > self.page.now}


class Asked(Page):
    """A page whose providers are `Vendors`."""

    vendors: Vendors

    def _answer(self, effect: Effect) -> object:
        return self.vendors.answer(effect) if isinstance(effect, SendCode) else super()._answer(effect)


def judge(page: Asked, given_: Setup, result: object, before: int, on_unknown: bool) -> None:
    """What has to hold after one start or resend."""
    asked, record = page.vendors.asked, page.record()
    if not asked:
        return
    *earlier, (last_name, _, last) = asked
    answers = [answer for _, _, answer in asked]
    lost = [answer for answer in answers if isinstance(answer, Failure) and answer.effect is SendEffect.UNKNOWN]
    # one send, one step at most, given back if and only if every answer was a certain refusal
    assert len(record.sends) == before + 1
    send = record.sends[-1]
    refused = all(isinstance(each, Failure) and each.effect is SendEffect.NOT_SENT for each in answers)
    assert isinstance(result, Refused) == refused
    assert (send.state is SendState.REFUSED) == refused
    if isinstance(result, Ended):
        # a verification whose opening was lost may be older than a code may live: fail closed
        assert result.status is SessionStatus.FAILED
        assert last_name in page.vendors.doubted
        assert page.vendors.owners[last_name] is PROVIDER
    elif not refused:
        assert isinstance(result, Sent)
        assert not send.refunded
        assert (result.state is SendState.ACCEPTED) == isinstance(last, Accepted)
    # nobody is asked after an acceptance, or after what forbids it
    for _, _, answer in earlier:
        assert isinstance(answer, Failure)
        assert not forbids(answer)
        assert answer.effect is SendEffect.NOT_SENT or on_unknown
    # after a lost answer only the same code of the core goes on
    if lost and asked[-1][2] is not lost[0]:
        after = answers.index(lost[0])
        assert len({code for _, code, _ in asked[after:]}) == 1
        assert all(page.vendors.owners[name] is CORE for name, _, _ in asked[after:])
    assert len(asked) <= 3
    assert len({(name, code) for name, code, _ in asked}) == len(asked) or len({name for name, _, _ in asked}) < len(
        asked
    )
    # never two live verifications, and none that the record does not know
    alive = page.vendors.alive()
    assert len(alive) <= 1, alive
    known = {one.provider for one in record.handles} | {
        one.provider for one in record.sessions if one.is_live and one.owner is PROVIDER
    }
    assert alive <= known
    if isinstance(result, Sent):
        assert result.session.provider == last_name
        attempts = [(one.provider, one.unknown) for one in send.attempts]
        told = [(name, isinstance(each, Failure) and each.effect is SendEffect.UNKNOWN) for name, _, each in asked]
        assert attempts == (told if len(told) > 1 or told[0][1] else [])  # one plain yes is told by session and send


def live(
    owners: tuple[CodeOwner, ...],
    answers: list[str | Failure],
    calls: list[tuple[str, int]],
    *,
    on_unknown: bool,
    judged: Callable[..., None] = judge,
) -> Asked:
    """One life of a recipient."""
    names = "abcd"[: len(owners)]
    unknown = on_unknown and set(owners) == {CORE}
    rule = Rule(legs=tuple(Leg(name) for name in names), failover_on_unknown=unknown)
    setup = several(*owners, routing=Routing((rule,)), profile=DEFAULT)
    page = Asked()
    page.vendors = Vendors(page, dict(zip(names, owners, strict=True)), list(answers))
    token = ""
    for seed, (call, minutes) in enumerate(calls, 1):
        page.now += timedelta(minutes=minutes)
        page.vendors.asked.clear()
        before = len(page.record().sends) if page.records else 0
        kept = page.record() if page.records else None
        if call == "resend" and token:
            result = page.run(resend(setup, entropy(seed), token, NUMBER))
        else:
            result = page.run(start(setup, entropy(seed), NUMBER))
        if isinstance(result, Sent):
            token = result.session.token or ""
        if page.vendors.asked:
            gone = sum(1 for one in kept.sends if one.at <= page.now - timedelta(days=1)) if kept else 0
            early = (
                [one for one in kept.sends if one.refunded and one.at <= page.now - timedelta(hours=1)] if kept else []
            )
            judged(page, setup, result, before - gone - len(early), unknown)
    return page


LOST = Failure(FailureKind.TIMEOUT, SendEffect.UNKNOWN)


@settings(max_examples=400, deadline=None)
@example((PROVIDER,), [LOST, LOST], [("start", 0), ("start", 6), ("resend", 6)], False)
@given(
    OWNERS,
    st.lists(ANSWERS, max_size=10),
    st.lists(st.tuples(st.sampled_from(["start", "resend"]), st.sampled_from([0, 3, 6, 16])), min_size=1, max_size=5),
    st.booleans(),
)
def test_a_send_is_one_send_whoever_takes_it(
    owners: tuple[CodeOwner, ...], answers: list[str | Failure], calls: list[tuple[str, int]], on_unknown: bool
) -> None:
    live(owners, answers, calls, on_unknown=on_unknown)


@pytest.mark.parametrize("owner", [CORE, PROVIDER])
def test_of_a_thousand_lost_answers_none_reaches_a_second_provider(owner: CodeOwner) -> None:
    """S6."""
    asked = 0
    lost = [one for one in FAILURES if one.effect is SendEffect.UNKNOWN]
    for turn in range(1000):
        page = live((owner, owner, CORE), [lost[turn % len(lost)]], [("start", 0)], on_unknown=False)
        asked += len(page.vendors.asked)
    assert asked == 1000


@pytest.mark.parametrize("failure", [one for one in FAILURES if forbids(one)], ids=repr)
@pytest.mark.parametrize("owner", [CORE, PROVIDER])
def test_what_forbids_it_reaches_no_second_provider(failure: Failure, owner: CodeOwner) -> None:
    page = live((owner, CORE, owner), [failure], [("start", 0)], on_unknown=True)
    assert [name for name, _, _ in page.vendors.asked] == ["a"]
