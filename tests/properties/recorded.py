"""Twilio as the cassettes have it: each answer is a recorded one, drawn by operation and outcome, ids and times apart.

It stands below the SDK and below our transport's session, so that both are exercised.

Rules of this file: what is decided here is Verify's own state, in the simplest words; no answer is made up.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from otpcore.providers.transport import Attempt
from tests.cassettes.judging import INSTANT, interactions
from tests.cassettes.record import BEGAN, EMULATED, FOLDER, LEFT_OUT, SID
from tests.cassettes.stories import NUMBER, STORIES, Attempts, Cancel, Check, Pass, Send

__all__ = ["DROPPED", "Message", "Order", "RecordedTwilio", "Verification", "outcomes", "recordings"]

LIFE: Final = timedelta(seconds=600)
SENDS: Final = 5
CHECKS: Final = 5

DROPPED: Final = "the connection broke"
FIRST: Final = "accepted"
AGAIN: Final = "accepted, same verification"
LIMIT: Final = "rate_limited of recipient, not_sent, 60203"
EXHAUSTED: Final = "exhausted, 60202"
GONE: Final = "gone, 20404"

OPERATIONS: Final = {Send: "create", Check: "check", Cancel: "update", Attempts: "list"}


@dataclass(frozen=True, slots=True)
class Recording:
    """One answer, as it was recorded, and to which number it was."""

    status: int
    headers: Mapping[str, str]
    body: str
    to: str


@dataclass(frozen=True, slots=True)
class Order:
    """What the next request of an operation meets.

    Attributes:
        operation: create or check.
        outcome: an outcome that was recorded, or `DROPPED`.
        processed: of a lost answer: the request took effect.
        variant: which of several recordings.
    """

    operation: str
    outcome: str
    processed: bool = False
    variant: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """What the person got."""

    sid: str
    code: str


@dataclass(slots=True)
class Verification:
    """One verification, in this world's time since its begin."""

    sid: str
    to: str
    code: str
    began: timedelta
    sends: int = 0
    checks: int = 0
    status: str = "pending"


@cache
def recordings() -> Mapping[tuple[str, str], tuple[Recording, ...]]:
    """Every recorded answer, by operation and outcome."""
    found: defaultdict[tuple[str, str], list[Recording]] = defaultdict(list)
    for story in STORIES:
        text = (FOLDER / EMULATED / f"{story.name}.yaml").read_text(encoding="utf-8")
        steps = [step for step in story.steps if not isinstance(step, Pass)]
        for step, exchange in zip(steps, interactions(text), strict=True):
            response = exchange["response"]
            headers = {name: values[0] for name, values in response["headers"].items() if values[0] != LEFT_OUT}
            to = step.to if isinstance(step, Send) else NUMBER
            recording = Recording(response["status"]["code"], headers, response["body"]["string"], to)
            found[OPERATIONS[type(step)], step.expect].append(recording)
    return {key: tuple(each) for key, each in found.items()}


def outcomes(operation: str) -> list[str]:
    """What was recorded of an operation, in the words of the stories."""
    return sorted(outcome for name, outcome in recordings() if name == operation)


