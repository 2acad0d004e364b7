"""The vendor behind `fake`: live verifications, an outbox, counts of calls, in memory.

By default it owns the code and behaves like Twilio Verify (November 2026): a resend inside the lifetime keeps
handle and code, the fifth send is the last, the sixth check is not compared, an approval or a cancel
ends the verification and the next send opens a new one. With `owner=CodeOwner.CORE` it only delivers, and each message
has a handle of its own. In both cases it hears outcomes, and a test orders the receipts that it sends.

What happens to a call is decided in this order: the script, the magic numbers (`fake_magic`), the behaviour above. A
scripted failure whose effect is UNKNOWN means that the message did leave and only the answer was lost: the
harder of the two cases. `Vanished` is the other one.

Rules of this file: state changes under one lock, and the caller's code (scripts) runs outside it; no I/O,
no wait; the clock and the seed are given.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    Clock,
    CodeOwner,
    Failure,
    FailureKind,
    FailureScope,
    InboundRequest,
    ProviderCapabilities,
    ProviderLimit,
    ResendSemantics,
    SendEffect,
    SendRequest,
)
from otpcore.ports import Outcome as ReportedOutcome
from otpcore.providers.fake_magic import DELIVERIES, MAGIC_NUMBERS, Outcome, Vanished
from otpcore.providers.fake_receipts import Receipts

__all__ = ["Exchange", "Message", "Outcome", "Script", "system_clock"]

MAX_SENDS = 5
MAX_CHECKS = 5
CHANNELS = frozenset({"sms", "call", "whatsapp", "email"})

Script = Callable[[SendRequest | CheckRequest], Outcome | None] | Mapping[str, Outcome]
"""Asked at every send and check: a function of the request, or outcomes by recipient. None: ordinary."""

_UNKNOWN_KINDS = frozenset({FailureKind.TIMEOUT, FailureKind.INTERNAL})


@dataclass(frozen=True, slots=True)
class Message:
    """One message as the person would have received it.

    Attributes:
        recipient: E.164.
        code: the digits in the message.
        channel, send_id, purpose: of the request.
        handle: of the verification; of the message for a core-owned code.
        at: when, on the fake's clock.
        text: whole; None where the request had no words.
    """

    recipient: str = field(repr=False)
    code: str = field(repr=False)
    channel: str
    send_id: str
    purpose: str
    handle: str
    at: datetime
    text: str | None = field(default=None, repr=False)


@dataclass(slots=True)
class _Verification:
    """A live verification of one recipient; changed only under the exchange's lock."""

    handle: str
    recipient: str = field(repr=False)
    code: str = field(repr=False)
    ends_at: datetime
    sends: int = 0
    checks: int = 0


def system_clock() -> datetime:
    """The system's time, aware, in UTC."""
    return datetime.now(UTC)


def _capabilities(owner: CodeOwner, lifetime: timedelta) -> ProviderCapabilities:
    """Those of Twilio Verify, or of plain delivery, and any parameters: it may stand in for another vendor."""
    if owner is CodeOwner.CORE:
        return ProviderCapabilities(frozenset({CodeOwner.CORE}), CHANNELS, simulated=True, stands_in=True)
    return ProviderCapabilities(
        frozenset({CodeOwner.PROVIDER}),
        CHANNELS,
        resend=ResendSemantics.SAME_CODE,
        limit=ProviderLimit(MAX_SENDS, lifetime),
        code_lifetime=lifetime,
        code_digits=(6, 6),
        check_by_recipient=True,
        simulated=True,
        stands_in=True,
    )


def _failure(ordered: Outcome | None) -> Failure | None:
    """The failure of a send that was ordered; None where another outcome was, or none."""
    match ordered:
        case Failure() as failure:
            return failure
        case FailureKind() as kind:
            effect = SendEffect.UNKNOWN if kind in _UNKNOWN_KINDS else SendEffect.NOT_SENT
            return Failure(kind, effect, "ordered by the script or a magic number")
        case _:
            return None


