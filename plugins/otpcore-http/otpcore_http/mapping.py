"""A gateway's declaration at work: a send becomes a request, an answer its meaning, a receipt its events.

Rules of this file: the object that `otpcore.providers.http` serves, in both colours. No I/O; the clock is given.
Values are encoded by the transport's own encoders, and never become a part of a structure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast
from urllib.parse import urlsplit

from otpcore.errors import ConfigurationError
from otpcore.ports import (
    Accepted,
    CodeOwner,
    DeliveryEvent,
    Failure,
    InboundRequest,
    ProviderCapabilities,
    SendRequest,
)
from otpcore.providers.http import HttpRequest, HttpResponse, url_of
from otpcore.providers.transport import is_loopback
from otpcore_http.alphabet import is_gsm
from otpcore_http.answers import meaning_of
from otpcore_http.gateway import BasicAuth, BearerAuth, Gateway, HeaderAuth
from otpcore_http.receipt_rules import HmacReceipts, PathReceipts, TicketReceipts
from otpcore_http.receiving import Receiving
from otpcore_http.templates import Values, fill, fill_tree
from otpcore_http.tickets import Ticket, sealed

__all__ = ["Mapped", "MappedWithReceipts", "mapped"]

SHORTEST_SECRET: Final = 20
"""Characters of a secret of receipts that the operator thinks of; a vendor's signing key is as long as it is."""

_SEGMENT: Final = re.compile(r"[A-Za-z0-9._~-]+")
"""What stands in a path as it is (RFC 3986, section 2.3)."""


def _now() -> datetime:
    return datetime.now(UTC)


