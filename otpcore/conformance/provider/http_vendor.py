"""The kit's own vendor over HTTP: the scenarios of `misbehaving` by their names, in clear or with TLS.

Rules of this file: names, and what a vendor reads out of a request; how a scenario behaves is in `misbehaving`.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from otpcore.conformance.provider.misbehaving import (
    MisbehavingServer,
    Scenario,
    WireAnswer,
    WireRequest,
    cut,
    cut_mid_body,
    drip_body,
    drip_headers,
    reply,
    serve,
    stall,
)
from otpcore.conformance.provider.vendor import SERVE, Ending

__all__ = ["CERTIFICATE", "SCENARIOS", "HttpVendor", "names_and_values"]

CERTIFICATE: Final = Path(__file__).with_name("localhost.pem")
"""The certificate of https://localhost and of 127.0.0.1, which a provider must be told to trust, and its key. It is no
secret and protects nothing: everybody has it."""

_JSON = {"Content-Type": "application/json"}
_HTML = {"Content-Type": "text/html"}

SCENARIOS: Mapping[str, tuple[Scenario, Ending]] = MappingProxyType(
    {
        "stall": (stall, Ending.SILENT),
        "drip-headers": (drip_headers, Ending.SILENT),
        "drip-body": (drip_body, Ending.SILENT),
        "cut": (cut, Ending.UNKNOWN),
        "cut-mid-body": (cut_mid_body, Ending.UNKNOWN),
        "500": (reply(WireAnswer(500)), Ending.UNKNOWN),
        "502-html": (reply(WireAnswer(502, b"<html><body>Bad gateway</body></html>", _HTML)), Ending.UNKNOWN),
        "503-html": (reply(WireAnswer(503, b"<html><body>Unavailable</body></html>", _HTML)), Ending.UNKNOWN),
        "504": (reply(WireAnswer(504)), Ending.UNKNOWN),
        "200-html": (reply(WireAnswer(200, b"<html><body>Welcome</body></html>", _HTML)), Ending.UNKNOWN),
        "429": (reply(WireAnswer(429, headers=_JSON | {"Retry-After": "0"})), Ending.NOT_SENT),
        "redirect": (reply(WireAnswer(307, headers={"Location": "/elsewhere"})), Ending.ANY),
    }
)
"""How the vendor misbehaves, and what a provider must make of it. A provider adds how its own vendor refuses."""

OF_THE_LIBRARY = frozenset({"host", "content-length", "user-agent", "accept", "accept-encoding", "connection"})
"""Headers that an HTTP library writes by itself, and that a vendor does not read for meaning."""


class HttpVendor(MisbehavingServer):
    """A misbehaving server whose scenarios have names.

    Args:
        answer: what a well-behaved vendor answers to a request.
        own: further scenarios.
        tls: with the certificate of `CERTIFICATE`.
    """

    def __init__(
        self,
        answer: Callable[[WireRequest], WireAnswer],
        own: Mapping[str, Scenario] | None = None,
        *,
        tls: bool = False,
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
        if context is not None:
            context.load_cert_chain(CERTIFICATE)
        super().__init__(answer, context)
        self._scenarios = (
            {name: scenario for name, (scenario, _) in SCENARIOS.items()} | {SERVE: serve} | dict(own or {})
        )

    def play(self, scenario: str) -> None:
        """See `Vendor.play`."""
        self.scenario = self._scenarios[scenario]


def names_and_values(request: WireRequest) -> Sequence[tuple[str, str]]:
    """Every name of a request, and its value, decoded as a server decodes it; in no order that means anything."""
    parts = urlsplit(request.path)
    found = [("method", request.method)]
    found += [(f"path/{number}", unquote(part, errors="strict")) for number, part in enumerate(parts.path.split("/"))]
    found += [(f"query/{name}", value) for name, value in parse_qsl(parts.query, keep_blank_values=True)]
    found += [(f"header/{name}", text) for name, text in request.headers.items() if name not in OF_THE_LIBRARY]
    kind = request.headers.get("content-type", "")
    if "json" in kind:
        found += _of_document("body", json.loads(request.body))
    elif "form" in kind:
        body = parse_qsl(request.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=1000)
        found += [(f"body/{name}", value) for name, value in body]
    elif request.body:
        found.append(("body", request.body.decode()))
    return found


def _of_document(place: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in cast("Mapping[str, object]", value).items():
            yield from _of_document(f"{place}/{name}", inner)
    elif isinstance(value, list):
        for number, inner in enumerate(cast("list[object]", value)):
            yield from _of_document(f"{place}/{number}", inner)
    else:
        yield place, value if isinstance(value, str) else json.dumps(value)
