"""An attempt that keeps what Vonage answered: its answers say more than the SDK's models and exceptions hold.

Rules of this file: it imports neither the SDK nor its HTTP libraries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from otpcore.providers import transport

__all__ = ["Attempt"]

_NOTHING: Final[Mapping[str, object]] = {}


@dataclass(slots=True)
class Attempt(transport.Attempt):
    """One request.

    Attributes:
        document: the object that was the answer's JSON body; None for any other body.
    """

    document: Mapping[str, object] | None = field(default=None, repr=False)

    def read(self, body: bytes) -> None:
        """Note the body of an answer."""
        try:
            found: object = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        self.document = cast("Mapping[str, object]", found) if isinstance(found, dict) else None

    @property
    def problem(self) -> str:
        """The last word of the `type` of a problem document (RFC 9457), in lower case; "" where there is none."""
        kind = (self.document or _NOTHING).get("type")
        return kind.rpartition("#")[2].strip().lower() if isinstance(kind, str) and "#" in kind else ""
