"""`make cassettes`: records every story with vcrpy, from the official SDK's own client.

From the project's emulator, into `cassettes/twilio/`. Or, with credentials and a number in the environment, from the
live service into `cassettes/twilio-live/`: TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_SERVICE_SID and
OTPCORE_CASSETTES_NUMBER, a phone at hand, which gets some twenty messages and calls.

Rules of this file: what is written holds no credential, no code that was really sent, no id and no number of a real
account; the live service alone is recorded under its own host. Nothing of otpcore's transports is used here.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import vcr  # type: ignore[import-untyped]  # carries no types
from pydantic import SecretStr
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]  # the SDK carries no types
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]  # as above
from twilio.rest import Client  # type: ignore[import-untyped]  # as above

from otpcore.errors import ConfigurationError
from otpcore_twilio.emulator import Options, serve
from otpcore_twilio.settings import TwilioSettings
from tests.cassettes.stories import (
    ACCOUNT,
    NUMBER,
    RIGHT,
    SERVICE,
    STORIES,
    UNKNOWN_SID,
    Attempts,
    Cancel,
    Check,
    Pass,
    Send,
    Story,
)

__all__ = [
    "EMULATED",
    "FOLDER",
    "LISTED",
    "LIVE",
    "LIVE_ORIGIN",
    "ORIGIN",
    "Live",
    "Rewriting",
    "live_from",
    "main",
    "record_emulated",
    "record_live",
]

FOLDER: Final = Path(__file__).parents[2] / "cassettes"
EMULATED: Final = "twilio"
LIVE: Final = "twilio-live"

ORIGIN: Final = "http://127.0.0.1:4010"
"""The emulator's address; its port, another one at each start, is written as this one."""

LIVE_ORIGIN: Final = "https://verify.twilio.com"

VARIABLES: Final = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_SERVICE_SID", "OTPCORE_CASSETTES_NUMBER")

BEGAN: Final = datetime(2026, 1, 5, 9, 0, 0, 123_000, tzinfo=UTC)
"""When the emulator's clock stands at the begin of each story."""

VALIDITY_S: Final = 600
TIMEOUT_S: Final = 10
LISTED: Final = 20

SHOWN: Final = frozenset({"content-type", "retry-after", "twilio-reached-rate-limit", "www-authenticate"})
"""Headers of responses whose values are kept; of the others only the name."""

FRAMING: Final = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection"})
"""Headers that would be wrong about a body that was rewritten."""

LEFT_OUT: Final = "(left out)"

SID: Final = re.compile(r"(?<![A-Za-z0-9])([A-Z]{2})[0-9a-f]{32}")


@dataclass(slots=True)
class Rewriting:
    """From what was on the wire to what is written down.

    Attributes:
        words: what stands for what, longest first where one holds another.
        sids: the ids that were met, in their order.
    """

    words: dict[str, str]
    sids: dict[str, str] = field(default_factory=dict[str, str])

    def text(self, text: str) -> str:
        for real, written in self.words.items():
            text = text.replace(real, written)
        return SID.sub(self._sid, text)

    def _sid(self, found: re.Match[str]) -> str:
        if found[0] in {ACCOUNT, SERVICE, UNKNOWN_SID}:
            return found[0]
        return self.sids.setdefault(found[0], f"{found[1]}{len(self.sids) + 1:032}")

    def request(self, request: Any) -> Any:
        request.uri = self.text(request.uri)
        request.headers = {name: value for name, value in request.headers.items() if name.lower() == "content-type"}
        if request.body is not None:
            body = request.body if isinstance(request.body, bytes) else str(request.body).encode()
            request.body = self.text(body.decode()).encode()
        return request

    def response(self, response: dict[str, Any]) -> dict[str, Any]:
        response["body"]["string"] = self.text(response["body"]["string"].decode()).encode()
        response["headers"] = {
            name.lower(): [self.text(value) if name.lower() in SHOWN else LEFT_OUT for value in values]
            for name, values in sorted(response["headers"].items())
            if name.lower() not in FRAMING
        }
        return response


@dataclass(frozen=True, slots=True)
class Live:
    """Where a story is recorded from.

    Attributes:
        origin: of Verify.
        username: account SID.
        password: auth token.
        service_sid: VA….
        number: where codes are sent.
        read_code: gives the code that the number got last.
        pause: lets so many seconds pass.
        shown_as: the origin, as it is written.
    """

    origin: str
    username: str
    password: str = field(repr=False)
    service_sid: str
    number: str
    read_code: Callable[[], str]
    pause: Callable[[float], object] = time.sleep
    shown_as: str = LIVE_ORIGIN

    def client(self, token: str | None = None) -> Any:
        """The SDK's own client, with its own transport."""
        http: Any = TwilioHttpClient(timeout=TIMEOUT_S)
        http.session.trust_env = self.shown_as == LIVE_ORIGIN  # no proxy between the recorder and this machine
        client: Any = Client(self.username, token or self.password, http_client=http)
        client.region = client.edge = None  # they would be written into the address
        client.verify.base_url = self.origin
        return client


