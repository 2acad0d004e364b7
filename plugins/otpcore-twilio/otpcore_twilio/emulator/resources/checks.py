"""Checks: a code is tried, or a silent network authentication asked for its outcome.

Rule of this file: the parameters of a check; what a check does is in `state` and `silent`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otpcore_twilio.emulator import wire
from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.magic import Operation
from otpcore_twilio.emulator.request import Answer, invalid, recipient
from otpcore_twilio.emulator.resources.silent import check_silently
from otpcore_twilio.emulator.resources.verifications import with_magic

if TYPE_CHECKING:
    from otpcore_twilio.emulator.request import Call, Handler

__all__ = ["OPERATIONS"]

_CODE_LENGTHS: Final = range(4, 11)


def create_check(call: Call) -> Answer:
    """POST /v2/Services/{ServiceSid}/VerificationCheck."""
    service = call.service()
    form, options = call.form, call.world.options
    sid, to = form.get("VerificationSid"), form.get("To")
    if not sid and not to:
        raise Refusal(60221)
    payment = (form.get("Amount", ""), form.get("Payee", "")) if service.psd2_enabled else None
    if payment is not None and not all(payment):
        raise Refusal(60206)
    code = form.get("Code")
    if code is not None and len(code) not in _CODE_LENGTHS:
        raise invalid("Code")  # a code is not repeated
    if not sid and to is not None:
        recipient(call, "To", to)
    verification = call.world.target(service, sid=sid or None, to=to, now=call.now)
    if code is None and verification.channel != "sna":
        raise invalid("Code")

    def proceed() -> Answer:
        if code is None:
            checked = check_silently(call, verification)
        else:
            checked = call.world.check(verification, code, now=call.now, payment=payment)
        return Answer(options.check_status, wire.check_body(checked, options, account_sid=call.account_sid))

    return with_magic(call, verification.to, Operation.CHECK, verification.channel, proceed)


OPERATIONS: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("POST", "/v2/Services/{service_sid}/VerificationCheck", create_check),
)
"""Method, path and handler of each operation."""
