"""What shows of a person, whatever a provider is asked and whatever its vendor answers: nothing.

Rules of this file: as for `otpcore.conformance.provider.contract`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from otpcore.conformance.provider.checks import A_MOMENT_S, Checks
from otpcore.conformance.provider.driven import Driven
from otpcore.conformance.provider.misbehaving import MisbehavingServer, WireAnswer, reply
from otpcore.conformance.provider.requirement import Claim, needs
from otpcore.conformance.provider.vendor import SERVE, Ending, Vendor
from otpcore.ports import DeliveryState, InboundRequest

__all__ = ["ShowingChecks", "shows"]

ECHOES = (200, 400, 500)
"""Statuses of an answer that holds the number and the code."""


_BETWEEN = r"[\W_]{1,4}"
"""What may stand between two digits, or two groups of them, that are read as one number all the same."""


def shows(text: str, secret: str) -> bool:
    """Whether a text holds the digits of a code or a number, in a row or apart: `918273`, `918 273`, `9-1-8-2-7-3`.

    Apart they are looked for as a number of their own, so that a time or a counter is not taken for one.
    """
    digits = re.sub(r"\D", "", secret)
    apart = f"({_BETWEEN})?".join(digits)
    return digits in text or re.search(rf"(?<!\d){apart}(?!\d)", text) is not None


def _everything(caplog: pytest.LogCaptureFixture) -> str:
    counted = dict.fromkeys(("created", "msecs", "relativeCreated", "thread", "process"))  # logging's own digits
    return "\n".join([caplog.text, *(repr(vars(record) | counted) for record in caplog.records)])


class ShowingChecks(Checks):
    """The part of the provider kit that is about what shows."""

    def test_no_code_and_no_number_is_shown(
        self,
        driven: Driven,
        server: Vendor,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """Not in a log at any level, not in an exception, not in a `repr`, though the vendor's own text holds both.

        Whatever the provider is asked: each of its methods that asks the vendor. Nor is anything printed.
        """
        quick = [name for name, ending in self.scenarios.items() if ending not in (Ending.SILENT, Ending.ANY)]
        with caplog.at_level(logging.NOTSET):
            for operation in self._operations():
                for scenario in (SERVE, *quick, "stall"):
                    outcome = self._perform(driven, operation, server, scenario, A_MOMENT_S)
                    self._shows_nothing(repr(outcome), f"the answer to {operation}")
                for outcome in self._echoed(driven, server, operation):
                    self._shows_nothing(repr(outcome), f"the answer to {operation}")
                self._shows_nothing(driven.texts(), f"the provider or what it raised, after {operation}")
                self._shows_nothing(_everything(caplog), f"a log of {operation}")
                self._shows_nothing("\n".join(capfd.readouterr()), f"what was printed of {operation}")

    @needs(Claim.RECEIPTS)
    def test_no_receipt_is_shown(
        self, driven: Driven, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Genuine or not: not in a log at any level, not in an exception, not in the `repr` of what was read."""
        with caplog.at_level(logging.NOTSET):
            for request in self._receipts():
                try:
                    told = driven.provider.parse_receipt(request)
                except Exception as error:  # noqa: BLE001  # refused, or what the provider has not foreseen
                    driven.raised.append(error)
                else:
                    self._shows_nothing(repr(told), "what was read of a receipt")
            self._shows_nothing(driven.texts(), "the provider or what it raised")
            self._shows_nothing(_everything(caplog), "a log of a receipt")
            self._shows_nothing("\n".join(capfd.readouterr()), "what was printed of a receipt")

    def _echoed(self, driven: Driven, server: Vendor, operation: str) -> Iterator[object]:
        """What becomes of answers that hold the number and the code, and nothing else that the provider knows."""
        server.play(SERVE)
        if isinstance(server, MisbehavingServer):
            echo = {"message": f"{self.recipient} {self.code}", "to": self.recipient, "value": self.code}
            for status in ECHOES:
                server.scenario = reply(WireAnswer.of_json(status, echo))
                yield self._perform(driven, operation, server)

    def _receipts(self) -> Iterator[InboundRequest]:
        for state in (DeliveryState.DELIVERED, DeliveryState.UNDELIVERED):
            genuine = self.receipt(state)
            yield genuine
            yield replace(genuine, headers={})
            yield replace(genuine, body=genuine.body[:-1])
            yield replace(genuine, body=genuine.body + b"x")

    def _shows_nothing(self, text: str, where: str) -> None:
        assert not shows(text, self.code), f"{where} shows the code"
        assert self.recipient.lstrip("+") not in text, f"{where} shows the recipient"
        assert "@" in self.recipient or not shows(text, self.recipient), f"{where} shows the number"
