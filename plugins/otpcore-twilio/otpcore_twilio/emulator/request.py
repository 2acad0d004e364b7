"""One authorised request, what its parameters must look like, and what goes back.

Rule of this file: what every resource shares; nothing of a single one. A parameter that does not fit is refused here,
as Twilio refuses it: 20001 when a required one is absent, else 60200.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar, cast

from otpcore_twilio.emulator import wire
from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.magic import Fault
from otpcore_twilio.emulator.records import Service
from otpcore_twilio.emulator.state import World

__all__ = [
    "Answer",
    "Call",
    "Handler",
    "boolean",
    "country",
    "from_json",
    "instant",
    "integer",
    "invalid",
    "json_map",
    "number",
    "one_of",
    "recipient",
    "required",
    "sid",
]

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_NANP: Final = re.compile(r"\+1[2-9][0-8][0-9][2-9][0-9]{6}", re.ASCII)
"""What the North American plan can assign: no area code has 9 in the middle, none and no exchange begins with 0, 1."""
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]{1,40}")
"""Of a longer number Python makes none; leading zeros are allowed."""
_LARGEST: Final = 2**31 - 1

_Record = TypeVar("_Record")


@dataclass(frozen=True, slots=True)
class Call:
    """One authorised request.

    Attributes:
        world: the account's state; the caller holds its lock.
        account_sid: AC….
        origin: scheme and authority under which the emulator was reached.
        path: as requested.
        names: the variables of the path.
        query: parameters of the URL.
        form: parameters of the body.
        now: aware UTC.
    """

    world: World
    account_sid: str
    origin: str
    path: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    now: datetime

    def service(self, name: str = "service_sid") -> Service:
        """The service in the path, or 20404."""
        return self.found(self.world.held.services, name)

    def found(self, table: Mapping[str, _Record], name: str = "sid") -> _Record:
        """What the path names in a table, or 20404."""
        record = table.get(self.names[name])
        if record is None:
            raise Refusal(20404, self.path)
        return record


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: status and body (None: there is none; a text: as it stands), unless a fault takes its place."""

    status: int
    body: wire.Body | str | None
    fault: Fault | None = None


Handler = Callable[[Call], Answer]


def invalid(name: str, value: str = "") -> Refusal:
    """60200. A value that is a secret is left out."""
    return Refusal(60200, f"`{name}`: {value}" if value else f"`{name}`")


def required(form: Mapping[str, str], name: str) -> str:
    """A parameter that must be there.

    Raises:
        Refusal: 20001.
    """
    value = form.get(name)
    if value is None:
        raise Refusal(20001, name)
    return value


def integer(name: str, value: str, allowed: range = range(_LARGEST)) -> int:
    """Decimal digits that make a number in the range."""
    if not _DIGITS.fullmatch(value) or int(value) not in allowed:
        raise invalid(name, value)
    return int(value)


def boolean(name: str, value: str) -> bool:
    """`true` or `false`, in any case."""
    if value.lower() not in {"true", "false"}:
        raise invalid(name, value)
    return value.lower() == "true"


def one_of(name: str, value: str, allowed: frozenset[str]) -> str:
    """One of the words."""
    if value not in allowed:
        raise invalid(name, value)
    return value


def sid(name: str, value: str, prefix: str) -> str:
    """Two letters and 32 hexadecimal digits."""
    if not re.fullmatch(prefix + "[0-9a-fA-F]{32}", value):
        raise invalid(name, value)
    return value


def country(name: str, value: str) -> str:
    """Two capital letters."""
    if not _COUNTRY.fullmatch(value):
        raise invalid(name, value)
    return value


def instant(name: str, value: str) -> datetime:
    """ISO 8601; without a zone it is UTC."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise invalid(name, value) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def from_json(name: str, value: str) -> object:
    """The value of a JSON text. Half of a surrogate pair is no text: it could be neither shown nor kept."""
    try:
        found: object = json.loads(value)
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise invalid(name) from None
    return found


def json_map(name: str, value: str) -> dict[str, object]:
    """A JSON object."""
    found = from_json(name, value)
    if not isinstance(found, dict):
        raise invalid(name)
    return cast("dict[str, object]", found)


def number(name: str, value: str) -> str:
    """E.164, whether or not a plan can assign it."""
    if not _E164.fullmatch(value):
        raise invalid(name, value)
    return value


def recipient(call: Call, name: str, value: str) -> str:
    """The value if it can be a recipient at all: a number, or an e-mail address."""
    dialled = _E164.fullmatch(value) is not None
    if dialled and value.startswith("+1") and call.world.options.unassignable == "refused":
        dialled = _NANP.fullmatch(value) is not None
    if not dialled and not _EMAIL.fullmatch(value):
        raise invalid(name, value)
    return value
