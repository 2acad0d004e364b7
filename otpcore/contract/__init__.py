"""The values that cross the line between the core and its plugins.

`otpcore.ports` re-exports all of them beside the protocols; plugin authors import from there.

Rules of these files: frozen values only, no behaviour beyond masking; nothing here knows the recipient
record. A code or a number never shows in a `repr`.
"""

from otpcore.contract.providers import (
    NO_EXTRA,
    Accepted,
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    CodeOwner,
    Failure,
    FailureKind,
    FailureScope,
    MessageText,
    Money,
    ProviderCapabilities,
    ProviderLimit,
    ResendSemantics,
    SendEffect,
    SendRequest,
    mask,
)
from otpcore.contract.stores import (
    CommitRequest,
    Conflict,
    Durability,
    StoreCapabilities,
    StoreRemark,
    Version,
    Versioned,
)

__all__ = [
    "NO_EXTRA",
    "Accepted",
    "CheckAnswer",
    "CheckRequest",
    "CheckVerdict",
    "CodeOwner",
    "CommitRequest",
    "Conflict",
    "Durability",
    "Failure",
    "FailureKind",
    "FailureScope",
    "MessageText",
    "Money",
    "ProviderCapabilities",
    "ProviderLimit",
    "ResendSemantics",
    "SendEffect",
    "SendRequest",
    "StoreCapabilities",
    "StoreRemark",
    "Version",
    "Versioned",
    "mask",
]
