"""Africa's Talking's bulk SMS, as far as its documentation describes it (docs.africastalking.com, November 2026).

Rules of this file: as for `otpcore_http.fakes.serving`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from urllib.parse import urlencode

from otpcore.ports import InboundRequest
from otpcore_http.fakes.serving import Answer, Asked, Fake, Message

__all__ = ["STATUSES", "AfricasTalking"]

STATUSES = MappingProxyType(
    {
        100: "Processed",
        101: "Success",
        102: "Queued",
        401: "RiskHold",
        402: "InvalidSenderId",
        403: "InvalidPhoneNumber",
        404: "UnsupportedNumberType",
        405: "InsufficientBalance",
        406: "UserInBlacklist",
        407: "CouldNotRoute",
        409: "DoNotDisturbRejection",
        500: "InternalServerError",
        501: "GatewayError",
        502: "RejectedByGateway",
    }
)
TAKEN = 200


class AfricasTalking(Fake):
    """The vendor. `refuse` has a statusCode for a number; whatever it is, HTTP says 201.

    Args:
        username: of the application.
        api_key: of the same.
        senders: what may be `from`.
    """

    def __init__(self, username: str, api_key: str, senders: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self._username = username
        self._api_key = api_key
        self._senders = senders

    def answer(self, asked: Asked) -> Answer:
        """See `Fake.answer`."""
        if asked.path != "/version1/messaging" or asked.method != "POST":
            return Answer.of_text(HTTPStatus.NOT_FOUND, "Not found")
        form = asked.form
        if (asked.headers.get("apikey"), form.get("username")) != (self._api_key, self._username):
            return Answer.of_text(HTTPStatus.UNAUTHORIZED, "The supplied authentication is invalid")
        if not form.get("to") or not form.get("message"):
            return Answer.of_text(HTTPStatus.BAD_REQUEST, "Request is missing required form field")
        if form.get("from", "") not in {"", *self._senders}:
            return self._told("InvalidSenderId", [])
        number, text = form["to"], form["message"]
        valid = re.fullmatch(r"\+[1-9][0-9]{6,14}", number)
        code = self.refuse.get(number, 101) if valid else 403
        taken = code < TAKEN
        identity = f"ATXid_{len(self.messages):032x}" if taken else "None"
        if taken:
            self.messages.append(Message(identity, number, text, form.get("from", "")))
        one = {
            "statusCode": code,
            "number": number,
            "status": STATUSES[code],
            "cost": "KES 0.8000" if taken else "0",
            "messageId": identity,
        }
        return self._told(f"Sent to {int(taken)}/1 Total Cost: {one['cost']}", [one])

    def report(self, message: Message, status: str, url: str, failure: str = "") -> InboundRequest:
        """What the vendor posts to the callback URL of the dashboard.

        Args:
            message: that was taken.
            status: the vendor's word, such as "Success".
            url: path of the callback URL.
            failure: the reason, where it failed.
        """
        fields = {"id": message.id, "status": status, "phoneNumber": message.to, "networkCode": "63902"}
        body = urlencode(fields | ({"failureReason": failure} if failure else {})).encode()
        return InboundRequest("POST", url, {"Content-Type": "application/x-www-form-urlencoded"}, body)

    def _told(self, message: str, recipients: Sequence[Mapping[str, object]]) -> Answer:
        document = {"SMSMessageData": {"Message": message, "Recipients": recipients}}
        return Answer.of_json(HTTPStatus.CREATED, document)
