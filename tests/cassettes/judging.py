"""What a cassette may hold, and whether two of them tell the same.

Rule of this file: it judges the text of a file, and answers with complaints; no file is opened and nothing replayed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, cast
from urllib.parse import parse_qsl, unquote

from vcr.serializers import yamlserializer  # type: ignore[import-untyped]  # carries no types

from tests.cassettes.record import FRAMING, LEFT_OUT, LIVE_ORIGIN, SHOWN, SID
from tests.cassettes.stories import ACCOUNT, CUSTOM, RIGHT, SERVICE, UNKNOWN_SID, WRONG

__all__ = ["complaints", "differences", "interactions"]

CODES: Final = frozenset({RIGHT, WRONG, CUSTOM})
NUMBERED: Final = re.compile(r"[A-Z]{2}0{28}[0-9]{4}")
FICTION: Final = re.compile(r"1[2-9][0-9]{2}55501[0-9]{2}")
DIGITS: Final = re.compile(r"[0-9]{9,}")
HEX: Final = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9a-f])")
ADDRESS: Final = re.compile(r"https?://[^/\"\s]+")
EXPLAINED: Final = "https://www.twilio.com"
"""Where every error says that it is explained."""

INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?Z")


def interactions(text: str) -> list[dict[str, Any]]:
    """Request and response of each exchange."""
    read: Any = yamlserializer.deserialize  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # as above
    found: list[dict[str, Any]] = read(text)["interactions"]
    return found


def complaints(text: str, origin: str) -> list[str]:
    """What a cassette must not hold: secrets, codes, numbers of people, other hosts than its own."""
    return [*_exchanges(text, origin), *_anywhere(unquote(text), origin)]


def _exchanges(text: str, origin: str) -> Iterator[str]:
    for each in interactions(text):
        request, response = each["request"], each["response"]
        if not request["uri"].startswith(f"{origin}/v2/"):
            yield "host: a request to another"
        unknown = {name.lower() for name in request["headers"]} - {"content-type"}
        if unknown:
            yield f"secret: request headers {sorted(unknown)}"
        for name, values in response["headers"].items():
            if name.lower() in FRAMING or (name.lower() not in SHOWN and values != [LEFT_OUT]):
                yield f"secret: the response header {name}"
        for name, value in parse_qsl(request["body"] or ""):
            if name in {"Code", "CustomCode"} and value not in CODES:
                yield f"secret: a {name} of its own"


def _anywhere(text: str, origin: str) -> Iterator[str]:
    for found in SID.finditer(text):
        if found[0] not in {ACCOUNT, SERVICE, UNKNOWN_SID} and not NUMBERED.fullmatch(found[0]):
            yield f"secret: an id {found[1]}… as it was"
    plain = SID.sub("", text)
    if HEX.search(plain):
        yield "secret: 32 hexadecimal digits, as a token has"
    if re.search(r"\b(Basic|Bearer) [A-Za-z0-9+/=]{8,}", plain):
        yield "secret: credentials of HTTP"
    for found in DIGITS.finditer(plain):
        if not FICTION.fullmatch(found[0]):
            yield "number: one that is not reserved for fiction"
    for found in ADDRESS.finditer(plain):
        if found[0] not in {origin, EXPLAINED}:
            yield "host: an address elsewhere"
    if origin != LIVE_ORIGIN and "verify.twilio.com" in plain:
        yield "host: Twilio's, which was not asked"


def differences(one: str, other: str) -> list[str]:
    """Where two recordings of a story do not tell the same; ids and instants apart."""
    first, second = interactions(one), interactions(other)
    found = [] if len(first) == len(second) else [f"{len(first)} exchanges and {len(second)}"]
    for number, (a, b) in enumerate(zip(first, second, strict=False)):
        found += [
            f"exchange {number}: {name}"
            for (name, said), (_, says) in zip(_parts(a), _parts(b), strict=True)
            if said != says
        ]
    return found


def _parts(exchange: dict[str, Any]) -> Iterable[tuple[str, object]]:
    request, response = exchange["request"], exchange["response"]
    return (
        ("method", request["method"]),
        ("address", _placed(request["uri"])),
        ("form", [(name, _placed(value)) for name, value in parse_qsl(request["body"] or "")]),
        ("status", response["status"]["code"]),
        ("headers", response["headers"]),
        ("body", _shape(response["body"]["string"])),
    )


def _shape(text: str) -> object:
    """A body with its keys in their order; the text of an error, which drifts at Twilio's, by its type alone."""
    try:
        body = json.loads(text, object_pairs_hook=list)
    except ValueError:
        return text
    return _typed(body)


def _typed(value: Any, key: str = "") -> object:
    if isinstance(value, list):
        return [_typed(each, key) for each in cast("Iterable[object]", value)]
    if isinstance(value, tuple):  # a key and what it holds, from the hook
        name, held = cast("tuple[str, Any]", value)
        return name, _typed(held, name)
    if isinstance(value, str):
        return "str" if key == "message" else _placed(value)
    return type(value).__name__, value


def _placed(text: str) -> str:
    return SID.sub(r"\1…", INSTANT.sub("<instant>", text))
