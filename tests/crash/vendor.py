"""A vendor that makes and compares the codes and outlives the processes that ask it: what it knows is in a file.

Rules of this file: it is right; an approved or cancelled verification is gone, as at Twilio.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from otpcore.contract import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    CodeOwner,
    Failure,
    ProviderCapabilities,
    SendRequest,
)
from tests.storms.sent_log import append, read_log

__all__ = ["Vendor"]


class Vendor:
    """Verifications of one person each, by the number.

    Args:
        path: of the file.
        clock: gives the time of a message.
        asked, answered: called when a call has come, and when it has been served and not yet answered.
    """

    def __init__(
        self,
        path: str,
        clock: Callable[[], datetime],
        *,
        asked: Callable[[], object] = lambda: None,
        answered: Callable[[], object] = lambda: None,
    ) -> None:
        self._path = path
        self._clock = clock
        self._asked = asked
        self._answered = answered
        self.capabilities = ProviderCapabilities(frozenset({CodeOwner.PROVIDER}), frozenset({"sms"}), simulated=True)

    def send(self, request: SendRequest) -> Accepted | Failure:
        """See `Provider.send`."""
        self._asked()
        code = f"{len(read_log(self._path)) + 100_000}"
        append(self._path, recipient=request.recipient, code=code, at=self._clock().isoformat())
        self._answered()
        return Accepted(request.handle or f"VE{request.recipient[1:]}")

    def check(self, request: CheckRequest) -> CheckAnswer:
        """See `Checks.check`."""
        self._asked()
        handle = request.handle or f"VE{(request.recipient or '')[1:]}"
        live = next((line.code for line in reversed(read_log(self._path)) if line.recipient[1:] == handle[2:]), None)
        if live is None or handle in self._over():
            verdict = CheckVerdict.GONE
        elif live == request.code:
            verdict = CheckVerdict.APPROVED
            self._end(handle)
        else:
            verdict = CheckVerdict.WRONG
        self._answered()
        return CheckAnswer(verdict, handle)

    def cancel(self, handle: str, timeout_s: float) -> bool:
        """See `Cancels.cancel`."""
        self._asked()
        self._end(handle)
        self._answered()
        return True

    def close(self) -> None:
        """See `Provider.close`."""

    def _end(self, handle: str) -> None:
        append(f"{self._path}.over", handle=handle)

    def _over(self) -> set[str]:
        path = Path(f"{self._path}.over")
        lines = path.read_text().splitlines() if path.exists() else []
        return {json.loads(line)["handle"] for line in lines if line.endswith("}")}
