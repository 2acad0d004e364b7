"""What an SMSC says of its messages: a deliver_sm as an event of the core, and the seal that says whence it came.

Rules of this file: no I/O. Receipts quote the beginning of the message, and so the code: of their text only named
fields are read, and none of it is kept.

A receipt comes in-band, over a session that the provider bound itself. On its way through the application to
`Engine.receipt` it has the shape of a request: method SMPP, the deliver_sm as body, and a seal (HMAC-SHA-256 under a
key that this process drew and nobody else has). What a stranger posts has no seal.

Sources: SMPP 3.4 clause 5.2.12 (esm_class), 5.2.28 (message_state), 5.3.2 (optional parameters), appendix B (the text
of receipts, "vendor specific").
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from otpcore.errors import ReceiptRefused
from otpcore.ports import DeliveryEvent, DeliveryState, InboundRequest
from otpcore_smpp.messages import normal_id
from otpcore_smpp.pdu import Deliver, PduError, Tag, read_deliver, read_message_id
from otpcore_smpp.settings import SmppSettings

__all__ = ["METHOD", "SEAL_HEADER", "Seal", "events_of", "parse"]

METHOD: Final = "SMPP"
SEAL_HEADER: Final = "X-Otpcore-Smpp-Seal"
LARGEST: Final = 70_000
"""Octets of a receipt; the link carries none that is larger."""

KIND_OF_MESSAGE: Final = 0x3C
SAYS: Final = frozenset({0x04, 0x20})
"""esm_class of an SMSC delivery receipt, and of an intermediate notification."""

_S = DeliveryState
BY_NUMBER: Final[Mapping[int, DeliveryState]] = MappingProxyType(
    {
        0: _S.QUEUED,
        1: _S.SENDING,
        2: _S.DELIVERED,
        3: _S.EXPIRED,
        4: _S.FAILED,
        5: _S.UNDELIVERED,
        6: _S.ACCEPTED,
        7: _S.UNKNOWN,
        8: _S.FAILED,
        9: _S.FAILED,
    }
)
"""message_state -> state; 0 and 9 are SMPP 5.0's SCHEDULED and SKIPPED."""

BY_WORD: Final[Mapping[str, DeliveryState]] = MappingProxyType(
    {
        "SCHEDUL": _S.QUEUED,
        "ENROUTE": _S.SENDING,
        "BUFFRED": _S.SENDING,
        "DELIVRD": _S.DELIVERED,
        "EXPIRED": _S.EXPIRED,
        "DELETED": _S.FAILED,
        "UNDELIV": _S.UNDELIVERED,
        "ACCEPTD": _S.ACCEPTED,
        "UNKNOWN": _S.UNKNOWN,
        "REJECTD": _S.FAILED,
        "SKIPPED": _S.FAILED,
    }
)
"""stat of a receipt's text -> state; at most seven letters, by appendix B."""

FIELDS: Final = re.compile(r"\b(id|stat|err|done date):\s*([!-~]{1,64})", re.IGNORECASE)
QUOTED: Final = re.compile(r"\btext:", re.IGNORECASE)
ERROR: Final = re.compile(r"[0-9A-Za-z]{1,5}")
"""An error of a network has three digits, and no code of ours so few."""

ADDRESS: Final = re.compile(r"(?:\+|00)?([1-9][0-9]{6,14})")
INTERNATIONAL: Final = frozenset({0, 1})
"""Types of number under which an address may be in international form: unknown, international."""


class Seal:
    """Says that a deliver_sm came over a session of this provider."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def __repr__(self) -> str:
        return "Seal(…)"

    def sealed(self, body: bytes) -> InboundRequest:
        """The request that hands a deliver_sm's body to `Engine.receipt`."""
        return InboundRequest(METHOD, "", {SEAL_HEADER: self._over(METHOD, "", body)}, body)

    def check(self, request: InboundRequest) -> None:
        """Judge a request.

        Raises:
            ReceiptRefused: it is not one of ours, or too large.
        """
        if len(request.body) > LARGEST:
            raise ReceiptRefused("The receipt is too large.")
        found = request.header(SEAL_HEADER)
        expected = self._over(request.method, request.url, request.body)
        if found is None or not hmac.compare_digest(found.encode("utf-8", "replace"), expected.encode()):
            raise ReceiptRefused("The receipt did not come over a link of this provider.")

    def _over(self, method: str, url: str, body: bytes) -> str:
        head = f"{len(method)} {len(url)} {method}{url}".encode("utf-8", "replace")
        return hmac.new(self._key, head + b"\0" + body, "sha256").hexdigest()


def events_of(body: bytes, settings: SmppSettings) -> Sequence[DeliveryEvent]:
    """What a deliver_sm says of a message; empty where it is no receipt (somebody has written to the sender).

    Raises:
        PduError: it cannot be read.
    """
    told = read_deliver(body)
    by_tag = read_message_id(told.tlvs.get(Tag.RECEIPTED_MESSAGE_ID, b""))
    number = told.tlvs.get(Tag.MESSAGE_STATE, b"")
    if told.esm_class & KIND_OF_MESSAGE not in SAYS and not (by_tag and number):
        return ()
    words = _fields(told.octets)
    state = BY_NUMBER.get(number[0]) if len(number) == 1 else None
    if state is None:
        state = BY_WORD.get(words.get("stat", "").upper()[:7], DeliveryState.UNKNOWN)
    handle = None
    if by_tag:
        handle = normal_id(by_tag, settings.response_ids)
    elif words.get("id"):
        handle = normal_id(words["id"], settings.receipt_ids)
    done = words.get("done date", "")
    unique = "\0".join((handle or "", state.value, done if done.isdigit() else ""))
    event = DeliveryEvent(
        id=hashlib.sha256(unique.encode()).hexdigest(),
        handle=handle,
        recipient=_recipient(told, settings),
        state=state,
        provider_code=_error(told, words),
    )
    return (event,)


def _fields(octets: bytes) -> Mapping[str, str]:
    """The named fields of a receipt's text, the first of each; what it quotes of the message is not looked at."""
    text = octets.decode("latin-1")
    quoted = QUOTED.search(text)
    head = text if quoted is None else text[: quoted.start()]
    found: dict[str, str] = {}
    for name, value in FIELDS.findall(head):
        found.setdefault(name.lower(), value)
    return found


def _recipient(told: Deliver, settings: SmppSettings) -> str | None:
    """Whom the message was for, in E.164; None where the address does not say so plainly."""
    kind, address = told.source if settings.receipt_recipient == "source" else told.destination
    found = ADDRESS.fullmatch(address)
    return f"+{found[1]}" if found is not None and kind in INTERNATIONAL else None


def _error(told: Deliver, words: Mapping[str, str]) -> str | None:
    """The network's error, where it says one: "001" of the text, or "3:1" (kind of network, error) of the TLV."""
    text = words.get("err", "")
    if ERROR.fullmatch(text):
        return text if text.strip("0") else None
    octets = told.tlvs.get(Tag.NETWORK_ERROR_CODE, b"")
    return f"{octets[0]}:{int.from_bytes(octets[1:])}" if len(octets) == 3 else None  # noqa: PLR2004  # clause 5.3.2.31


def parse(request: InboundRequest, seal: Seal, settings: SmppSettings) -> Sequence[DeliveryEvent]:
    """`ReadsReceipts.parse_receipt`, given what it is judged by.

    Raises:
        ReceiptRefused: it is not one of ours, or cannot be read.
    """
    seal.check(request)
    try:
        return events_of(request.body, settings)
    except PduError:
        raise ReceiptRefused("The receipt cannot be read.") from None  # the cause says no more
