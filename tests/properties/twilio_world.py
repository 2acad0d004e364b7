"""A recipient's life with Twilio Verify: engine, store, provider, processes that end, and notes of every answer.

Rules of this file: each answer is judged as it comes, by the book; what must hold at every step says the machine.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Final

from otpcore import (
    Approved,
    ByRecipient,
    Ended,
    Engine,
    Forgotten,
    Refused,
    Sent,
    Undecided,
    Unlocked,
    Wait,
    WaitReason,
    Wrong,
)
from otpcore.model import CheckState, RecipientRecord, SendState
from otpcore.policy import Profile
from otpcore.results import Refusal
from tests.properties.answered import NEAR, Answer
from tests.properties.book import Book
from tests.properties.places import File, Memory
from tests.properties.twilio_wire import Call, Died, Vendor
from tests.properties.world import PEPPER

__all__ = ["LIFE", "PURPOSES", "SIXES", "Note", "World"]

PURPOSES: Final = ("login", "payment")
LIFE: Final = timedelta(seconds=600)
LONGEST_STEP: Final = 24
"""Operations of one step, at the most."""

SIXES: Final = re.compile(r"(?<![0-9A-Za-z_-])[0-9]{6}(?![0-9A-Za-z_-])")


@dataclass(slots=True)
class Note:
    """What is known of one session.

    Attributes:
        token: of its holder; None where it is addressed by its recipient.
        sid: of its verification, as far as an answer named one.
        revealed: answers that were told.
        over: it must never be approved any more.
    """

    id: str
    purpose: str
    token: str | None
    expires_at: datetime
    sid: str | None = None
    revealed: int = 0
    asked: int = 0
    successes: int = 0
    over: bool = False


@dataclass
class World:
    """One recipient, over one store, with one Twilio.

    Attributes:
        now: what the engine's clock shows.
        number: the recipient's.
        passed: how much time has gone by: jumps backwards do not count.
        straight: the clock never ran backwards, so that every wait is known exactly.
        lied: Twilio may have told what is not so; then it is enough that no session is told of another's verification.
        hasty: what was asked of Twilio too early.
        wrong: answers that neither the book nor Twilio allows.
        answers: the last ones, as many as one step may bring.
        began: when an answer first named a verification.
        served: the purposes for which it was asked for.
    """

    vendor: Vendor
    place: Memory | File
    profile: Profile
    now: datetime
    number: str
    seed: int = 1
    passed: timedelta = timedelta(0)
    straight: bool = True
    lied: bool = False
    sessions: list[Note] = field(default_factory=list[Note])
    hasty: list[str] = field(default_factory=list[str])
    wrong: list[str] = field(default_factory=list[str])
    answers: deque[Answer] = field(default_factory=partial(deque[Answer], maxlen=LONGEST_STEP))
    began: dict[str, timedelta] = field(default_factory=dict[str, timedelta])
    served: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def __post_init__(self) -> None:
        self.book = Book(self.profile)
        self.store: Any = self.place.store
        self._random = Random(self.seed)
        self.vendor.wire.before = self._on_the_wire
        self.engine = self._opened()

    def _opened(self) -> Engine:
        self._provider = self.vendor.provider()
        return Engine(
            self.store,
            self._provider,
            pepper=PEPPER,
            profile=self.profile,
            purposes=PURPOSES,
            clock=lambda: self.now,
            entropy=self._random.randbytes,
        )

    def restart(self) -> None:
        """Another process goes on over the same store; of the one before only the sockets are closed."""
        self._provider.close()
        self.store = self.place.reopened()
        self.engine = self._opened()

    def move(self, by: timedelta) -> None:
        """Turn the engine's clock; time passes for Twilio only where that is forward."""
        self.now += by
        if by > timedelta(0):
            self.passed += by
            self.vendor.move(by)
        else:
            self.straight = False

    def dump(self) -> bytes:
        """All that is stored."""
        return b"\n".join(key.encode() + b" " + entry.data for key, entry in self.store.scan("", 1000))

    def record(self) -> RecipientRecord:
        """The recipient's record; an empty one when there is none."""
        found = [entry.data for key, entry in self.store.scan("", 10) if "/r/" in key]
        return RecipientRecord.decode(found[0]) if found else RecipientRecord()

    def _on_the_wire(self, call: Call) -> None:
        """Reserved before it is sent, claimed before it is asked: looked for in the store while the request waits."""
        record = self.record()
        if call.operation == "create":
            mine = [one for one in record.sends if one.state is SendState.RESERVED and one.at == record.mark_at]
            if not mine or not record.ladder.count or record.ladder.next_at is None:
                self.hasty.append("a code was sent before its step was taken")
        if call.operation == "check" and not any(one.state is CheckState.CLAIMED for one in record.checks):
            self.hasty.append("a check was asked for before its try was spent")

    # --- operations ------------------------------------------------------------------------------

    def act(self, ask: Callable[[Engine], Any]) -> Any:
        """Perform one operation and take the common notes; None: its process died."""
        calls, messages = self.vendor.wire.calls, len(self.vendor.messages())
        before = len(calls)
        try:
            result = ask(self.engine)
        except Died:
            self.restart()
            result = None
        new = calls[before:]
        self.answers.append(Answer(result, tuple(new), len(self.vendor.messages()) - messages, self.now))
        for call in new:
            if call.operation == "create":
                self.book.sent(self.now, self.passed, refused=result is not None and call.refused)
        if result is None and any(call.operation == "check" for call in new):
            self.book.failed(self.now, self.passed)
        return result

    def send(
        self, ask: Callable[[Engine], Any], purpose: str, note: Note | None = None, *, addressed: bool = False
    ) -> Any:
        """Start, or resend to the session of `note`; the answer is judged by the book.

        Args:
            ask: the operation.
            purpose: of the session.
            note: of the session, where it is known.
            addressed: the session is addressed by its recipient.
        """
        ladder, cap = self.book.ladder_until(self.now), self.book.cap_until(self.now)
        locked, quiet = self.book.is_locked(self.now), self._is_quiet()
        alive = note is not None and self._is_alive(note)
        result = self.act(ask)
        calls = [call for call in self.answers[-1].calls if call.operation == "create"]
        for call in calls:
            if call.sid is not None and call.status == 201:
                if isinstance(result, Sent) or not self.lied:
                    self.served.setdefault(call.sid, set()).add(purpose)
                if result is not None:
                    self.began.setdefault(call.sid, self.passed)
        if result is None:
            if addressed and calls:
                self._note_unnamed(purpose, calls[0].sid)
            return None
        if self.straight:
            self._as_the_book_says(result, ladder, cap, locked=locked)
            if calls:
                self._allow(not (ladder or cap or locked), "a send that the book does not allow")
            elif note is None and not addressed and quiet:
                self._allow(ladder or cap or locked, f"nothing stands against a send, and none was made: {result}")
        if isinstance(result, Ended) and note is not None:
            self._allow(not alive, "nothing has ended the session, and it is over")
            note.over = True
        if isinstance(result, Sent) and not result.replayed:
            self._note(result, purpose, calls[0].sid if calls else None)
        return result

    def _note(self, sent: Sent, purpose: str, sid: str | None) -> None:
        known = next((one for one in self.sessions if one.id == sent.session.id), None)
        unnamed = None if sent.session.token is not None else self.addressed(purpose)
        if known is None and unnamed is not None and self._may_be_unnamed(unnamed):
            known, unnamed.id = unnamed, sent.session.id
        expires_at = sent.next.expires_at or self.now
        if known is None:
            known = Note(sent.session.id, purpose, sent.session.token, expires_at)
            self.sessions.append(known)
        self._allow(not known.over, "a code was sent for a session that is over")
        known.expires_at = expires_at
        known.sid = sid or known.sid

    def _note_unnamed(self, purpose: str, sid: str | None) -> None:
        """A process died while it sent for a recipient: the session is there, and nobody was told its id."""
        known = self.addressed(purpose)
        if known is None or known.over or self.now >= known.expires_at:
            # else it was a further send of that one
            self.sessions.append(Note("", purpose, None, self.now + LIFE, sid))

    def _may_be_unnamed(self, note: Note) -> bool:
        return not note.id and not note.over and self.now < note.expires_at

    def addressed(self, purpose: str) -> Note | None:
        """The session that its recipient and a purpose address: the newest."""
        return next((one for one in reversed(self.sessions) if one.token is None and one.purpose == purpose), None)

    def meant(self, note: Note) -> Note:
        """The session that is reached in the way in which this one was."""
        return note if note.token is not None else self.addressed(note.purpose) or note

    def _as_the_book_says(self, result: Any, ladder: datetime | None, cap: datetime | None, *, locked: bool) -> None:
        if isinstance(result, Wait):
            self._allow(not locked, "a wait although the recipient is locked")
            known = max((each for each in (ladder, cap) if each is not None), default=None)
            self._allow(known is None or result.until >= known, f"until {result.until}, by the book {known}")
            if result.reason in {WaitReason.LADDER, WaitReason.DAILY_CAP}:
                own = ladder if result.reason is WaitReason.LADDER else cap
                self._allow(result.until == known == own, f"until {result.until}, by the book {known}")
        if isinstance(result, Refused) and result.kind is Refusal.LOCKED:
            self._allow(locked, "locked without the failures")

    def _allow(self, allowed: object, complaint: str) -> None:
        if not allowed:
            self.wrong.append(complaint)

    def _is_quiet(self) -> bool:
        """Whether nothing but the book can stand against a start: no live session, no verification at Twilio."""
        live = any(not one.over and self.now < one.expires_at for one in self.sessions)
        near = any(one.passed > self.passed - NEAR for one in self.book.sends)
        return not live and not near and self.vendor.wire.dies is None

    def check(self, note: Note, code: Any) -> Any:
        """Try a code at a session; the answer is judged by the book, and by what Twilio holds."""
        note = self.meant(note)
        locked, must = self.book.is_locked(self.now), self._must_be_right(note, code)
        sound = not self.vendor.ordered("check")
        right = note.sid is None or any(one.code == code for one in self.vendor.messages())
        address = note.token if note.token is not None else ByRecipient(self.number, note.purpose)
        result = self.act(lambda engine: engine.check(address, code, recipient=self.number))
        asked = [call for call in self.answers[-1].calls if call.operation == "check"]
        note.asked += len(asked)
        if result is None:
            return None  # and nobody was told which verification it was, nor its end
        for call in asked:
            if call.sid is not None and call.status == 200:
                note.sid = call.sid
        if isinstance(result, Wrong) and result.next.expires_at is not None:
            note.expires_at = result.next.expires_at  # a verification that a lost answer had hidden may end sooner
        if isinstance(result, Wrong) and result.next.expires_at is None:
            note.over = True  # that was its last try
        if self.straight and (asked or isinstance(result, Approved | Wrong)):
            self._allow(not locked, "a try although the recipient is locked")
        if self.straight and isinstance(result, Refused) and result.kind is Refusal.LOCKED:
            self._allow(locked, "locked without the failures")
        if must and sound:
            self._allow(isinstance(result, Approved), f"the code that was sent is not right: {result}")
        match result:
            case Approved():
                self._allow(not note.over, "approved although it was over")
                self._allow(note.id in {"", result.session.id}, "another session was approved")
                self._allow(self.now < note.expires_at, "approved after its end")
                self._allow(right or not sound, "approved with a code that nobody got")
                note.revealed += 1
                note.successes += 1
                note.over = True
                self.book.succeeded()
            case Wrong() | Undecided():
                note.revealed += 1
                self.book.failed(self.now, self.passed)
            case Ended():
                note.over = True
                if any(call.status == 404 or not call.refused for call in asked):
                    self.book.failed(self.now, self.passed)
            case _:
                pass
        return result

    def _must_be_right(self, note: Note, code: Any) -> bool:
        """Whether nothing can stand against this code: what was held before a failed send is still good."""
        newest = next((one for one in reversed(self.vendor.messages()) if one.sid == note.sid), None)
        return newest is not None and newest.code == code and self._is_alive(note)

    def _is_alive(self, note: Note) -> bool:
        """Whether nothing has ended a session, here or at Twilio."""
        spent = sum(one.asked for one in self.sessions if one.sid == note.sid)
        return (
            self.straight
            and not self.lied
            and not note.over
            and note.sid is not None
            and self.now < note.expires_at
            and spent < self.profile.checks_per_session
            and not self.book.is_locked(self.now)
            and self.vendor.takes_checks(note.sid)
            and self.vendor.wire.dies is None
        )

    def over(self, result: Any, *notes: Note) -> None:
        """These sessions were ended by whoever asked."""
        if isinstance(result, Ended | Forgotten):
            for note in notes:
                note.over = True
        if isinstance(result, Unlocked):
            self.book.unlocked()

    def code_of(self, note: Note) -> str:
        """What the person would type: the newest code of the verification, else the newest of all."""
        got = self.vendor.messages()
        mine = [one.code for one in got if one.sid == note.sid] or [one.code for one in got]
        return mine[-1] if mine else "000000"
