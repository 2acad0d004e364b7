"""What the facade raises: werkzeug's own errors, which callers catch, with what is known besides.

    werkzeug.exceptions.TooManyRequests      -> TooManyRequests       429, a limit that refuses
    werkzeug.exceptions.Forbidden            -> Forbidden             403, the code or the record is not theirs to use
    werkzeug.exceptions.InternalServerError  -> InternalServerError   500, everything else

Rules of this file: a description is for whoever sees the response, so it never holds a code, nor more of a number than
its last two characters; the core's reason is `__cause__`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from otpcore.errors import OtpcoreError
from otpcore.results import CheckResult, SendResult

try:
    from werkzeug import exceptions
except ModuleNotFoundError as error:  # pragma: no cover  # every test environment has it
    raise ModuleNotFoundError("otpcore.legacy needs werkzeug: pip install 'otpcore[legacy]'", name=error.name) from None

__all__ = ["Forbidden", "InternalServerError", "NotDone", "TooManyRequests"]


class NotDone(OtpcoreError):
    """The core answered otherwise than the caller hoped.

    Attributes:
        result: what it answered; None where the facade itself refused.
    """

    def __init__(self, message: str, result: SendResult | CheckResult | None = None) -> None:
        super().__init__(message)
        self.result = result


class _Tells(exceptions.HTTPException):
    """An error that may say when to come back.

    Args:
        description: for whoever sees the response.
        retry_after_s: whole seconds from now, where that is known; also in the header `Retry-After`.
    """

    def __init__(self, description: str | None = None, *, retry_after_s: int | None = None) -> None:
        super().__init__(description)
        self.retry_after = retry_after_s

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        """Werkzeug's headers, and `Retry-After`."""
        headers: Iterable[tuple[str, str]] = super().get_headers(environ, scope)
        kept = [(name, value) for name, value in headers if name.lower() != "retry-after"]
        return kept if self.retry_after is None else [*kept, ("Retry-After", str(self.retry_after))]


class TooManyRequests(exceptions.TooManyRequests):
    """A limit refuses; `retry_after` says for how many seconds, where that is known.

    Args:
        description: for whoever sees the response.
        retry_after_s: whole seconds from now; also in the header `Retry-After`.
    """

    def __init__(self, description: str | None = None, *, retry_after_s: int | None = None) -> None:
        super().__init__(description, retry_after=retry_after_s)


class Forbidden(_Tells, exceptions.Forbidden):
    """The code is wrong or no longer good, or the record is not this caller's."""


class InternalServerError(_Tells, exceptions.InternalServerError):
    """Everything else; `__cause__` is the reason."""