def record(story: Story, source: Live, path: Path, head: str) -> None:
    """Play a story with the SDK alone, and write what was on the wire."""
    rewriting = Rewriting(
        {
            source.origin: source.shown_as,
            source.username: ACCOUNT,
            source.service_sid: SERVICE,
            source.number.removeprefix("+"): NUMBER.removeprefix("+"),
        }
    )
    path.unlink(missing_ok=True)
    recorder: Any = vcr.VCR(
        record_mode=vcr.mode.ONCE,
        before_record_request=rewriting.request,
        before_record_response=rewriting.response,
    )
    client = source.client("w" * 32 if story.wrong_token else None)
    try:
        with recorder.use_cassette(path):
            _tell(story, source, client, rewriting)
    finally:
        client.http_client.session.close()
    comment = "".join(f"# {line}\n" for line in (story.text, *head.splitlines()))
    path.write_text(comment + path.read_text(encoding="utf-8"), encoding="utf-8")


def _tell(story: Story, source: Live, client: Any, rewriting: Rewriting) -> None:
    service = client.verify.v2.services(source.service_sid)
    handle = ""
    for step in story.steps:
        source.pause(step.seconds if isinstance(step, Pass) else 1)
        with suppress(TwilioException):  # a refusal is part of the story
            if isinstance(step, Send):
                custom = {} if step.code is None else {"custom_code": step.code}
                to = source.number if step.to == NUMBER else step.to
                handle = service.verifications.create(to=to, channel=step.channel, **custom).sid
            elif isinstance(step, Check):
                code = source.read_code() if step.code == RIGHT else step.code
                if step.code == RIGHT:
                    rewriting.words[f"Code={code}"] = f"Code={RIGHT}"
                target = {"to": source.number} if step.by_number else {"verification_sid": step.sid or handle}
                service.verification_checks.create(code=code, **target)
            elif isinstance(step, Cancel):
                service.verifications(handle).update(status="canceled")
            elif isinstance(step, Attempts):
                client.verify.v2.verification_attempts.list(
                    verify_service_sid=source.service_sid, verification_sid=handle, limit=LISTED, page_size=LISTED
                )


# --- the emulator --------------------------------------------------------------------------------


@contextmanager
def _emulated(story: Story) -> Generator[Live]:
    with serve(Options(seed=1, **story.options), clock=lambda: BEGAN) as emulator:
        source = Live(
            origin=emulator.url,
            username=emulator.account_sid,
            password=emulator.auth_token,
            service_sid=emulator.service_sid,
            number=NUMBER,
            read_code=lambda: emulator.latest_code(NUMBER),
            pause=emulator.advance,
            shown_as=ORIGIN,
        )
        if story.custom_codes:
            client = source.client()
            client.verify.v2.services(source.service_sid).update(custom_code_enabled=True)
            client.http_client.session.close()
        yield source


def record_emulated(folder: Path) -> list[Path]:
    """Record every story from the emulator.

    Returns:
        The files, one for each story.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for story in STORIES:
        path = folder / f"{story.name}.yaml"
        with _emulated(story) as source:
            record(story, source, path, f"Recorded from the project's emulator, not from Twilio. {_options(story)}")
        paths.append(path)
    return paths


def _options(story: Story) -> str:
    said: list[str] = []
    for row in story.options.get("magic", {}).values():
        on = "" if row.channels is None else f" by {' or '.join(sorted(row.channels))}"
        said.append(f"magic: {row.on} for {row.number}{on} is answered with {row.outcome}")
    said += [
        f"fault: {scenario.model_dump_json(exclude_defaults=True)}".replace('"', "")
        for scenario in story.options.get("faults", ())
    ]
    if story.custom_codes:
        said.append("the service has custom codes enabled")
    return "Options in force: seed 1, and the defaults." + "".join(f"\n{line}" for line in said)


# --- the live service ----------------------------------------------------------------------------


def live_from(environ: Mapping[str, str]) -> Live | None:
    """The live service, as the environment describes it; None where it says nothing.

    Raises:
        ConfigurationError: half of it is given, or a value cannot be; names variables, never a value.
    """
    missing = [name for name in VARIABLES if not environ.get(name)]
    if len(missing) == len(VARIABLES):
        return None
    if missing:
        raise ConfigurationError(
            f"To record from the live service all of {', '.join(VARIABLES)} are needed; missing: {', '.join(missing)}. "
            "To record from the emulator, set none of them."
        )
    account, token, service, number = (environ[name] for name in VARIABLES)
    TwilioSettings(account_sid=account, auth_token=SecretStr(token), service_sid=service).credentials()
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
        raise ConfigurationError("OTPCORE_CASSETTES_NUMBER is not an E.164 number: +, then 7 to 15 digits")
    return Live(LIVE_ORIGIN, account, token, service, number, lambda: input("the code that came last: ").strip())


def record_live(folder: Path, source: Live) -> list[Path]:
    """Record from the live service what it can show with one ordinary number.

    Each story begins without a verification of the number: the one before is ended, or waited out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    client = source.client()
    verifications = client.verify.v2.services(source.service_sid).verifications
    paths: list[Path] = []
    for story in STORIES:
        if not story.live:
            continue
        try:
            verifications(source.number).update(status="canceled")
        except TwilioException:
            if paths:
                source.pause(VALIDITY_S)
        path = folder / f"{story.name}.yaml"
        record(story, source, path, "Recorded from the live service; ids, numbers and codes are replaced.")
        paths.append(path)
    client.http_client.session.close()
    return paths


def main(environ: Mapping[str, str], folder: Path = FOLDER) -> int:
    """Record, and say what was written. 2: the environment cannot be used."""
    try:
        source = live_from(environ)
    except ConfigurationError as error:
        print(f"cassettes: {error}", file=sys.stderr)
        return 2
    paths = record_emulated(folder / EMULATED) if source is None else record_live(folder / LIVE, source)
    for path in paths:
        print(path.relative_to(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
