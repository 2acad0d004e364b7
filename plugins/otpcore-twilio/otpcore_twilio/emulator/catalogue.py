"""The error codes that the emulator can answer with: code, HTTP status, message.

Rule of this file: data and the one exception that carries it. Statuses are those of Twilio's error
dictionary (2023); where its page states none, the value is a guess and `Options.http_statuses` replaces
it. No state, no HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ERRORS", "ErrorType", "Refusal"]


@dataclass(frozen=True, slots=True)
class ErrorType:
    """What one code looks like on the wire.

    Attributes:
        status: HTTP status.
        message: text of the body; `{}` stands for the detail that the refusal brings.
        status_is_guess: Twilio's page states no HTTP status.
    """

    status: int
    message: str
    status_is_guess: bool = False


ERRORS: Final[Mapping[int, ErrorType]] = MappingProxyType(
    {
        20001: ErrorType(400, "Missing required parameter {} in the post body"),  # captured 2025
        20003: ErrorType(401, "Authenticate"),
        20004: ErrorType(405, "Method not allowed"),
        20005: ErrorType(403, "Account not active", status_is_guess=True),
        20008: ErrorType(403, "Resource not accessible with Test Account Credentials"),
        20404: ErrorType(404, "The requested resource {} was not found"),
        20429: ErrorType(429, "Too many requests"),
        20500: ErrorType(500, "An internal server error has occurred"),
        21211: ErrorType(400, "Invalid 'To' Phone Number"),
        21212: ErrorType(400, "Invalid 'From' Number", status_is_guess=True),
        21214: ErrorType(400, "'To' phone number cannot be reached", status_is_guess=True),
        21215: ErrorType(400, "This account may not call the number", status_is_guess=True),
        21216: ErrorType(400, "Calls to the number are blocked", status_is_guess=True),
        21217: ErrorType(400, "Phone number does not appear to be valid", status_is_guess=True),
        21265: ErrorType(400, "'To' number cannot be a Short Code", status_is_guess=True),
        21266: ErrorType(400, "'To' and 'From' number cannot be the same", status_is_guess=True),
        21267: ErrorType(400, "Alphanumeric Sender ID cannot be used on trial accounts", status_is_guess=True),
        21408: ErrorType(400, "Permission to send an SMS has not been enabled for the region", status_is_guess=True),
        21601: ErrorType(400, "Phone number is not a valid SMS-capable inbound phone number", status_is_guess=True),
        21602: ErrorType(400, "Message body is required", status_is_guess=True),
        21603: ErrorType(400, "A 'From' or 'MessagingServiceSid' parameter is required", status_is_guess=True),
        21604: ErrorType(400, "A 'To' phone number is required", status_is_guess=True),
        21606: ErrorType(400, "The 'From' phone number is not a valid, message-capable number", status_is_guess=True),
        21608: ErrorType(
            403,
            "The phone number is unverified. Trial accounts cannot send messages to unverified numbers",
            status_is_guess=True,
        ),
        21609: ErrorType(400, "The 'StatusCallback' URL is not a valid URL", status_is_guess=True),
        21610: ErrorType(400, "Attempt to send to unsubscribed recipient", status_is_guess=True),
        21611: ErrorType(429, "This 'From' number has exceeded its queued messages", status_is_guess=True),
        21612: ErrorType(400, "The 'To' phone number is not currently reachable via SMS", status_is_guess=True),
        21614: ErrorType(400, "'To' number is not a valid mobile number", status_is_guess=True),
        21617: ErrorType(400, "The concatenated message body exceeds 1600 characters", status_is_guess=True),
        21635: ErrorType(400, "'To' number cannot be a landline", status_is_guess=True),
        21659: ErrorType(400, "'From' is not a Twilio phone number", status_is_guess=True),
        21660: ErrorType(400, "Mismatch between the 'From' number and the account", status_is_guess=True),
        21661: ErrorType(400, "'From' number is not SMS-capable", status_is_guess=True),
        21701: ErrorType(400, "The Messaging Service does not exist", status_is_guess=True),
        21703: ErrorType(400, "The Messaging Service has no senders", status_is_guess=True),
        21705: ErrorType(400, "The Messaging Service is invalid", status_is_guess=True),
        21730: ErrorType(400, "System under maintenance", status_is_guess=True),
        25109: ErrorType(429, "Verify request rate limited", status_is_guess=True),
        30450: ErrorType(403, "Message delivery blocked", status_is_guess=True),
        60001: ErrorType(400, "Downstream authentication failed", status_is_guess=True),
        60006: ErrorType(400, "Invalid phone number", status_is_guess=True),
        60008: ErrorType(400, "Unsupported carrier", status_is_guess=True),
        60200: ErrorType(400, "Invalid parameter {}"),
        60201: ErrorType(400, "The translation of the template is not approved", status_is_guess=True),
        60202: ErrorType(429, "Max check attempts reached"),
        60203: ErrorType(429, "Max send attempts reached"),
        60204: ErrorType(403, "Service does not have this feature enabled"),
        60205: ErrorType(403, "SMS is not supported by landline phone number"),
        60206: ErrorType(400, "Amount and Payee are required"),
        60207: ErrorType(400, "Max rate limits per service reached"),
        60208: ErrorType(400, "A rate limit with this UniqueName exists"),
        60209: ErrorType(400, "Invalid UniqueName"),
        60210: ErrorType(400, "Max buckets per rate limit reached"),
        60211: ErrorType(400, "A bucket with this interval exists"),
        60212: ErrorType(429, "Too many concurrent requests for phone number"),
        60213: ErrorType(400, "A messaging configuration for this country exists"),
        60214: ErrorType(400, "PSD2 does not support the call channel"),
        60217: ErrorType(400, "Invalid Service configuration"),
        60220: ErrorType(400, "Messages to China require use case vetting"),
        60221: ErrorType(400, "No target verification specified"),
        60222: ErrorType(403, "The sender address of e-mail is not verified"),
        60223: ErrorType(400, "Delivery channel disabled"),
        60224: ErrorType(400, "Substitutions for the template are missing"),
        60226: ErrorType(400, "Messages to China require a friendly name", status_is_guess=True),
        60227: ErrorType(400, "The template does not support the channel", status_is_guess=True),
        60228: ErrorType(400, "Template not found", status_is_guess=True),
        60229: ErrorType(400, "Translation of the template not found", status_is_guess=True),
        60238: ErrorType(403, "Verification creation blocked", status_is_guess=True),
        60252: ErrorType(400, "Templates are invalid"),
        60308: ErrorType(429, "Max challenge attempts reached"),
        60310: ErrorType(429, "Max factor attempts reached"),
        60408: ErrorType(400, "Only the SMS channel supports TemplateSid", status_is_guess=True),
        60410: ErrorType(403, "Verification delivery attempt blocked", status_is_guess=True),
        60413: ErrorType(403, "Verification blocked by Device Intelligence", status_is_guess=True),
        60519: ErrorType(400, "Silent network authentication is pending", status_is_guess=True),
        60550: ErrorType(400, "No channel could be selected", status_is_guess=True),
        60605: ErrorType(403, "Verification delivery attempt blocked"),
        63038: ErrorType(429, "Account exceeded the daily messages limit", status_is_guess=True),
        90007: ErrorType(400, "Invalid validity period value", status_is_guess=True),
    }
)


@dataclass(eq=False)
class Refusal(Exception):
    """The request is answered with an error.

    Attributes:
        code: a key of `ERRORS`, or None: a bare 429 without a code.
        detail: completes the message (a path, a parameter).
        retry_after_s: what a Retry-After header would say, if the options ask for one.
        reached: the programmable rate limit that was reached, named in a header.
    """

    code: int | None
    detail: str = ""
    retry_after_s: int = field(default=1, kw_only=True)
    reached: str = field(default="", kw_only=True)