class RecordedTwilio(HTTPAdapter):
    """A `requests` adapter that answers with recordings.

    Attributes:
        passed: its clock, from the begin of this world.
        orders: what waits for its request.
        messages: what the person got.
        verifications: oldest first.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.passed = timedelta(0)
        self.orders: list[Order] = []
        self.messages: list[Message] = []
        self.verifications: list[Verification] = []
        self._random = Random(seed)

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:  # pyright: ignore[reportIncompatibleMethodOverride]  # only what is used here
        """Answer a request of the SDK, or break the connection."""
        Attempt.current(0).maybe_sent = True
        parts = urlsplit(request.url or "")
        form = dict(parse_qsl(request.body.decode() if isinstance(request.body, bytes) else request.body or ""))
        recording, verification = self._answer(parts.path, form, parse_qs(parts.query))
        body = self._placed(recording, verification)
        raw = HTTPResponse(
            body=io.BytesIO(body.encode()), headers=recording.headers, status=recording.status, preload_content=False
        )
        return self.build_response(request, raw)  # pyright: ignore[reportUnknownMemberType]  # half typed

    def state(self, sid: str) -> Verification | None:
        """A verification as it stands now."""
        found = next((one for one in self.verifications if one.sid == sid), None)
        if found is not None and found.status in {"pending", "locked"} and self.passed >= found.began + LIFE:
            found.status = "expired"
        return found

    def _answer(
        self, path: str, form: Mapping[str, str], query: Mapping[str, list[str]]
    ) -> tuple[Recording, Verification | None]:
        if path.endswith("/Attempts"):
            found = self.state(query["VerificationSid"][0])
            converted = found is not None and found.status == "approved"
            return _pick("list", f"call {'' if converted else 'un'}converted, sms unconverted"), found
        if path.endswith("/Verifications"):
            return self._served("create", form)
        if path.endswith("/VerificationCheck"):
            return self._served("check", form)
        found = self.state(path.rpartition("/")[2])
        if found is None or found.status != "pending":
            return _pick("update", "not canceled"), found
        found.status = "canceled"
        return _pick("update", "canceled"), found

    def _served(self, operation: str, form: Mapping[str, str]) -> tuple[Recording, Verification | None]:
        proceed = self._create if operation == "create" else self._check
        order = next((one for one in self.orders if one.operation == operation), None)
        if order is None:
            outcome, verification = proceed(form)
            return _pick(operation, outcome), verification
        self.orders.remove(order)
        verification = self._meant(form)
        if order.processed:
            _, verification = proceed(form)
        if order.outcome == DROPPED:
            raise requests.ConnectionError(DROPPED)
        return _pick(operation, order.outcome, order.variant), verification

    def _meant(self, form: Mapping[str, str]) -> Verification | None:
        """The verification that a request is about."""
        if "VerificationSid" in form:
            return self.state(form["VerificationSid"])
        mine = [one for one in self.verifications if one.to == form["To"]]
        return self.state(mine[-1].sid) if mine else None

    def _create(self, form: Mapping[str, str]) -> tuple[str, Verification]:
        found = self._meant(form)
        if found is None or found.status not in {"pending", "locked"}:
            code = f"{self._random.randrange(10**6):06}"
            found = Verification(f"VE{self._random.getrandbits(128):032x}", form["To"], code, self.passed)
            self.verifications.append(found)
        elif found.status == "locked" or found.sends >= SENDS:
            return LIMIT, found
        found.sends += 1
        self.messages.append(Message(found.sid, found.code))
        return (FIRST if found.sends == 1 else AGAIN), found

    def _check(self, form: Mapping[str, str]) -> tuple[str, Verification | None]:
        found = self._meant(form)
        if found is None or found.status not in {"pending", "locked"}:
            return GONE, None
        if found.checks >= CHECKS:
            found.status = "locked"
            return EXHAUSTED, found
        found.checks += 1
        if form["Code"] != found.code:
            return "wrong", found
        found.status = "approved"
        return "approved", found

    def _placed(self, recording: Recording, verification: Verification | None) -> str:
        """The recorded body, about this verification and at this time."""
        text = recording.body
        if verification is not None:
            text = text.replace(recording.to, verification.to)
        own = verification.sid if verification is not None else f"VE{'0' * 32}"

        def placed(found: Any) -> str:
            kind = found[1]
            if kind == "VE":
                return own
            return found[0] if kind in {"AC", "VA"} else f"{kind}{self._random.getrandbits(128):032x}"

        now: datetime = BEGAN + self.passed
        return INSTANT.sub(f"{now:%Y-%m-%dT%H:%M:%SZ}", SID.sub(placed, text))


def _pick(operation: str, outcome: str, variant: int = 0) -> Recording:
    found = recordings()[operation, outcome]
    return found[variant % len(found)]
