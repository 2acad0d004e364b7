"""Silent network authentication: the phone opens a URL, the carrier says whose phone it is.

There is no carrier here. Whoever opens the URL plays it: as it stands, the number is confirmed; with `?code=60500` (or
another code of Twilio's for this) it is not, and the check says why.

Rule of this file: the URL, and the check that asks for the outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from otpcore_twilio.emulator import wire
from otpcore_twilio.emulator.request import Answer, integer

if TYPE_CHECKING:
    from otpcore_twilio.emulator.records import SilentTry, Verification
    from otpcore_twilio.emulator.request import Call, Handler

__all__ = ["OPERATIONS", "OUTCOMES", "check_silently", "open_silent_url"]

OUTCOMES: Final = range(60_500, 60_550)
"""The codes by which a check says that the carrier did not confirm the number."""

_FAILED: Final = {"ErrorCode": "-10", "ErrorDescription": "Failure"}


def check_silently(call: Call, verification: Verification) -> Verification:
    """Ask for the outcome; asking uses up no try.

    Args:
        call: brings the client token, if the request for the verification wanted one.
        verification: its newest send is by sna.
    """
    newest = verification.silent[-1]
    token = call.form.get("SnaClientToken")
    if verification.status == "pending" and newest.code is None and newest.client_token in {None, token}:
        call.world.end(verification, "approved", call.now)
    return verification


def open_silent_url(call: Call) -> Answer:
    """What the phone opens; a URL works once, while its verification is pending."""
    code = call.query.get("code")
    outcome = None if code is None else integer("code", code, OUTCOMES)
    found = _find(call)
    if found is None:
        return Answer(200, urlencode(_FAILED))
    found.opened, found.code = True, outcome
    fields = {"ErrorCode": "0", "ErrorDescription": "Success", "Carrier": wire.TEST_NETWORK[2]}
    if found.client_token is not None:
        fields["SnaClientToken"] = found.client_token
    return Answer(200, urlencode(fields))


def _find(call: Call) -> SilentTry | None:
    for verification in call.world.held.verifications.values():
        for silent in verification.silent:
            if silent.key == call.names["key"] and not silent.opened:
                return silent if call.world.settle(verification, call.now) == "pending" else None
    return None


OPERATIONS: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", wire.SILENT_PATH + "/{key}", open_silent_url),
    ("POST", wire.SILENT_PATH + "/{key}", open_silent_url),
)
"""Method, path and handler of each operation."""
