"""Kannel's smsbox, as its user's guide describes it (1.4.5).

Rules of this file: as for `otpcore_http.fakes.serving`.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import urlsplit

from otpcore.ports import InboundRequest
from otpcore_http.fakes.serving import Answer, Asked, Fake, Message

__all__ = ["Kannel"]


class Kannel(Fake):
    """The box. `refuse` has a (status, line) for a number; REFUSALS are those of the guide.

    Args:
        username: of a sendsms-user.
        password: of the same.
    """

    REFUSALS = (
        (202, "3: Queued for later delivery"),
        (403, "Not routable. Do not try again."),
        (503, "Temporal failure, try again later."),
    )

    def __init__(self, username: str, password: str) -> None:
        super().__init__()
        self._user = username, password

    def answer(self, asked: Asked) -> Answer:
        """See `Fake.answer`."""
        if asked.path != "/cgi-bin/sendsms" or asked.method != "GET":
            return Answer.of_text(HTTPStatus.NOT_FOUND, "Unknown request.")
        query = asked.query
        if (query.get("username"), query.get("password")) != self._user:
            return Answer.of_text(HTTPStatus.FORBIDDEN, "Authorization failed for sendsms")
        number, text = query.get("to", ""), query.get("text", "")
        if not number:
            return Answer.of_text(HTTPStatus.BAD_REQUEST, "Missing receiver number, rejected")
        if not re.fullmatch(r"\+?[0-9 ]+", number):
            return Answer.of_text(HTTPStatus.BAD_REQUEST, "Garbage 'to' field, rejected.")
        status, line = self.refuse.get(number, (202, "0: Accepted for delivery"))
        if status == HTTPStatus.ACCEPTED:
            report_to = query.get("dlr-url", "") if int(query.get("dlr-mask", "0")) else ""
            ttl_s = int(query["validity"]) * 60 if "validity" in query else None
            identity = f"kannel-{len(self.messages)}"
            self.messages.append(Message(identity, number, text, query.get("from", ""), ttl_s, report_to))
        return Answer.of_text(status, line)

    def report(self, message: Message, value: int) -> InboundRequest:
        """The URL that Kannel fetches, its %d filled.

        Args:
            message: that was taken.
            value: of the delivery report: 1 delivered, 2 not, 4 queued, 8 taken by the centre, 16 refused by it.
        """
        parts = urlsplit(message.report_to.replace("%d", str(value)))
        return InboundRequest("GET", f"{parts.path}?{parts.query}", {"User-Agent": "Kannel/1.4.5"}, b"")
