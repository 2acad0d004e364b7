"""The provider in front of either Twilio, recorded or emulated, with an eye on the wire and a hand on the process.

Rules of this file: it watches our transport from above and changes nothing on it; a process that dies, dies in a call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Protocol

from pydantic import SecretStr

from otpcore.providers.transport import requests
from otpcore_twilio import TwilioProvider, TwilioSettings
from otpcore_twilio.emulator import Emulator, Fault, Scenario
from otpcore_twilio.settings import Origin
from otpcore_twilio.transport import DeadlineHttpClient
from tests.cassettes.record import ORIGIN
from tests.cassettes.stories import ACCOUNT, SERVICE
from tests.properties.recorded import DROPPED, Message, Order, RecordedTwilio

__all__ = ["Call", "Died", "Emulated", "Recorded", "Vendor", "Wire"]


class Died(BaseException):
    """The process is gone."""


@dataclass(slots=True)
class Call:
    """One request of the SDK.

    Attributes:
        operation: create, check, update or list.
        url: as asked.
        status: of the answer; None: none was read.
        code: Twilio's, of a refusal.
        sid: of the verification that the answer speaks of.
        said: the status in the answer's body.
    """

    operation: str
    url: str
    status: int | None = None
    code: int | None = None
    sid: str | None = None
    said: str | None = None

    @property
    def refused(self) -> bool:
        """Whether nothing was done, for certain."""
        return self.status is not None and 400 <= self.status < 500


@dataclass(slots=True)
class Wire:
    """What goes over it.

    Attributes:
        calls: in their order.
        before: is told of each request before a byte of it leaves.
        dies: the process dies in its next send or check: before or after it.
    """

    calls: list[Call] = field(default_factory=list[Call])
    before: Callable[[Call], object] = bool
    dies: str | None = None


class Played(requests.Wire):
    """A wire to the Twilio of the cassettes."""

    def __init__(self, twilio: RecordedTwilio) -> None:
        super().__init__(direct=True)
        self._twilio = twilio

    def _open(self) -> Any:
        session = super()._open()
        session.mount("http://", self._twilio)
        return session


class Watched(DeadlineHttpClient):
    """The transport, watched."""

    def __init__(self, origin: Origin, timeout_s: float, wire: Wire, twilio: RecordedTwilio | None) -> None:
        super().__init__(origin, timeout_s)
        self._watch = wire
        if twilio is not None:
            self._wire = Played(twilio)

    def request(self, method: str, url: str, *args: Any, **more: Any) -> Any:
        call = Call(_operation(url, method), url)
        self._watch.calls.append(call)
        self._watch.before(call)
        dies = self._watch.dies if call.operation in {"create", "check"} else None
        if dies is not None:
            self._watch.dies = None
        if dies == "before":
            raise Died
        response = super().request(method, url, *args, **more)
        call.status = response.status_code
        try:
            body: dict[str, Any] = json.loads(response.text)
        except ValueError:
            body = {}
        call.code, call.sid, call.said = body.get("code"), body.get("sid"), body.get("status")
        if dies == "after":
            raise Died
        return response


class WatchedProvider(TwilioProvider):
    """The provider over the transport above."""

    def __init__(self, settings: TwilioSettings, wire: Wire, twilio: RecordedTwilio | None = None) -> None:
        super().__init__(settings)
        self._watching = wire, twilio

    def _make_transport(self, origin: Origin, timeout_s: float) -> DeadlineHttpClient:
        return Watched(origin, timeout_s, *self._watching)


class Vendor(Protocol):
    """Either Twilio, for the length of one history. Its clock never runs backwards."""

    wire: Wire

    def provider(self) -> TwilioProvider:
        """Another one, as of another process."""
        ...

    def order(self, order: Order) -> None:
        """Let the next request of its operation meet this, and no other order any more."""
        ...

    def ordered(self, operation: str) -> bool:
        """Whether an order waits for a request of this operation."""
        ...

    def move(self, by: timedelta) -> None:
        """Let time pass."""
        ...

    def messages(self) -> list[Message]:
        """What the person got in this history."""
        ...

    def takes_checks(self, sid: str) -> bool:
        """Whether a verification is pending, and has a check left."""
        ...


class Recorded:
    """The Twilio of the cassettes."""

    def __init__(self, seed: int) -> None:
        self.wire = Wire()
        self._twilio = RecordedTwilio(seed)

    def provider(self) -> TwilioProvider:
        settings = TwilioSettings(
            account_sid=ACCOUNT, auth_token=SecretStr("t" * 32), service_sid=SERVICE, origin=ORIGIN
        )
        return WatchedProvider(settings, self.wire, self._twilio)

    def order(self, order: Order) -> None:
        self._twilio.orders[:] = [order]

    def ordered(self, operation: str) -> bool:
        return any(order.operation == operation for order in self._twilio.orders)

    def move(self, by: timedelta) -> None:
        self._twilio.passed += by

    def messages(self) -> list[Message]:
        return self._twilio.messages

    def takes_checks(self, sid: str) -> bool:
        found = self._twilio.state(sid)
        return found is not None and found.status == "pending" and found.checks < 5


class Emulated:
    """A running emulator, which serves one history after the other."""

    def __init__(self, emulator: Emulator) -> None:
        self.wire = Wire()
        self._emulator = emulator
        emulator.faults.clear()
        emulator.advance(86_400)  # whatever another history left there is over
        self._earlier = emulator.account.world.sent

    def provider(self) -> TwilioProvider:
        settings = TwilioSettings(
            account_sid=self._emulator.account_sid,
            auth_token=SecretStr(self._emulator.auth_token),
            service_sid=self._emulator.service_sid,
            origin=self._emulator.url,
        )
        return WatchedProvider(settings, self.wire)

    def order(self, order: Order) -> None:
        faults = self._emulator.faults
        faults.clear()
        faults.add(scenario_of(order))

    def ordered(self, operation: str) -> bool:
        waiting = self._emulator.faults.pending()
        return any(each.scenario.operation == HANDLERS[operation] for each in waiting)

    def move(self, by: timedelta) -> None:
        self._emulator.advance(by.total_seconds())

    def messages(self) -> list[Message]:
        inbox = self._emulator.inbox(after=self._earlier)
        return [Message(message.verification_sid, message.code) for message in inbox]

    def takes_checks(self, sid: str) -> bool:
        account = self._emulator.account
        with account.lock:
            found = account.world.held.verifications.get(sid)
            return found is not None and account.world.settle(found, account.now()) == "pending" and found.checks < 5


HANDLERS: Final = {"create": "create_verification", "check": "create_check"}
PLAIN: Final = (502, Fault.GARBAGE)
"""What the emulator has for the recordings without a code."""


def scenario_of(order: Order) -> Scenario:
    """The same for an emulator."""
    operation = HANDLERS[order.operation]
    if order.outcome == DROPPED:
        return Scenario(operation=operation, outcome=Fault.RESET, processed=order.processed)
    code = re.search(r"\b\d{5}\b", order.outcome)
    after = re.search(r"after (\d+) s", order.outcome)
    return Scenario(
        operation=operation,
        outcome=int(code[0]) if code else PLAIN[order.variant % 2],
        processed=order.processed,
        retry_after_s=int(after[1]) if after else None,
    )


def _operation(url: str, method: str) -> str:
    path = url.partition("?")[0]
    if path.endswith("/Verifications"):
        return "create"
    if path.endswith("/VerificationCheck"):
        return "check"
    return "list" if method == "GET" else "update"
