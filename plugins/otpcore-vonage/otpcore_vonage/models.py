"""The SDK's client of Verify, and its models of a new request.

Rule of this file: it imports the SDK, and is itself imported at the first send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vonage_verify import (  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # carries no types
    ChannelType,
    EmailChannel,
    SmsChannel,
    Verify,
    VerifyRequest,
    VoiceChannel,
    WhatsappChannel,
)

if TYPE_CHECKING:
    from otpcore_vonage.transport import DeadlineHttpClient

__all__ = ["client_over", "verify_request"]

_MODELS: Final[dict[str, Any]] = {
    "sms": SmsChannel,
    "voice": VoiceChannel,
    "whatsapp": WhatsappChannel,
    "email": EmailChannel,
}


def client_over(transport: DeadlineHttpClient) -> Any:
    """The SDK's client of Verify over a transport of ours."""
    return Verify(transport)


def verify_request(fields: dict[str, Any]) -> Any:
    """The SDK's model of fields that `translate.new_request` has judged.

    The steps are built without the SDK's own judgement, which takes no sender of 12 digits and more, though Vonage's
    documentation shows one (SDK 2.2.0: `type(v) is not PhoneNumber` holds for every text), and names the number in
    its message.
    """
    steps = [_step(dict(step)) for step in fields["workflow"]]
    return VerifyRequest.model_validate({**fields, "workflow": steps})


def _step(step: dict[str, str]) -> Any:
    kind = ChannelType(step.pop("channel"))
    return _MODELS[kind.value].model_construct(**step, channel=kind)
