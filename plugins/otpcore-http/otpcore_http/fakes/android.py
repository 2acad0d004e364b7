"""SMS Gateway for Android, as its documentation describes it (docs.sms-gate.app, November 2026).

Rules of this file: as for `otpcore_http.fakes.serving`.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64encode
from http import HTTPStatus
from typing import Any

from otpcore.ports import InboundRequest
from otpcore_http.fakes.serving import Answer, Asked, Fake, Message

__all__ = ["AndroidGateway"]

DEVICE = "ffffffffceb0b1db0000018e937c815b"
HIGHEST, LOWEST = 127, -128


class AndroidGateway(Fake):
    """The server and its phone. `refuse` has a status of HTTP for a number.

    Args:
        username: of the app's first page.
        password: of the same.
        signing_key: of its webhooks.
    """

    def __init__(self, username: str, password: str, signing_key: str = "") -> None:
        super().__init__()
        self._basic = f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"
        self._key = signing_key.encode()

    def answer(self, asked: Asked) -> Answer:
        """See `Fake.answer`."""
        if not asked.path.endswith("/messages") or asked.method != "POST":
            return Answer.of_json(HTTPStatus.NOT_FOUND, {"message": "Not Found"})
        if asked.headers.get("authorization") != self._basic:
            return Answer.of_json(HTTPStatus.UNAUTHORIZED, {"message": "Unauthorized"})
        try:
            wanted: dict[str, Any] = json.loads(asked.body)
            text: str = wanted["textMessage"]["text"]
            (number,) = wanted["phoneNumbers"]
            priority: int = wanted.get("priority", 0)
        except (ValueError, KeyError, TypeError):
            return Answer.of_json(HTTPStatus.BAD_REQUEST, {"message": "failed to validate"})
        if not re.fullmatch(r"\+[1-9][0-9]{6,14}", number) or not LOWEST <= priority <= HIGHEST:
            return Answer.of_json(HTTPStatus.BAD_REQUEST, {"message": f"failed to validate: {number}"})
        identity: str = wanted.get("id") or f"generated-{len(self.messages)}"
        if any(message.id == identity for message in self.messages):
            return Answer.of_json(HTTPStatus.CONFLICT, {"message": "message with this id already exists"})
        if number in self.refuse:
            return Answer.of_json(self.refuse[number], {"message": f"no message to {number}"})
        self.messages.append(Message(identity, number, text, "", wanted.get("ttl")))
        state: dict[str, object] = {
            "id": identity,
            "deviceId": DEVICE,
            "state": "Pending",
            "isHashed": False,
            "isEncrypted": False,
            "recipients": [{"phoneNumber": number, "state": "Pending"}],
            "states": {},
        }
        return Answer.of_json(HTTPStatus.ACCEPTED, state)

    def report(self, message: Message, event: str, at: int, padding: int = 0) -> InboundRequest:
        """What the phone posts to a webhook, signed.

        Args:
            message: that was taken.
            event: such as "sms:delivered".
            at: seconds since 1970; what is signed.
            padding: the body has at least so many bytes.
        """
        payload = {"messageId": message.id, "recipient": message.to, "phoneNumber": message.to, "simNumber": 1}
        document = {
            "deviceId": DEVICE,
            "event": event,
            "id": f"Ey6ECgOkVVFjz3CL{message.id[-4:]}{event[4:7]}",
            "payload": payload,
            "webhookId": "LreFUt-Z3sSq0JufY9uWB",
        }
        body = json.dumps(document).ljust(padding).encode()
        signature = hmac.digest(self._key, body + str(at).encode(), "sha256").hex()
        headers = {"Content-Type": "application/json", "X-Signature": signature, "X-Timestamp": str(at)}
        return InboundRequest("POST", "/receipts/android", headers, body)
