"""What an author's functions raise is told by its type and its line, and by nothing that it held."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from otpcore.ports import Accepted, CodeOwner, Failure, FailureKind, ProviderCapabilities, SendEffect, SendRequest
from otpcore.providers.http import HttpRequest, HttpResponse
from otpcore.providers.http_calls import Calls, Settled

RECIPIENT = "+12025550123"
SEND = SendRequest("s", RECIPIENT, "sms", "login", "918273", None, datetime(2026, 1, 1, tzinfo=UTC), 1.0)


class Careless:
    """An author's object that trips over what it is given."""

    capabilities = ProviderCapabilities(frozenset({CodeOwner.CORE}), frozenset({"sms"}))

    def request(self, request: SendRequest) -> HttpRequest:
        raise KeyError(request.recipient)

    def parse(self, _request: SendRequest, response: HttpResponse) -> Accepted | Failure:
        return Accepted(handle=response.document["id"])


def line_of(function: object) -> int:
    """Where the body of a function of one line is."""
    return int(getattr(function, "__code__").co_firstlineno) + 1  # noqa: B009  # a plain function, typed as an object


@pytest.mark.parametrize(("body", "error"), [(b'{"handle": "+12025550123"}', "KeyError"), (b"<p>", "JSONDecodeError")])
def test_an_unusable_answer_says_where_it_was_not_understood(body: bytes, error: str) -> None:
    outcome = Calls(Careless()).send(SEND).read(HttpResponse(201, {}, body))
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.INTERNAL, SendEffect.UNKNOWN)
    assert outcome.detail == f"no usable answer: {error} in parse, line {line_of(Careless.parse)}"


def test_a_request_that_could_not_be_made_says_where_and_not_for_whom() -> None:
    found = Calls(Careless()).send(SEND).prepare()
    assert isinstance(found, Settled)
    outcome = found.outcome
    assert isinstance(outcome, Failure)
    assert outcome.effect is SendEffect.NOT_SENT
    assert outcome.detail.endswith(f"could not be made: KeyError in request, line {line_of(Careless.request)}")
    assert not re.search(r"2025550123|918273", repr(found))


def test_an_object_without_the_function_has_no_line() -> None:
    found = Calls(object()).send(SEND).prepare()
    assert isinstance(found, Settled)
    assert isinstance(found.outcome, Failure)
    assert found.outcome.detail == "not sent: the request could not be made: AttributeError"
