"""What the flow scripts share: a setup, values, and a store of one page that a script can bend.

Rules of this file: no engine; a flow is a generator, and a script is its other side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from otpcore.codes import ENTROPY_BYTES, Entropy, Keyring, Keys
from otpcore.contract import (
    Accepted,
    CheckAnswer,
    CheckVerdict,
    CodeOwner,
    Conflict,
    Failure,
    FailureKind,
    ProviderCapabilities,
    ProviderLimit,
    SendEffect,
    Version,
    Versioned,
)
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
from otpcore.errors import CommitUnknown, OtpcoreError
from otpcore.flows import Flow, ProviderTerms, Setup, start
from otpcore.model import RecipientRecord
from otpcore.policy import DEFAULT, Profile
from otpcore.results import Sent

CORE, PROVIDER = CodeOwner.CORE, CodeOwner.PROVIDER
KEY = "6f1c2a34-9b7d-4e58-8a10-3c5d7e9fb214"
"""An idempotency key."""
MINUTE = timedelta(minutes=1)
NUMBER = "+12025550123"
OTHER_NUMBER = "+12025550124"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OLD, NEW = b"o" * 32, b"n" * 32
NOT_SENT = Failure(FailureKind.TRANSIENT, SendEffect.NOT_SENT)
NO_ANSWER = Failure(FailureKind.TIMEOUT, SendEffect.UNKNOWN)
CHANNELS = frozenset({"sms", "call"})


def terms(owner: CodeOwner, name: str = "vendor", **changes: Any) -> ProviderTerms:
    """A provider like Twilio Verify, or one that only delivers."""
    if owner is CodeOwner.CORE:
        return ProviderTerms(name, ProviderCapabilities(frozenset({owner}), CHANNELS), owner, **changes)
    window = timedelta(seconds=600)
    can = ProviderCapabilities(
        frozenset({owner}),
        CHANNELS,
        limit=ProviderLimit(5, window),
        code_lifetime=window,
        code_digits=(6, 6),
        check_by_recipient=True,
    )
    return ProviderTerms(name, can, owner, **{"cancels": True, **changes})


def setup(
    owner: CodeOwner = CodeOwner.CORE,
    *,
    current: bytes = NEW,
    previous: tuple[bytes, ...] = (),
    profile: Profile = DEFAULT,
    tenant: str = "t",
    **changes: Any,
) -> Setup:
    return Setup(
        tenant=tenant,
        keyring=Keyring(Keys.of(current), tuple(Keys.of(each) for each in previous)),
        profile=profile,
        purposes=frozenset({"login", "payment"}),
        providers={"vendor": terms(owner, **changes)},
    )


def entropy(seed: int) -> Entropy:
    """Different for each seed, and the same each time."""
    return Entropy.split(bytes((seed * 37 + place * 11) % 256 for place in range(ENTROPY_BYTES)))


@dataclass
class Page:
    """The other side of a flow: answers each effect, and keeps a list of what was asked.

    Attributes:
        now: what `ReadClock` is told.
        sends, checks, reconciles: what the provider answers, in turn; then it accepts, or finds wrong.
        receipts: what the provider reads in each receipt, in turn; an error is raised.
        takes: what it answers to an outcome.
        fault: called with each effect before it is performed; may raise.
        race: called with each effect after it was performed.
    """

    now: datetime = NOW
    records: dict[str, Versioned] = field(default_factory=dict[str, Versioned])
    asked: list[Effect] = field(default_factory=list[Effect])
    sends: list[Any] = field(default_factory=list[Any])
    checks: list[Any] = field(default_factory=list[Any])
    reconciles: list[Any] = field(default_factory=list[Any])
    receipts: list[Any] = field(default_factory=list[Any])
    takes: bool = True
    fault: Callable[[Effect], None] | None = None
    race: Callable[[Effect], None] | None = None
    serial: int = 0
    handle: str = "VE1"

    def run(self, flow: Flow[Any]) -> Any:
        """Drive a flow to its end."""
        try:
            first = next(flow)
        except StopIteration as finished:
            return finished.value
        return self.finish(flow, first)

    def finish(self, flow: Flow[Any], effect: Effect) -> Any:
        """Drive a flow that stopped at this effect to its end."""
        try:
            while True:
                try:
                    answer = self.perform(effect)
                except OtpcoreError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(answer)
        except StopIteration as finished:
            return finished.value

    def perform(self, effect: Effect) -> Any:
        self.asked.append(effect)
        if self.fault is not None:
            self.fault(effect)
        answer = self._answer(effect)
        if self.race is not None:
            self.race(effect)
        return answer

    def _answer(self, effect: Effect) -> Any:
        match effect:
            case ReadClock():
                return self.now
            case Load(key=key):
                return self.records.get(key)
            case Commit():
                return self.commit(effect)
            case AskGuards() | Tell() | Pause():
                return None
            case ChooseRoute(candidates=candidates):
                return candidates
            case SendCode():
                return self.sends.pop(0) if self.sends else Accepted(self.handle)
            case CheckCode():
                return self.checks.pop(0) if self.checks else CheckAnswer(CheckVerdict.WRONG, self.handle)
            case ReconcileCheck():
                return self.reconciles.pop(0) if self.reconciles else None
            case CancelCode():
                return True
            case ReportOutcome():
                return self.takes
            case ReadReceipt():
                found = self.receipts.pop(0)
                if isinstance(found, Exception):
                    raise found
                return found

    def commit(self, effect: Commit) -> Version | Conflict:
        stands = self.records.get(effect.key)
        if (stands.version if stands else None) != effect.expect:
            return Conflict(stands)
        self.serial += 1
        if effect.data is None:
            self.records.pop(effect.key, None)
            return Version(str(self.serial))
        self.records[effect.key] = Versioned(effect.data, Version(str(self.serial)))
        return Version(str(self.serial))

    def order(self) -> list[str]:
        """Names of the effects that were asked for."""
        return [type(each).__name__ for each in self.asked]

    def requests(self, kind: type[Effect]) -> list[Any]:
        """The effects of one kind that were asked for."""
        return [each for each in self.asked if isinstance(each, kind)]

    def record(self) -> RecipientRecord:
        """The only record that is no marker."""
        found = [RecipientRecord.decode(each.data) for each in self.records.values()]
        (only,) = [each for each in found if each.forward is None]
        return only


def started(page: Page, owner: CodeOwner = CORE, seed: int = 1, **asked: Any) -> Sent:
    """The answer to a start that sends."""
    result = page.run(start(setup(owner), entropy(seed), NUMBER, **asked))
    assert isinstance(result, Sent)
    return result


def losing(page: Page, place: int, *, applied: bool) -> Callable[[Effect], None]:
    """A fault: the answer to the commit of this number is lost, after it was applied or before."""
    seen = 0

    def fault(effect: Effect) -> None:
        nonlocal seen
        if isinstance(effect, Commit):
            seen += 1
            if seen == place:
                if applied:
                    page.commit(effect)
                raise CommitUnknown

    return fault