class Exchange:
    """The vendor behind the fake: live verifications, the outbox, counts of calls. Thread-safe.

    A blocking and an awaited fake given the same exchange are two clients of one vendor.

    Args:
        owner: who makes and compares the code.
        script: see `Script`.
        lifetime: how long a verification lives from its first send; over 0.
        seed: makes codes and handles the same in every run; None draws them from the system.
        clock: gives the time.
    """

    def __init__(
        self,
        *,
        owner: CodeOwner = CodeOwner.PROVIDER,
        script: Script | None = None,
        lifetime: timedelta = timedelta(seconds=600),
        seed: int | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.owner = owner
        self.lifetime = lifetime
        self.script = script
        self.capabilities = _capabilities(owner, lifetime)
        self.receipts = Receipts()
        self._clock = clock
        self._random = random.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311  # a seed asks for it
        self._lock = threading.Lock()
        self._live: dict[str, _Verification] = {}
        self._recipients: dict[str, str] = {}
        self._outbox: list[Message] = []
        self._handles: set[str] = set()
        self._due: list[InboundRequest] = []
        self._reported: list[tuple[str, ReportedOutcome]] = []
        self._calls: Counter[str] = Counter()

    @property
    def outbox(self) -> tuple[Message, ...]:
        """Every message that left, oldest first."""
        with self._lock:
            return tuple(self._outbox)

    @property
    def calls(self) -> Mapping[str, int]:
        """How often "send", "check", "cancel" and "report_outcome" were called, whatever came of it; 0 when never."""
        with self._lock:
            return Counter(self._calls)

    def code_for(self, recipient: str) -> str:
        """The code that this recipient holds: of the live verification, or of the last message.

        Raises:
            LookupError: there is none.
        """
        with self._lock:
            if self.owner is CodeOwner.PROVIDER:
                if live := self._verification(recipient):
                    return live.code
            else:
                for message in reversed(self._outbox):
                    if message.recipient == recipient:
                        return message.code
        raise LookupError("this recipient holds no live code")

    def send(self, request: SendRequest) -> Accepted | Failure:
        """See `Provider.send`."""
        with self._lock:
            self._calls["send"] += 1
        ordered = self._ordered(request, request.recipient)
        if isinstance(ordered, Vanished):
            return Failure(ordered.kind, SendEffect.UNKNOWN, "nothing left, and nobody knows")
        failure = _failure(ordered)
        with self._lock:
            if failure is not None and failure.effect is SendEffect.NOT_SENT:
                return failure
            return self._deliver(request, failure)

    def check(self, request: CheckRequest) -> CheckAnswer:
        """See `Checks.check`."""
        with self._lock:
            self._calls["check"] += 1
            live = self._find(request)
        recipient = request.recipient or (live.recipient if live else None)
        ordered = self._ordered(request, recipient)
        with self._lock:
            match ordered:
                case CheckVerdict():
                    answer = CheckAnswer(ordered, live.handle if live else None)
                case CheckAnswer():
                    answer = ordered
                case _:
                    return self._compare(request)
            if answer.verdict is CheckVerdict.APPROVED and live:
                self._end(live)
            return answer

    def cancel(self, handle: str) -> bool:
        """End the verification; False when it does not live."""
        with self._lock:
            self._calls["cancel"] += 1
            live = self._by_handle(handle)
            if live is None:
                return False
            self._end(live)
            return True

    def due_receipts(self) -> tuple[InboundRequest, ...]:
        """What the vendor would POST by now of messages to `DELIVERIES`, oldest first; each is given out once."""
        with self._lock:
            due, self._due = tuple(self._due), []
            return due

    @property
    def reported(self) -> tuple[tuple[str, ReportedOutcome], ...]:
        """What it was told became of its messages: handle and outcome, oldest first."""
        with self._lock:
            return tuple(self._reported)

    def report_outcome(self, handle: str, outcome: ReportedOutcome) -> bool:
        """Take note; False when it gave out no such handle."""
        with self._lock:
            self._calls["report_outcome"] += 1
            known = handle in self._handles
            if known:
                self._reported.append((handle, outcome))
            return known

    def _ordered(self, request: SendRequest | CheckRequest, recipient: str | None) -> Outcome | None:
        """What script or magic numbers say; outside the lock, because a script is the caller's code.

        Raises:
            Exception: the one that the script ordered.
        """
        ordered: Outcome | None = None
        if callable(self.script):
            ordered = self.script(request)
        elif self.script is not None and recipient is not None:
            ordered = self.script.get(recipient)
        if ordered is None and recipient is not None:
            ordered = MAGIC_NUMBERS.get(recipient)
        if isinstance(ordered, Exception):
            raise ordered
        return ordered

    def _deliver(self, request: SendRequest, lost: Failure | None) -> Accepted | Failure:
        """Put the message in the outbox; `lost` is then answered instead of the acceptance."""
        now = self._clock()
        if self.owner is CodeOwner.CORE:
            code = request.code
            if code is None:
                return Failure(FailureKind.INTERNAL, SendEffect.NOT_SENT, "the core owns the code and gave none")
            handle = self._handle()
        else:
            if request.code is not None:
                return Failure(
                    FailureKind.INTERNAL, SendEffect.NOT_SENT, "the provider owns the code and was given one"
                )
            live = self._verification(request.recipient)
            if live is None:
                live = self._open(request.recipient, now)
            if live.sends >= MAX_SENDS or live.checks >= MAX_CHECKS:
                return Failure(
                    FailureKind.RATE_LIMITED,
                    SendEffect.NOT_SENT,
                    "the recipient's sends or checks of this verification are used up",
                    scope=FailureScope.RECIPIENT,
                    retry_after=live.ends_at - now,
                )
            live.sends += 1
            code, handle = live.code, live.handle
        text = request.message.text if request.message is not None else None
        message = Message(request.recipient, code, request.channel, request.send_id, request.purpose, handle, now, text)
        self._outbox.append(message)
        self._handles.add(handle)
        if (state := DELIVERIES.get(request.recipient)) is not None:
            self._due.append(self.receipts.of(handle, request.recipient, state))
        return lost or Accepted(handle, native=message)

    def _open(self, recipient: str, now: datetime) -> _Verification:
        handle = self._handle()
        code = f"{self._random.randrange(10**6):06d}"
        live = self._live[recipient] = _Verification(handle, recipient, code, now + self.lifetime)
        self._recipients[handle] = recipient
        return live

    def _handle(self) -> str:
        return f"fake_{self._random.getrandbits(64):016x}"

    def _compare(self, request: CheckRequest) -> CheckAnswer:
        live = self._find(request)
        if live is None:
            return CheckAnswer(CheckVerdict.GONE)
        if live.checks >= MAX_CHECKS:
            return CheckAnswer(CheckVerdict.EXHAUSTED, live.handle)
        live.checks += 1
        if request.code != live.code:
            return CheckAnswer(CheckVerdict.WRONG, live.handle)
        self._end(live)
        return CheckAnswer(CheckVerdict.APPROVED, live.handle)

    def _find(self, request: CheckRequest) -> _Verification | None:
        if request.handle is not None:
            return self._by_handle(request.handle)
        return None if request.recipient is None else self._verification(request.recipient)

    def _by_handle(self, handle: str) -> _Verification | None:
        recipient = self._recipients.get(handle)
        live = None if recipient is None else self._verification(recipient)
        return live if live is not None and live.handle == handle else None

    def _verification(self, recipient: str) -> _Verification | None:
        live = self._live.get(recipient)
        if live is not None and live.ends_at <= self._clock():
            self._end(live)
            return None
        return live

    def _end(self, live: _Verification) -> None:
        self._live.pop(live.recipient, None)
        self._recipients.pop(live.handle, None)
