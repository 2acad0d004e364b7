"""46elks, as its documentation describes it (46elks.com/docs, November 2026).

Rules of this file: as for `otpcore_http.fakes.serving`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from http import HTTPStatus
from typing import cast
from urllib.parse import urlencode, urlsplit

from otpcore.ports import InboundRequest
from otpcore_http.fakes.serving import Answer, Asked, Fake, Message

__all__ = ["Elks"]

PART = 153
COST_OF_PART = 3500
"""In ten-thousandths of the account's currency."""


class Elks(Fake):
    """The vendor. `refuse` has a (status, line) for a number, or the word "failed".

    Args:
        username: of the API.
        password: of the API.
    """

    def __init__(self, username: str, password: str) -> None:
        super().__init__()
        self._basic = f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"

    def answer(self, asked: Asked) -> Answer:
        """See `Fake.answer`."""
        if asked.path != "/a1/sms" or asked.method != "POST":
            return Answer.of_text(HTTPStatus.NOT_FOUND, "404 Not Found")
        if asked.headers.get("authorization") != self._basic:
            return Answer.of_text(HTTPStatus.UNAUTHORIZED, "API access requires Basic HTTP authentication.")
        form = asked.form
        for name in ("from", "to", "message"):
            if not form.get(name):
                return Answer.of_text(HTTPStatus.BAD_REQUEST, f"Missing key {name}")
        number, text = form["to"], form["message"]
        if not re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
            return Answer.of_text(HTTPStatus.BAD_REQUEST, "Invalid to number")
        refusal = self.refuse.get(number)
        if isinstance(refusal, tuple):
            status, line = cast("tuple[int, str]", refusal)
            return Answer.of_text(status, line)
        parts = -(-len(text) // PART)
        identity = f"s{len(self.messages):032x}"
        if refusal is None:
            self.messages.append(Message(identity, number, text, form["from"], None, form.get("whendelivered", "")))
        document = {
            "id": identity,
            "status": refusal or "created",
            "direction": "outgoing",
            "from": form["from"],
            "to": number,
            "created": "2026-11-30T12:00:00.000000",
            "parts": parts,
            "cost": parts * COST_OF_PART,
        }
        return Answer.of_json(HTTPStatus.OK, document)

    def report(self, message: Message, status: str) -> InboundRequest:
        """What is posted to the message's own URL.

        Args:
            message: that was taken.
            status: "sent", "delivered" or "failed".
        """
        fields = {"id": message.id, "status": status}
        if status == "delivered":
            fields["delivered"] = "2026-11-30T12:00:05.000000"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return InboundRequest("POST", urlsplit(message.report_to).path, headers, urlencode(fields).encode())
