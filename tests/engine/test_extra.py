"""What is meant for the provider alone reaches it as it was given, at the start, on a resend and on a check."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from otpcore import Sent
from otpcore.contract import Accepted, CheckAnswer, CheckRequest, Failure, SendRequest
from otpcore.providers.fake import Exchange
from tests.engine.colours import COLOURS, NUMBER, Driven, driven
from tests.numbers import phone

BOUND = {"Amount": "€39.99", "Payee": "Acme"}
SOURCE = "192.0.2.1"


class Listening(Exchange):
    """A vendor that keeps what it is asked."""

    asked: list[SendRequest | CheckRequest]

    def send(self, request: SendRequest) -> Accepted | Failure:
        self.asked.append(request)
        return super().send(request)

    def check(self, request: CheckRequest) -> CheckAnswer:
        self.asked.append(request)
        return super().check(request)


def listening(colour: str) -> tuple[Listening, Driven, list[datetime]]:
    vendor, time = Listening(), [datetime(2026, 11, 22, tzinfo=UTC)]
    vendor.asked = []
    return vendor, driven(colour, vendor, clock=lambda: time[0]), time


@pytest.mark.parametrize("colour", COLOURS)
def test_the_providers_own_parameters_arrive_as_they_were_given(colour: str) -> None:
    vendor, engine, time = listening(colour)
    sent = engine.call("start", NUMBER, extra=BOUND)
    assert isinstance(sent, Sent)
    time[0] += timedelta(minutes=5)
    engine.call("resend", sent.session.token, NUMBER, extra=BOUND | {"Payee": "Other"})
    engine.call("check", sent.session.token, "123456", extra=BOUND)
    engine.call("check", sent.session.token, "123456")
    assert [one.extra for one in vendor.asked] == [BOUND, BOUND | {"Payee": "Other"}, BOUND, {}]
    assert "39.99" not in repr(vendor.asked)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_provider_learns_a_sources_pseudonym_and_not_the_source(colour: str) -> None:
    vendor, engine, _ = listening(colour)
    for last, source in ((1, SOURCE), (2, SOURCE), (3, "192.0.2.2"), (4, None)):
        engine.call("start", phone(last), source=source)
    first, second, other, untold = [one.source for one in vendor.asked if isinstance(one, SendRequest)]
    assert first == second
    assert len({first, other, untold, SOURCE, "192.0.2.2"}) == 5
    assert untold == ""
    assert first not in repr(vendor.asked)
