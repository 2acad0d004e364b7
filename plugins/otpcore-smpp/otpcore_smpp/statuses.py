"""What an SMSC's refusals mean, as data.

Rules of this file: a table and its look-up. A response that refuses is a definite no: nothing was sent.

Source: SMPP 3.4 clause 5.1.3, table 5-2. Statuses 0x400 to 0x4FF are each vendor's own and are in no table; the setting
`statuses` gives them a meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from otpcore.ports import Failure, FailureKind, FailureScope, SendEffect

__all__ = ["OF_ONE_RECIPIENT", "OK", "STATUSES", "TRY_LATER", "UNKNOWN_COMMAND", "bind_failure", "refusal"]

OK: Final = 0x00
UNKNOWN_COMMAND: Final = 0x03
TRY_LATER: Final = 0x64
"""ESME_RX_T_APPN: who receives cannot for now; the SMSC delivers again."""

_K = FailureKind
STATUSES: Final[Mapping[int, tuple[str, FailureKind]]] = MappingProxyType(
    {
        0x01: ("ESME_RINVMSGLEN", _K.CONTENT_REJECTED),
        0x02: ("ESME_RINVCMDLEN", _K.INTERNAL),
        0x03: ("ESME_RINVCMDID", _K.INTERNAL),
        0x04: ("ESME_RINVBNDSTS", _K.TRANSIENT),
        0x05: ("ESME_RALYBND", _K.TRANSIENT),
        0x06: ("ESME_RINVPRTFLG", _K.MISCONFIGURED),
        0x07: ("ESME_RINVREGDLVFLG", _K.MISCONFIGURED),
        0x08: ("ESME_RSYSERR", _K.TRANSIENT),
        0x0A: ("ESME_RINVSRCADR", _K.MISCONFIGURED),
        0x0B: ("ESME_RINVDSTADR", _K.INVALID_RECIPIENT),
        0x0C: ("ESME_RINVMSGID", _K.INTERNAL),
        0x0D: ("ESME_RBINDFAIL", _K.MISCONFIGURED),
        0x0E: ("ESME_RINVPASWD", _K.MISCONFIGURED),
        0x0F: ("ESME_RINVSYSID", _K.MISCONFIGURED),
        0x14: ("ESME_RMSGQFUL", _K.TRANSIENT),
        0x15: ("ESME_RINVSERTYP", _K.MISCONFIGURED),
        0x43: ("ESME_RINVESMCLASS", _K.MISCONFIGURED),
        0x45: ("ESME_RSUBMITFAIL", _K.TRANSIENT),
        0x48: ("ESME_RINVSRCTON", _K.MISCONFIGURED),
        0x49: ("ESME_RINVSRCNPI", _K.MISCONFIGURED),
        0x50: ("ESME_RINVDSTTON", _K.MISCONFIGURED),
        0x51: ("ESME_RINVDSTNPI", _K.MISCONFIGURED),
        0x53: ("ESME_RINVSYSTYP", _K.MISCONFIGURED),
        0x54: ("ESME_RINVREPFLAG", _K.MISCONFIGURED),
        0x58: ("ESME_RTHROTTLED", _K.RATE_LIMITED),
        0x61: ("ESME_RINVSCHED", _K.MISCONFIGURED),
        0x62: ("ESME_RINVEXPIRY", _K.MISCONFIGURED),
        0x63: ("ESME_RINVDFTMSGID", _K.MISCONFIGURED),
        0x64: ("ESME_RX_T_APPN", _K.TRANSIENT),
        0x65: ("ESME_RX_P_APPN", _K.INTERNAL),
        0x66: ("ESME_RX_R_APPN", _K.CONTENT_REJECTED),
        0xC0: ("ESME_RINVOPTPARSTREAM", _K.MISCONFIGURED),
        0xC1: ("ESME_ROPTPARNOTALLWD", _K.MISCONFIGURED),
        0xC2: ("ESME_RINVPARLEN", _K.MISCONFIGURED),
        0xC3: ("ESME_RMISSINGOPTPARAM", _K.MISCONFIGURED),
        0xC4: ("ESME_RINVOPTPARAMVAL", _K.MISCONFIGURED),
        0xFE: ("ESME_RDELIVERYFAILURE", _K.INTERNAL),
        0xFF: ("ESME_RUNKNOWNERR", _K.INTERNAL),
    }
)
"""command_status -> its name, and what it means for a send."""

OF_ONE_RECIPIENT: Final = frozenset({0x0B, 0x14, 0x45, 0x64, 0x65, 0x66, 0xFE})
"""Those that one number can bring about: its address, its queue (SMPP 5.0 says of ESME_RMSGQFUL that it may be that of
a single destination), a submission or a delivery that failed, the application that receives."""


def refusal(status: int, own: Mapping[int, FailureKind], native: object = None) -> Failure:
    """The failure that a negative submit_sm_resp is.

    Args:
        status: any but 0.
        own: meanings that the operator gave; they go before the table's.
        native: handed on.
    """
    name, kind = STATUSES.get(status, ("", FailureKind.INTERNAL))
    return Failure(
        own.get(status, kind),
        SendEffect.NOT_SENT,
        f"The SMSC refused the message: {name or 'a status of its own'} (0x{status:08X}).",
        provider_code=name or f"0x{status:08X}",
        scope=FailureScope.RECIPIENT if status in OF_ONE_RECIPIENT - own.keys() else FailureScope.ACCOUNT,
        native=native,
    )


def bind_failure(status: int) -> Failure:
    """Why there is no link, from a negative bind_transceiver_resp."""
    name, kind = STATUSES.get(status, ("", FailureKind.MISCONFIGURED))
    return Failure(
        kind,
        SendEffect.NOT_SENT,
        f"The SMSC refused the bind: {name or 'a status of its own'} (0x{status:08X}).",
        provider_code=name or f"0x{status:08X}",
    )
