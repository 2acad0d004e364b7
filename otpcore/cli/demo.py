"""`otpcore demo`: one verification from beginning to end, each step checked against what is promised.

Rules of this file: the story and what each step must find; the stage, with emulator, engine and file, is in `stage`.
A step that finds anything else ends the story with its name, what was wanted and what was found.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from otpcore.cli.moments import lasting, when
from otpcore.cli.stage import NUMBER, Message, Stage, open_stage
from otpcore.contract import mask
from otpcore.model import SendState, SessionStatus
from otpcore.policy import DEMO
from otpcore.results import Approved, Ended, Sent, Wait, WaitReason, Wrong

__all__ = ["STEPS", "Differs", "Step", "play"]

ROUNDING_S: Final = 0.005
"""The ladder counts in milliseconds, this machine's clock in microseconds."""


class Differs(Exception):
    """A step found something else than what is promised."""

    def __init__(self, wanted: str, found: object) -> None:
        super().__init__(f"wanted {wanted}; found {found}")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the timeline.

    Attributes:
        name: of the step.
        at_s: seconds since the demonstration began.
        lines: what was found, or what differs; at least one.
        ok: it found what is promised.
    """

    name: str
    at_s: float
    lines: tuple[str, ...]
    ok: bool = True


@dataclass(slots=True)
class Scene:
    """What the steps hand on to each other."""

    stage: Stage
    pause: Callable[[float], None]
    token: str = field(default="", repr=False)
    resend_at: datetime | None = None

    @property
    def texts(self) -> tuple[Message, ...]:
        """What the phone has received, oldest first."""
        return tuple(self.stage.inbox(NUMBER))

    @property
    def code(self) -> str:
        """The newest code on the phone."""
        return self.texts[-1].code


def play(
    *,
    pause: Callable[[float], None] = time.sleep,
    stage: Callable[[], AbstractContextManager[Stage]] = open_stage,
) -> Iterator[Step]:
    """Perform the steps, one after the other; after the first that differs only the cleaning up follows.

    Args:
        pause: waits so many seconds.
        stage: makes the world that the demonstration runs in.

    Raises:
        OtpcoreError: the stage cannot be made.
    """
    began = time.monotonic()

    def told(name: str, lines: Iterable[str], *, ok: bool = True) -> Step:
        return Step(name, time.monotonic() - began, tuple(lines), ok)

    with ExitStack() as closing:
        set_up = closing.enter_context(stage())
        yield told("emulator", [f"Twilio's SDK reaches Verify on {set_up.address}"])
        scene = Scene(set_up, pause)
        for name, perform in STEPS:
            try:
                lines = perform(scene)
            except Exception as error:  # noqa: BLE001  # whatever happens in a step is what the step found
                found = str(error) if isinstance(error, Differs) else f"{type(error).__name__}: {error}"
                yield told(name, [found], ok=False)
                break
            yield told(name, lines)
    left = set_up.left_behind()
    yield told("clean up", [f"left behind: {left}" if left else "the emulator is gone, so is its file"], ok=not left)


def start(scene: Scene) -> list[str]:
    """A first code is sent."""
    sent = scene.stage.engine.start(NUMBER, purpose="login")
    if not isinstance(sent, Sent) or sent.state is not SendState.ACCEPTED or sent.session.token is None:
        raise Differs("a first code sent", sent)
    now, at = datetime.now(UTC), sent.next.resend_at
    if at is None or not at - now <= DEMO.ladder[0] or sent.next.checks_left != DEMO.checks_per_session:
        raise Differs(f"the next send {lasting(DEMO.ladder[0])} later and 5 checks", sent.next)
    _messages(scene, 1)
    scene.token, scene.resend_at = sent.session.token, at
    return [
        f"sent; resend possible {when(at, now=now)}; {sent.next.checks_left} checks left",
        f"{mask(NUMBER)} reads: {scene.texts[0].text}",
    ]


def first_in_file(scene: Scene) -> list[str]:
    """The reservation is in the file, without number and code."""
    lines = [_kept(scene, ladder=1, sends=1, live=1)]
    return [*lines, f"under {scene.stage.key()[:8]}…, without number, code or token"]


def early_resend(scene: Scene) -> list[str]:
    """Too early is refused with the time at which it will not be."""
    wait = scene.stage.engine.resend(scene.token, NUMBER)
    if not isinstance(wait, Wait) or wait.reason is not WaitReason.LADDER or wait.until != scene.resend_at:
        raise Differs(f"a refusal until {scene.resend_at}", wait)
    _messages(scene, 1)
    return [f"refused; possible {when(wait.until, now=datetime.now(UTC))}; nothing was sent"]


def resend(scene: Scene) -> list[str]:
    """After the wait the code is sent again."""
    left = (scene.resend_at or datetime.now(UTC)) - datetime.now(UTC)
    scene.pause(max(0.0, left.total_seconds()) + ROUNDING_S)
    sent = scene.stage.engine.resend(scene.token, NUMBER)
    if not isinstance(sent, Sent) or sent.session.token != scene.token:
        raise Differs("the same session sent again", sent)
    _messages(scene, 2)
    first, second = scene.texts
    if first.code != second.code:
        raise Differs("the same code, as Twilio repeats it", "another code")
    return ["sent, in the same session; Twilio repeats its code"]


def second_in_file(scene: Scene) -> list[str]:
    """The counter went up by one, not by the early try."""
    return [_kept(scene, ladder=2, sends=2, live=1)]


def wrong_code(scene: Scene) -> list[str]:
    """A wrong code costs one check."""
    wrong = "".join(str((int(digit) + 1) % 10) for digit in scene.code)
    answer = scene.stage.engine.check(scene.token, wrong)
    if not isinstance(answer, Wrong) or answer.next.checks_left != DEMO.checks_per_session - 1:
        raise Differs("wrong, with 4 checks left", answer)
    return [f"{wrong} is wrong; {answer.next.checks_left} checks left"]


def right_code(scene: Scene) -> list[str]:
    """The code that the phone shows approves."""
    answer = scene.stage.engine.check(scene.token, scene.code)
    if not isinstance(answer, Approved) or answer.session.status is not SessionStatus.APPROVED:
        raise Differs("approved", answer)
    return [f"{scene.code} from the phone: approved"]


def used_code(scene: Scene) -> list[str]:
    """The same code opens nothing twice."""
    answer = scene.stage.engine.check(scene.token, scene.code)
    if not isinstance(answer, Ended) or answer.status is not SessionStatus.APPROVED:
        raise Differs("refused as used", answer)
    return ["the same code again: refused, it is used"]


def last_in_file(scene: Scene) -> list[str]:
    """Success clears the ladder, and not the daily cap."""
    return [_kept(scene, ladder=0, sends=2, live=0)]


STEPS: Final[tuple[tuple[str, Callable[[Scene], list[str]]], ...]] = (
    ("start", start),
    ("in the file", first_in_file),
    ("early resend", early_resend),
    ("resend", resend),
    ("in the file", second_in_file),
    ("wrong code", wrong_code),
    ("right code", right_code),
    ("used code", used_code),
    ("in the file", last_in_file),
)


def _messages(scene: Scene, count: int) -> None:
    if len(scene.texts) != count:
        raise Differs(f"{count} message{'s' * (count > 1)} on the phone", len(scene.texts))


def _kept(scene: Scene, *, ladder: int, sends: int, live: int) -> str:
    record = scene.stage.record()
    found = (record.ladder.count, len(record.sends), sum(session.is_live for session in record.sessions))
    if found != (ladder, sends, live):
        raise Differs(f"ladder {ladder}, {sends} sends, {live} live sessions", found)
    stored = scene.stage.stored()
    if any(secret.encode() in stored for secret in (NUMBER.removeprefix("+"), scene.code, scene.token)):
        raise Differs("neither number, nor code, nor token in the file", "one of them")
    status = record.sessions[-1].status.value
    return f"session {status}, ladder {ladder} of {len(DEMO.ladder)}, {sends} of {DEMO.daily_cap} sends today"
