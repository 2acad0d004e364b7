"""The facade over the recorded stories of Verify: what it makes of each answer, and that it asks what the SDK asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import vcr  # type: ignore[import-untyped]  # carries no types
from pydantic import SecretStr
from twilio.rest.verify.v2.service.verification import VerificationInstance  # type: ignore[import-untyped]  # as above
from twilio.rest.verify.v2.service.verification_check import (  # type: ignore[import-untyped]  # as above
    VerificationCheckInstance,
)
from werkzeug.exceptions import HTTPException

from otpcore.legacy import Desk, NotDone, OTP_Model, use
from otpcore.stores.memory import MemoryStore
from otpcore_twilio import TwilioProvider, TwilioSettings
from tests.cassettes.record import BEGAN, EMULATED, FOLDER, ORIGIN
from tests.cassettes.stories import ACCOUNT, FAR, LANDLINE, NOWHERE, NUMBER, PUMPED, RIGHT, SERVICE, WRONG
from tests.storms.arena import MovedClock

pytestmark = pytest.mark.filterwarnings("ignore:OTP_Model is kept:DeprecationWarning")

Made = Callable[..., OTP_Model]


@dataclass(frozen=True, slots=True)
class Send:
    """`verification()`."""

    expect: str


@dataclass(frozen=True, slots=True)
class Check:
    """`verification_check(code)`."""

    expect: str
    code: str = RIGHT


@dataclass(frozen=True, slots=True)
class Pass:
    """Our time passes; the recorded one is what it was."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Played:
    """What an application hears of a story.

    Attributes:
        steps: in their order.
        asked: how many of its requests are made; the others are decided without the vendor.
        to: the number.
        strict: without the waits of ours, where the story sends twice at once.
    """

    steps: Sequence[Send | Check | Pass]
    asked: int
    to: str = NUMBER
    strict: bool = False


SENT: Final = Send("pending, VerificationInstance")
APPROVED: Final = Check("approved, VerificationCheckInstance")
NO: Final = "403"

STORIES: Final[dict[str, Played]] = {
    "start-sms": Played((SENT,), 1),
    "right-code": Played((SENT, APPROVED), 2),
    "code-again": Played((SENT, APPROVED, Check(NO)), 2),
    "wrong-codes": Played((SENT, *[Check(NO, WRONG)] * 5, Check(NO)), 6),
    "expired": Played((SENT, Check("403, 20404"), SENT), 3, strict=True),
    "five-sends": Played((*[SENT] * 5, Pass(601), Send("429, 60203")), 6, strict=True),
    "invalid-number": Played((Send("500, 60200"),), 1, NOWHERE),
    "landline": Played((Send("500, 60205"),), 1, LANDLINE),
    "geo-block": Played((Send("500, 60605"),), 1, FAR),
    "fraud-block": Played((Send("500, 60410"),), 1, PUMPED),
    "wrong-credentials": Played((Send("500, 20003"), Check(NO)), 1),
    "too-many-requests": Played(
        (
            Send("429, 20429, after 3 s"),
            Send("429, 20429"),
            SENT,
            Check("403, 20429, after 2 s"),
            Check("403, 20429"),
            APPROVED,
        ),
        6,
    ),
    "trouble": Played(
        (Send("500"), Send("500"), Send("500"), SENT, Check("500, 20500"), Check("500"), APPROVED), 7, strict=True
    ),
}
"""The stories that an application can live through with the facade: it neither calls nor cancels."""

KINDS: Final = (VerificationInstance, VerificationCheckInstance)


@pytest.fixture
def clock() -> MovedClock:
    moved = MovedClock()
    moved.now = BEGAN
    return moved


@pytest.fixture
def made(clock: MovedClock) -> Iterator[Made]:
    settings = TwilioSettings(account_sid=ACCOUNT, auth_token=SecretStr("t" * 32), service_sid=SERVICE, origin=ORIGIN)

    def make(number: str, *, strict: bool) -> OTP_Model:
        use(lambda: Desk(MemoryStore(), TwilioProvider(settings), clock=clock))
        return OTP_Model(number, strict_legacy=strict)

    yield make
    use(None)


def told(call: Callable[[], Any]) -> str:
    """The gist of an answer: its status and type, or the error's status, Twilio's code and when to come back."""
    try:
        found = call()
    except HTTPException as error:
        reason = error.__cause__
        result = reason.result if isinstance(reason, NotDone) else None
        if result is None:
            return f"{error.code}, {reason!r}"
        code = getattr(getattr(result, "cause", None), "provider_code", None)
        after = getattr(error, "retry_after", None)
        parts = [str(error.code), *([code] if code else []), *([f"after {after} s"] if after else [])]
        return ", ".join(parts)
    assert isinstance(found, KINDS)
    return f"{found.status}, {type(found).__name__}"


def played(made: Made, clock: MovedClock, story: Played, path: Path) -> tuple[list[str], int]:
    """What was heard, and how many recorded answers it took."""
    recorder: Any = vcr.VCR(record_mode=vcr.mode.NONE, match_on=["method", "uri", "body"])
    otp, heard = made(story.to, strict=story.strict), list[str]()
    with recorder.use_cassette(path) as cassette:
        for step in story.steps:
            match step:
                case Send():
                    heard.append(told(otp.verification))
                case Check(code=code):
                    heard.append(told(partial(otp.verification_check, code)))
                case Pass(seconds=seconds):
                    clock.advance(timedelta(seconds=seconds))
    return heard, int(cassette.play_count)


def expected(story: Played) -> tuple[list[str], int]:
    return [step.expect for step in story.steps if not isinstance(step, Pass)], story.asked


@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_told_as_an_application_of_old_understands_it(name: str, made: Made, clock: MovedClock) -> None:
    story = STORIES[name]
    assert played(made, clock, story, FOLDER / EMULATED / f"{name}.yaml") == expected(story)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("Code=424242", "Code=424243"),
        ("Channel=sms", "Channel=call"),
        ("VerificationSid=VE", "VerificationSid=VX"),
        ('"status":"approved"', '"status":"pending"'),
        ('"valid":true', '"valid":false'),
    ],
)
def test_a_spoiled_story_is_noticed(was: str, becomes: str, made: Made, clock: MovedClock, tmp_path: Path) -> None:
    story = STORIES["right-code"]
    text = (FOLDER / EMULATED / "right-code.yaml").read_text("utf-8")
    spoiled = tmp_path / "spoiled.yaml"
    spoiled.write_text(text.replace(was, becomes), "utf-8")
    assert spoiled.read_text("utf-8") != text
    assert played(made, clock, story, spoiled) != expected(story)
