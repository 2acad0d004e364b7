"""SMPP 3.4 on the wire: the few PDUs that one who sends needs, written and read.

Rules of this file: pure functions over bytes; what does not fit its field is an error, never cut or repaired. An error
echoes nothing of what it was given.

Source: Short Message Peer to Peer Protocol Specification v3.4, Issue 1.2, clauses 3, 4 and 5.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Final

__all__ = [
    "HEADER_SIZE",
    "Bind",
    "Command",
    "Deliver",
    "Header",
    "PduError",
    "Submit",
    "Tag",
    "is_response",
    "pack",
    "read_deliver",
    "read_header",
    "read_message_id",
]

HEADER_SIZE: Final = 16
LARGEST: Final = 70_000
"""Octets of a PDU: a message_payload has at most 65,535, and a few hundred are beside it."""

SHORT: Final = 254
"""Octets of short_message (clause 5.2.22), and"""

LONG: Final = 0xFFFF
"""of message_payload (clause 5.3.2.32)."""

LONGEST_ID: Final = 64
"""Octets of a message id (clause 5.2.23), without its NUL."""

VERSION: Final = 0x34
RESPONSE: Final = 0x8000_0000
_HEADER: Final = struct.Struct("!IIII")
_TLV: Final = struct.Struct("!HH")


class PduError(ValueError):
    """What came is no PDU, or what is to go fits in none."""


class Command(IntEnum):
    """command_id (clause 5.1.2.1)."""

    GENERIC_NACK = 0x8000_0000
    SUBMIT_SM = 0x0000_0004
    SUBMIT_SM_RESP = 0x8000_0004
    DELIVER_SM = 0x0000_0005
    DELIVER_SM_RESP = 0x8000_0005
    UNBIND = 0x0000_0006
    UNBIND_RESP = 0x8000_0006
    BIND_TRANSCEIVER = 0x0000_0009
    BIND_TRANSCEIVER_RESP = 0x8000_0009
    ENQUIRE_LINK = 0x0000_0015
    ENQUIRE_LINK_RESP = 0x8000_0015
    ALERT_NOTIFICATION = 0x0000_0102


class Tag(IntEnum):
    """Optional parameters (clause 5.3.2)."""

    RECEIPTED_MESSAGE_ID = 0x001E
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427


@dataclass(frozen=True, slots=True)
class Header:
    """The first 16 octets.

    Attributes:
        length: of the whole PDU, 16 to 70,000.
        command: command_id, known or not.
        status: command_status; 0 is "no error".
        sequence: pairs a request with its response.
    """

    length: int
    command: int
    status: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Bind:
    """bind_transceiver (clause 4.1.5); the attributes are its fields."""

    system_id: str
    password: str = field(repr=False)
    system_type: str

    def encode(self) -> bytes:
        """The body.

        Raises:
            PduError: a text does not fit its field.
        """
        return b"".join(
            (
                _text(self.system_id, 16),
                _text(self.password, 9),
                _text(self.system_type, 13),
                bytes((VERSION, 0, 0)),
                _text("", 41),
            )
        )


@dataclass(frozen=True, slots=True)
class Submit:
    """submit_sm (clause 4.4.1); the attributes are its fields, those left out are zero.

    Attributes:
        source: (type of number, numbering plan, address), and
        destination: as `source`.
        esm_class: see clause 5.2.12.
        validity_period: "" or 16 characters (clause 7.1.1).
        registered_delivery: 1 asks for a receipt of the end.
        data_coding: see clause 5.2.19.
        octets: of the message, with its header where `esm_class` says so.
        payload: they go as message_payload instead of short_message.
    """

    source: tuple[int, int, str]
    destination: tuple[int, int, str] = field(repr=False)
    esm_class: int
    validity_period: str
    registered_delivery: int
    data_coding: int
    octets: bytes = field(repr=False)
    payload: bool = False

    def encode(self) -> bytes:
        """The body.

        Raises:
            PduError: something does not fit its field.
        """
        short = b"" if self.payload else self.octets
        if len(short) > SHORT or len(self.octets) > LONG:
            raise PduError("The message does not fit its field.")
        return b"".join(
            (
                _text("", 6),
                _address(self.source),
                _address(self.destination),
                bytes((self.esm_class, 0, 0)),
                _text("", 17),
                _text(self.validity_period, 17),
                bytes((self.registered_delivery, 0, self.data_coding, 0, len(short))),
                short,
                _TLV.pack(Tag.MESSAGE_PAYLOAD, len(self.octets)) + self.octets if self.payload else b"",
            )
        )


@dataclass(frozen=True, slots=True)
class Deliver:
    """deliver_sm (clause 4.6.1), as far as a receipt needs it.

    Attributes:
        source: (type of number, address), and
        destination: as `source`.
        esm_class: see clause 5.2.12.
        octets: of short_message, or of message_payload where that is empty.
        tlvs: the optional parameters by tag; of a repeated one the last.
    """

    source: tuple[int, str] = field(repr=False)
    destination: tuple[int, str] = field(repr=False)
    esm_class: int
    octets: bytes = field(repr=False)
    tlvs: Mapping[int, bytes] = field(repr=False)


def is_response(command: int) -> bool:
    """Whether it answers to one of ours."""
    return bool(command & RESPONSE)


def pack(command: int, sequence: int, body: bytes = b"", status: int = 0) -> bytes:
    """A whole PDU."""
    return _HEADER.pack(HEADER_SIZE + len(body), command, status, sequence) + body


def read_header(octets: bytes) -> Header:
    """The header of a PDU.

    Raises:
        PduError: it claims a length that no PDU has.
    """
    header = Header(*_HEADER.unpack(octets))
    if not HEADER_SIZE <= header.length <= LARGEST:
        raise PduError(f"A PDU of {header.length} octets: this is no SMPP.")
    return header


def read_message_id(octets: bytes) -> str | None:
    """The C-octet string of a message id; None where it is none that can be kept: printable ASCII without spaces."""
    raw = octets.partition(b"\0")[0].decode("latin-1")
    return raw if 0 < len(raw) <= LONGEST_ID and all("!" <= character <= "~" for character in raw) else None


def read_deliver(body: bytes) -> Deliver:
    """The body of a deliver_sm.

    Raises:
        PduError: it ends before its fields do.
    """
    try:
        return _Reader(body).deliver()
    except (IndexError, ValueError, struct.error):
        raise PduError("A deliver_sm that cannot be read.") from None  # the cause would echo a number


class _Reader:
    """Takes fields off the front of a body."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def deliver(self) -> Deliver:
        self._string()  # service_type
        source, destination = self._address(), self._address()
        esm_class = self._octets(3)[0]
        self._string()  # schedule_delivery_time
        self._string()  # validity_period
        octets = self._octets(self._octets(5)[4])
        tlvs: dict[int, bytes] = {}
        while self._at < len(self._body):
            tag, length = _TLV.unpack(self._octets(_TLV.size))
            tlvs[tag] = self._octets(length)
        octets = octets or tlvs.get(Tag.MESSAGE_PAYLOAD, b"")
        return Deliver(source, destination, esm_class, octets, MappingProxyType(tlvs))

    def _octets(self, count: int) -> bytes:
        taken = self._body[self._at : self._at + count]
        if len(taken) < count:
            raise IndexError
        self._at += count
        return taken

    def _string(self) -> str:
        end = self._body.index(b"\0", self._at)
        return self._octets(end + 1 - self._at)[:-1].decode("ascii")

    def _address(self) -> tuple[int, str]:
        kind, _plan = self._octets(2)
        return kind, self._string()


def _text(text: str, size: int) -> bytes:
    """A C-octet string that takes at most so many octets, its NUL among them."""
    if len(text) >= size or not all(" " <= character <= "~" for character in text):
        raise PduError("A text does not fit its field.")
    return text.encode("ascii") + b"\0"


def _address(address: tuple[int, int, str]) -> bytes:
    kind, plan, text = address
    return bytes((kind, plan)) + _text(text, 21)
