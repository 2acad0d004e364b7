"""An SMSC as the provider kit's vendor: that of `tests.smsc`, with scenarios that have names.

Rules of this file: as for `tests.smsc`. A submit_sm that came whole is a request; a bind is none.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from aiosmpplib.codec import GSM7BitCodec  # type: ignore[import-untyped]  # carries no types

from otpcore.conformance.provider import SERVE, Ending
from tests.smsc import OK, Peer, Scenario, Smsc, Submitted, accept, cut, cut_mid_answer, nack, refuse, silence

__all__ = ["ENDINGS", "SmscVendor", "read_submit"]

DRIP_S: Final = 0.02
WRONG_PASSWORD, WRONG_ACCOUNT = "wrong-password", "wrong-account"
_BINDS: Final = {WRONG_PASSWORD: 0x0E, WRONG_ACCOUNT: 0x0F}


async def drip(peer: Peer, submitted: Submitted) -> None:
    """An answer that never ends, an octet at a time."""
    peer.writer.write(struct.pack("!IIII", 60_000, 0x80000004, OK, submitted.sequence))
    while not peer.writer.is_closing():
        peer.writer.write(b"1")
        await asyncio.sleep(DRIP_S)


async def unbind(peer: Peer, submitted: Submitted) -> None:
    """The SMSC takes the message and leaves, as it may."""
    peer.write(0x00000006, 77)


async def echo(peer: Peer, submitted: Submitted) -> None:
    """A refusal that repeats what it was given."""
    told = submitted.octets + submitted.destination[2].encode() + b"\0"
    peer.write(0x80000004, submitted.sequence, told, 0x0B)


_SCENARIOS: Final[Mapping[str, tuple[Scenario, Ending]]] = MappingProxyType(
    {
        "stall": (silence, Ending.SILENT),
        "drip": (drip, Ending.SILENT),
        "cut": (cut, Ending.UNKNOWN),
        "cut-mid-answer": (cut_mid_answer, Ending.UNKNOWN),
        "unbind": (unbind, Ending.UNKNOWN),
        "throttled": (refuse(0x58), Ending.NOT_SENT),
        "queue-full": (refuse(0x14), Ending.NOT_SENT),
        "invalid-recipient": (echo, Ending.NOT_SENT),
        "a-status-of-its-own": (refuse(0x4FF), Ending.NOT_SENT),
        "not-understood": (nack, Ending.NOT_SENT),
        WRONG_PASSWORD: (accept, Ending.MISCONFIGURED),
        WRONG_ACCOUNT: (accept, Ending.MISCONFIGURED),
    }
)

ENDINGS: Final[Mapping[str, Ending]] = MappingProxyType({name: ending for name, (_, ending) in _SCENARIOS.items()})
"""The scenarios, and what a provider must make of each."""


class SmscVendor(Smsc):
    """An SMSC whose scenarios have names; a `Vendor` of the provider kit."""

    @property
    def origin(self) -> str:
        """Where it is."""
        return f"smpp://127.0.0.1:{self.port}"

    @property
    def requests(self) -> Sequence[Submitted]:
        """See `Vendor.requests`."""
        return self.submits

    def play(self, scenario: str) -> None:
        """See `Vendor.play`; who is bound already stays so."""
        self.bind_status = _BINDS.get(scenario, OK)
        self.scenario = accept if scenario == SERVE else _SCENARIOS[scenario][0]

    def wait_for_requests(self, count: int, patience_s: float) -> bool:
        """See `Vendor.wait_for_requests`."""
        return self.wait_for(lambda: len(self.submits) >= count, patience_s)

    def wait_until_idle(self, patience_s: float) -> bool:
        """See `Vendor.wait_until_idle`."""
        return self.wait_for(lambda: not self.peers, patience_s)

    def release(self) -> None:
        """See `Vendor.release`."""

        def reset() -> None:
            for peer in list(self.peers):
                peer.reset()

        self.soon(reset)


def read_submit(submitted: Submitted) -> Sequence[tuple[str, str]]:
    """Every field of a submit_sm that somebody may read, decoded; wherever the text is, it is the text."""
    octets = submitted.octets
    text = octets.decode("utf-16-be") if submitted.coding else str(GSM7BitCodec().decode(octets)[0])
    addresses = {"source": submitted.source, "destination": submitted.destination}
    found = [
        (f"{name}/{part}", str(value))
        for name, address in addresses.items()
        for part, value in zip(("ton", "npi", "address"), address, strict=True)
    ]
    found += [("service_type", submitted.service_type), ("schedule", submitted.schedule)]
    found += [("validity", submitted.validity), ("text", text)]
    return found + [(f"tlv/{tag:04x}", value.hex()) for tag, value in submitted.tlvs.items() if tag != 0x0424]
