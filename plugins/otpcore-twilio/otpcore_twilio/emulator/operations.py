"""Every operation of the API: method, path, handler.

Rule of this file: the table; a new resource is a module in `resources` and a line here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otpcore_twilio.emulator.request import Answer, Call, Handler
from otpcore_twilio.emulator.resources import (
    absent,
    account,
    attempts,
    checks,
    configurations,
    rate_limits,
    services,
    silent,
    texts,
    verifications,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["OPEN", "OPERATIONS", "Answer", "Call", "Handler"]

OPERATIONS: Final[Sequence[tuple[str, str, Handler]]] = (
    *services.OPERATIONS,
    *verifications.OPERATIONS,
    *checks.OPERATIONS,
    *rate_limits.OPERATIONS,
    *configurations.OPERATIONS,
    *attempts.OPERATIONS,
    *account.OPERATIONS,
    *absent.OPERATIONS,
    *silent.OPERATIONS,
    *texts.OPERATIONS,
)
"""Method, path and handler of each operation."""

OPEN: Final = frozenset({silent.open_silent_url})
"""What asks for no credentials, because phones call it."""
