"""The error tree: broken worlds are exceptions, expected refusals are values (see `otpcore.results`).

    OtpcoreError
    ├── ConfigurationError          a setting or a combination that cannot be accepted
    │   └── PepperError             no pepper, a short one, or one that the record was not made with
    ├── UsageError (ValueError)     a call that the calling program should not have made
    │   ├── InvalidRecipient        nobody that a code can be sent to
    │   │   ├── InvalidNumber       not plainly a phone number
    │   │   └── InvalidAddress      not plainly an e-mail address
    │   ├── UnknownPurpose          a purpose that the engine was not configured with
    │   └── InvalidIdempotencyKey   fewer than 128 random bits, or unprintable
    ├── StoreError
    │   ├── StoreUnavailable        certainly not applied
    │   ├── CommitUnknown           may be applied, may be not
    │   ├── StoreFormatError        the file or record is damaged beyond repair, or of a newer schema
    │   ├── StoreFull               a cap was reached; live records are never evicted
    │   └── Busy                    too many lost races on one record; nothing was done
    ├── PluginError
    │   ├── UnknownPlugin           no such name among the active plugins
    │   └── RefusedPlugin           a duplicate, a coroutine hook, an unknown hook
    ├── ReceiptRefused              an inbound request that is no receipt to be trusted
    └── ColourError                 a blocking engine was given something that only awaits

Rules of this file: the docstring of a class is its default message; no message ever holds a code or a
full phone number or e-mail address; nothing here imports anything of the package.
"""

from __future__ import annotations

import inspect
from typing import ClassVar

__all__ = [
    "Busy",
    "ColourError",
    "CommitUnknown",
    "ConfigurationError",
    "InvalidAddress",
    "InvalidIdempotencyKey",
    "InvalidNumber",
    "InvalidRecipient",
    "OtpcoreError",
    "PepperError",
    "PluginError",
    "ReceiptRefused",
    "RefusedPlugin",
    "StoreError",
    "StoreFormatError",
    "StoreFull",
    "StoreUnavailable",
    "UnknownPlugin",
    "UnknownPurpose",
    "UsageError",
]


class OtpcoreError(Exception):
    """Something in otpcore failed."""

    retryable: ClassVar[bool] = False
    """Whether the same call may succeed later without a change by a person."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or inspect.getdoc(type(self)) or type(self).__name__)


class ConfigurationError(OtpcoreError):
    """A setting or a combination of settings cannot be accepted."""


class PepperError(ConfigurationError):
    """The pepper is missing, shorter than 32 bytes, or not the one that this record was made with."""


class UsageError(OtpcoreError, ValueError):
    """The call cannot be right, whatever the state of the world."""


class InvalidRecipient(UsageError):
    """The text is plainly neither a phone number nor an e-mail address."""


class InvalidNumber(InvalidRecipient):
    """The text is not plainly a phone number; give it in E.164 (+…), or nationally with its region."""


class InvalidAddress(InvalidRecipient):
    """The text is not plainly an e-mail address; give name@domain and nothing else."""


class UnknownPurpose(UsageError):
    """The engine was not configured with this purpose."""


class InvalidIdempotencyKey(UsageError):
    """An idempotency key must be printable ASCII and able to hold 128 random bits (a UUID does)."""


class StoreError(OtpcoreError):
    """The store failed."""


class StoreUnavailable(StoreError):
    """The store could not be reached or refused the operation; certainly nothing was applied."""

    retryable = True


class CommitUnknown(StoreError):
    """The store gave no answer to a commit: it may be applied or not."""

    retryable = True


class StoreFormatError(StoreError):
    """The stored data is of a newer schema, or damaged beyond what can be recovered."""


class StoreFull(StoreError):
    """The store has reached its cap; live records are never evicted to make room."""

    retryable = True


class Busy(StoreError):
    """Too many concurrent operations on one record; nothing was done, try again."""

    retryable = True


class PluginError(OtpcoreError):
    """A plugin cannot be used."""


class UnknownPlugin(PluginError):
    """No active plugin offers this name."""


class RefusedPlugin(PluginError):
    """The plugin breaks a rule of the registry."""


class ReceiptRefused(OtpcoreError):
    """A delivery receipt is unsigned or wrongly signed, too large, or cannot be read; nothing of it was used."""


class ColourError(OtpcoreError):
    """A blocking engine cannot drive a store or provider that only awaits; use AsyncEngine."""
