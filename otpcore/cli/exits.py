"""With which codes the command line leaves.

Rules of this file: the table in docs/reference/command-line.md is the same one, held by a test; 0 to 2 mean what they
mean everywhere, 70 is `EX_SOFTWARE` of sysexits.h, 130 is what shells report for Ctrl-C.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Self, assert_never

from otpcore.errors import (
    ColourError,
    ConfigurationError,
    OtpcoreError,
    PluginError,
    StoreFormatError,
    UsageError,
)
from otpcore.results import (
    Approved,
    CancelResult,
    CheckResult,
    Ended,
    ForgetResult,
    Forgotten,
    NotFound,
    Refusal,
    Refused,
    SendResult,
    Sent,
    Status,
    StatusResult,
    Undecided,
    Unlocked,
    UnlockResult,
    Wait,
    Wrong,
)

__all__ = ["AnyResult", "Exit", "exit_of", "exit_of_error"]

AnyResult = SendResult | CheckResult | CancelResult | StatusResult | ForgetResult | UnlockResult


class Exit(IntEnum):
    """What a code means; `meaning` is the line of the documentation."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        """A code with its meaning."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    OK = 0, "done; for `check`: the code is right"
    NO = 1, "for `check`: wrong, or nobody knows; for others: something is not as it should be, or was left out"
    USAGE = 2, "the command cannot be right: an unknown option, not a recipient, not a code"
    WAIT = 3, "not yet; the answer says when"
    REFUSED = 4, "refused, and waiting alone may not help: a region, a lock, the provider's no"
    OVER = 5, "the session has ended, or there is none"
    CONFIGURATION = 6, "a setting, a plugin or a file of the store cannot be used as it is"
    TROUBLE = 7, "the store or the provider failed, or a port is taken; the same command may succeed later"
    BUG = 70, "a bug in otpcore; repeat with `--debug` and report it"
    INTERRUPTED = 130, "interrupted (Ctrl-C)"


REFUSALS = {
    Refusal.INVALID_RECIPIENT: Exit.USAGE,
    Refusal.INVALID_CODE: Exit.USAGE,
    Refusal.RECIPIENT_MISMATCH: Exit.USAGE,
    Refusal.RECIPIENT_NEEDED: Exit.USAGE,
    Refusal.CHANNEL_UNSUPPORTED: Exit.USAGE,
    Refusal.IDEMPOTENCY_MISMATCH: Exit.USAGE,
    Refusal.MISCONFIGURED: Exit.CONFIGURATION,
    Refusal.TRANSIENT: Exit.TROUBLE,
    Refusal.TIMEOUT: Exit.TROUBLE,
    Refusal.INTERNAL: Exit.TROUBLE,
}


def exit_of(result: AnyResult, *, asked_to_end: bool = False) -> Exit:
    """The code for an answer of the engine.

    Args:
        result: of any operation.
        asked_to_end: the operation was `cancel`, for which an ended session is what was wanted.
    """
    match result:
        case Sent() | Approved() | Status() | Forgotten() | Unlocked():
            return Exit.OK
        case Wrong() | Undecided():
            return Exit.NO
        case Wait():
            return Exit.WAIT
        case Refused(kind=kind):
            return REFUSALS.get(kind, Exit.REFUSED)
        case Ended():
            return Exit.OK if asked_to_end else Exit.OVER
        case NotFound():
            return Exit.OVER
        case _:
            assert_never(result)


def exit_of_error(error: OtpcoreError) -> Exit:
    """The code for a broken world."""
    match error:
        case UsageError():
            return Exit.USAGE
        case ConfigurationError() | PluginError() | ColourError() | StoreFormatError():
            return Exit.CONFIGURATION
        case _:
            return Exit.TROUBLE
