"""What Verify has beside codes, and this emulator has not: push, TOTP, passkeys, and the webhooks of push.

Rule of this file: the paths, and the one answer. It is 501 without a Twilio error code, so that no application takes
it for an answer of Twilio's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otpcore_twilio.emulator.request import Answer

if TYPE_CHECKING:
    from otpcore_twilio.emulator.request import Call, Handler

__all__ = ["OPERATIONS"]


def not_emulated(call: Call) -> Answer:
    """Any method of these paths."""
    return Answer(501, {"message": f"Not emulated: push, TOTP and passkeys ({call.path})", "status": 501})


_SERVICE: Final = "/v2/Services/{service_sid}"

_PATHS: Final = (
    f"{_SERVICE}/Entities",
    f"{_SERVICE}/Entities/{{rest:path}}",
    f"{_SERVICE}/AccessTokens",
    f"{_SERVICE}/AccessTokens/{{rest:path}}",
    f"{_SERVICE}/Webhooks",
    f"{_SERVICE}/Webhooks/{{rest:path}}",
    f"{_SERVICE}/Passkeys/{{rest:path}}",
    "/v2/Forms/{rest:path}",
)

OPERATIONS: Final[tuple[tuple[str, str, Handler], ...]] = tuple(
    (method, path, not_emulated) for path in _PATHS for method in ("GET", "POST", "DELETE")
)
"""Method, path and handler of each operation."""
