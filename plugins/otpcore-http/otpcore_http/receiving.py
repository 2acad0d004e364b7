"""What a gateway tells of messages, as the core's delivery events: first who speaks, then what is said.

Rules of this file: pure; nothing of a request is read before its origin is proved, nothing of it is echoed, and what
cannot be read is refused. A word that the declaration does not know is no event.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, assert_never
from urllib.parse import parse_qsl

from otpcore.errors import ReceiptRefused
from otpcore.ports import DeliveryEvent, DeliveryState, InboundRequest
from otpcore.providers.http import require_basic, require_hmac, require_recent, require_size
from otpcore_http.paths import text_at
from otpcore_http.receipt_rules import (
    BasicReceipts,
    HeaderReceipts,
    HmacReceipts,
    PathReceipts,
    Receipts,
    TicketReceipts,
)
from otpcore_http.tickets import Ticket, opened

__all__ = ["Receiving"]

MOST_FIELDS: Final = 100

_HANDLE = re.compile(r"[\x21-\x7e]{1,100}")
_NUMBER = re.compile(r"\+?([1-9][0-9]{6,14})")
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}")


class Receiving:
    """Reads the receipts of one gateway.

    Args:
        rules: the gateway's.
        keys: the secrets in force, the newest first.
        clock: gives the present.
    """

    def __init__(self, rules: Receipts, keys: Sequence[str], clock: Callable[[], datetime]) -> None:
        self._rules = rules
        self._keys = tuple(keys)
        self._clock = clock

    def read(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        """See `ReadsReceipts.parse_receipt`."""
        require_size(request)
        ticket = self._proved(request)
        fields = self._fields(request)
        word = text_at(fields, self._rules.state)
        if word is None:
            raise ReceiptRefused("The receipt does not say what became of the message.")
        state = self._rules.states.get(word)
        if state is None:
            return ()
        return (self._event(fields, state, ticket),)

    def _proved(self, request: InboundRequest) -> Ticket | None:
        """What the proof itself says; None where it says nothing of a message.

        Raises:
            ReceiptRefused: nobody has proved who speaks.
        """
        rule = self._rules.auth
        match rule:
            case HmacReceipts():
                self._signed(request, rule)
            case BasicReceipts(username=username):
                self._any(lambda key: require_basic(request, username, key))
            case HeaderReceipts(header=header):
                self._same(request.header(header) or "")
            case PathReceipts():
                self._same(_last_segment(request))
            case TicketReceipts():
                ticket = opened([key.encode() for key in self._keys], _last_segment(request))
                if ticket is None:
                    raise ReceiptRefused("The URL's last segment is no ticket of this application.")
                return ticket
            case _:
                assert_never(rule)
        return None

    def _signed(self, request: InboundRequest, rule: HmacReceipts) -> None:
        at = request.header(rule.timestamp) if rule.timestamp else ""
        if at is None:
            raise ReceiptRefused("The receipt does not say when it was signed.")
        parts = {
            "method": request.method.encode(errors="replace"),
            "url": request.url.encode(errors="replace"),
            "timestamp": at.encode(errors="replace"),
            "body": request.body,
        }
        require_hmac(
            request,
            [key.encode() for key in self._keys],
            header=rule.header,
            signed=rule.separator.encode().join(parts[name] for name in rule.signed),
            digest=rule.digest,
            encoding=rule.encoding,
            prefix=rule.prefix,
        )
        if rule.timestamp:
            require_recent(at, self._clock(), timedelta(seconds=rule.window_s))

    def _any(self, judge: Callable[[str], None]) -> None:
        for key in self._keys[:-1]:
            try:
                return judge(key)
            except ReceiptRefused:
                continue
        return judge(self._keys[-1])

    def _same(self, given: str) -> None:
        """Refuse what is none of the keys; every one is compared, each in constant time."""
        text = given.encode(errors="replace")
        if not any([hmac.compare_digest(text, key.encode()) for key in self._keys]):  # noqa: C419  # compare all
            raise ReceiptRefused("The token is missing, or another.")

    def _fields(self, request: InboundRequest) -> Any:
        """What the receipt says, by name."""
        place = self._rules.place
        try:
            match place:
                case "json":
                    return json.loads(request.body)
                case "form":
                    return _once(request.body.decode("ascii"))
                case "query":
                    return _once(request.url.partition("#")[0].partition("?")[2])
                case _:
                    assert_never(place)
        except (ValueError, RecursionError):
            raise ReceiptRefused("The receipt cannot be read.") from None

    def _event(self, fields: Any, state: DeliveryState, ticket: Ticket | None) -> DeliveryEvent:
        rules = self._rules
        if ticket is not None:
            handle, recipient = ticket.send_id, ticket.recipient
        else:
            handle = text_at(fields, rules.handle or "") or ""
            told = (text_at(fields, path) for path in rules.recipient)
            number = _NUMBER.fullmatch(next((text for text in told if text is not None), ""))
            if number is None:
                raise ReceiptRefused("The receipt names no number.")
            recipient = f"+{number[1]}"
        if not _HANDLE.fullmatch(handle):
            raise ReceiptRefused("The receipt names no message.")
        event = (text_at(fields, rules.event) if rules.event else None) or ""
        code = (text_at(fields, rules.code) if rules.code else None) or ""
        return DeliveryEvent(
            hashlib.sha256(f"{event}\n{handle}\n{state}".encode(errors="replace")).hexdigest()[:32],
            handle,
            recipient,
            state,
            next((at for path in rules.at if (at := _instant(text_at(fields, path))) is not None), None),
            code if _CODE.fullmatch(code) else None,
        )


def _last_segment(request: InboundRequest) -> str:
    return request.url.partition("#")[0].partition("?")[0].rpartition("/")[2]


def _once(text: str) -> Mapping[str, str]:
    """A form or query in which no name comes twice."""
    pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name comes twice")
    return dict(pairs)


def _instant(text: str | None) -> datetime | None:
    """ISO 8601, aware; None for anything else."""
    try:
        at = datetime.fromisoformat(text or "")
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):  # the latter at the ends of the calendar
        return None