class Mapped:
    """What a gateway is asked, and what it means; see `mapped`."""

    def __init__(
        self, gateway: Gateway, secrets: Mapping[str, str], sender: str, receipt_url: str, clock: Callable[[], datetime]
    ) -> None:
        self.gateway = gateway
        self._secrets = dict(secrets)
        self._sender = sender
        self._receipt_url = receipt_url.rstrip("/")
        self._clock = clock
        parts = urlsplit(gateway.url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._segments = [step for step in parts.path.split("/") if step]
        self._slash = "/" if parts.path.endswith("/") and self._segments else ""
        self._meaning = gateway.meaning
        self.capabilities = ProviderCapabilities(frozenset({CodeOwner.CORE}), gateway.channels, extra_names=frozenset())

    def request(self, request: SendRequest) -> HttpRequest | Failure:
        """What to ask for this send."""
        gateway, values = self.gateway, self._values(request)
        segments = [fill(step, values) for step in self._segments]
        headers = self._filled(gateway.headers, values)
        auth: tuple[str, str] | None = None
        match gateway.auth:
            case BasicAuth(username=name, password=password):
                auth = fill(name, values), fill(password, values)
            case BearerAuth(token=token):
                headers["Authorization"] = f"Bearer {fill(token, values)}"
            case HeaderAuth(name=name, value=value):
                headers[name] = fill(value, values)
            case _:
                pass
        query, form = self._filled(gateway.query, values), None
        document = None if gateway.json_ is None else fill_tree(gateway.json_, values, counted=True)
        more = self._more(request, values)
        if gateway.form is not None:
            form = self._filled(gateway.form, values) | more
        elif isinstance(document, dict):
            document = cast("dict[str, Any]", document) | more
        else:
            query |= more
        url = url_of(self._origin, *segments) + self._slash
        return HttpRequest(gateway.method, url, headers, query, document, form, auth=auth)

    def parse(self, request: SendRequest, response: HttpResponse) -> Accepted | Failure:
        """What the answer means."""
        return meaning_of(response, request.send_id, self._meaning)

    def _more(self, request: SendRequest, values: Values) -> dict[str, str]:  # noqa: ARG002  # for who hears
        """What a send has more where the vendor reports on it."""
        return {}

    def _values(self, request: SendRequest) -> dict[str, str | None]:
        left = max(1, int((request.expires_at - self._clock()).total_seconds()))
        text, dlt = f"Your code is {request.code}.", dict[str, str]()
        if request.message is not None:
            text, dlt = request.message.text, dict(request.message.dlt)
        return {
            "recipient": request.recipient,
            "recipient_digits": request.recipient.removeprefix("+"),
            "text": text,
            "send_id": request.send_id,
            "sender": self._sender or None,
            "ttl_s": str(left),
            "ttl_minutes": str(max(1, left // 60)),
            "expires_at": request.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "coding": "0" if is_gsm(text) else "2",
            "dlt_entity_id": dlt.get("entity_id"),
            "dlt_template_id": dlt.get("template_id"),
            **self._secrets,
        }

    def _filled(self, templates: Mapping[str, str], values: Values) -> dict[str, str]:
        return cast("dict[str, str]", fill_tree(templates, values, counted=False))


class MappedWithReceipts(Mapped):
    """A gateway that also reports."""

    def __init__(
        self,
        gateway: Gateway,
        secrets: Mapping[str, str],
        sender: str,
        receipt_url: str,
        clock: Callable[[], datetime],
        keys: Sequence[str],
    ) -> None:
        super().__init__(gateway, secrets, sender, receipt_url, clock)
        if gateway.receipts is None:
            raise ConfigurationError(f"{gateway.name}: the gateway does not say how it reports.")
        self._rules = gateway.receipts
        self._key = keys[0].encode()
        self._receiving = Receiving(gateway.receipts, keys, clock)

    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        """See `ReadsReceipts.parse_receipt`."""
        return self._receiving.read(request)

    def _more(self, request: SendRequest, values: Values) -> dict[str, str]:
        if not self._rules.request:
            return {}
        return self._filled(self._rules.request, {**values, "receipt_url": self._url_for(request)})

    def _url_for(self, request: SendRequest) -> str | None:
        """Where this message is to be reported on; the query is written as it is, for the vendor fills it."""
        if not self._receipt_url:
            return None
        if not isinstance(self._rules.auth, TicketReceipts):
            return self._receipt_url
        ticket = sealed(self._key, Ticket(request.send_id, request.recipient))
        query = "&".join(f"{name}={value}" for name, value in self._rules.callback.items())
        return f"{self._receipt_url}/{ticket}{'?' if query else ''}{query}"


def mapped(
    gateway: Gateway,
    secrets: Mapping[str, str] | None = None,
    *,
    sender: str = "",
    receipt_url: str = "",
    clock: Callable[[], datetime] = _now,
) -> Mapped | MappedWithReceipts:
    """A gateway with what the operator has for it, for `otpcore.providers.http.blocking` or `awaited`.

    Receipts are read where the secret of receipts is given; beside it, `<name>_previous` may be, while it is replaced.

    Args:
        gateway: the declaration.
        secrets: a text for each name that the declaration has, that of receipts excepted.
        sender: stands for {sender}.
        receipt_url: where the application takes receipts, https.
        clock: gives the present.

    Raises:
        ConfigurationError: a secret is missing, short, or not asked for; the URL is none.
    """
    given = {name: text for name, text in (secrets or {}).items() if text}
    rules = gateway.receipts
    of_receipts = rules.auth.secret if rules is not None else ""
    previous = f"{of_receipts}_previous"
    problems: list[str] = []
    missing = sorted(set(gateway.secrets) - given.keys() - {of_receipts})
    if missing:
        problems.append(f"the secret {', '.join(missing)} is missing")
    unknown = sorted(given.keys() - set(gateway.secrets) - ({previous} if of_receipts else set()))
    if unknown:
        problems.append(f"there is no secret {', '.join(unknown)} in its declaration")
    keys = [given[name] for name in (of_receipts, previous) if name in given] if of_receipts else []
    if keys and of_receipts not in given:
        problems.append(f"{previous} is given without {of_receipts}")
    chosen = rules is not None and not isinstance(rules.auth, HmacReceipts)
    if chosen and any(len(key) < SHORTEST_SECRET for key in keys):
        problems.append(f"the secret {of_receipts} has fewer than {SHORTEST_SECRET} characters")
    if not all(key.isascii() and key.isprintable() for key in keys):
        problems.append(f"the secret {of_receipts} holds what is not printable ASCII")
    if rules is not None and isinstance(rules.auth, PathReceipts) and not all(_SEGMENT.fullmatch(key) for key in keys):
        problems.append(f"the secret {of_receipts} is the end of a URL: letters, digits and - . _ ~")
    problems += _of_receipt_url(receipt_url, needed=bool(keys) and rules is not None and rules.auth.kind == "ticket")
    if problems:
        raise ConfigurationError(f"{gateway.name}: {'; '.join(problems)}.")
    plain = {name: text for name, text in given.items() if name in gateway.secrets}
    if keys:
        return MappedWithReceipts(gateway, plain, sender, receipt_url, clock, keys)
    return Mapped(gateway, plain, sender, receipt_url, clock)


def _of_receipt_url(url: str, *, needed: bool) -> list[str]:
    if not url:
        return ["receipt_url is missing: the vendor must be told where to report"] if needed else []
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return ["receipt_url cannot be read"]
    plain = url.isascii() and url.isprintable() and not set(url) & set(' %?#{}"<>\\^`|')
    if not plain or not host or "@" in parts.netloc or parts.scheme not in ("https", "http"):
        return ["receipt_url is absolute, without query, user information, per cent signs and unusual characters"]
    if parts.scheme == "http" and not is_loopback(host):
        return ["receipt_url is plain http, which would show its secret to the network; use https"]
    return []
