"""Telling of an operation that raised: of whom the event speaks, and what it keeps to itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from otpcore import ByRecipient, Ended, Forgotten
from otpcore.codes import record_key
from otpcore.contract import CodeOwner
from otpcore.effects import CancelCode, Commit, Effect, ReadClock, Tell
from otpcore.errors import Busy, CommitUnknown, StoreError, StoreUnavailable
from otpcore.events import Event
from otpcore.flows import cancel, failed, forget, start
from otpcore.phone import canonicalise
from tests.flows.script import NOW, NUMBER, OTHER_NUMBER, Page, entropy, setup

SETUP = setup()
PLACE = record_key(SETUP.keyring.current, SETUP.tenant_id, "phone", NUMBER)
ERROR = Busy(f"about {NUMBER}, code 123456")


def told(about: Any, **given: Any) -> Event:
    """The one event, from the two effects of the flow."""
    flow = failed(SETUP, "start", ERROR, about, **given)
    assert next(flow) == ReadClock()
    tell = flow.send(NOW)
    assert isinstance(tell, Tell)
    with pytest.raises(StopIteration):
        flow.send(None)
    [event] = tell.events()
    assert (event.name, event.at, event.tenant, event.session, event.detail) == ("start.busy", NOW, "t", "", {})
    assert NUMBER[1:] not in repr(event)
    return event


@pytest.mark.parametrize(
    ("about", "region"),
    [
        (NUMBER, None),
        ("(202) 555-0123", "US"),
        (canonicalise(NUMBER), None),
        (ByRecipient(NUMBER), None),
        (ByRecipient("(202) 555-0123", region="US"), None),
    ],
)
def test_a_number_is_told_by_its_pseudonym_and_its_tail(about: Any, region: str | None) -> None:
    event = told(about, region=region)
    assert (event.recipient_key, event.recipient_tail) == (PLACE, "…23")


def test_a_token_is_told_by_the_pseudonym_that_it_names() -> None:
    page = Page()
    token = page.run(start(SETUP, entropy(1), NUMBER)).session.token
    page.now += timedelta(minutes=1)
    event = told(token)
    assert (event.recipient_key, event.recipient_tail) == (PLACE, "")
    assert token[-24:] not in repr(event)


@pytest.mark.parametrize("about", ["", "otps_nonsense", "12", "x" * 10_000, None, 12, b"+12025550123"])
def test_what_names_nobody_is_told_of_nobody(about: Any) -> None:
    event = told(about)
    assert (event.recipient_key, event.recipient_tail) == ("", "")


@pytest.mark.parametrize(
    ("given", "purpose"), [("login", "login"), ("payment", "payment"), (OTHER_NUMBER, ""), ("unknown", "")]
)
def test_only_a_configured_purpose_is_told(given: str, purpose: str) -> None:
    """The arguments may have been swapped."""
    assert told(NUMBER, purpose=given).purpose == purpose
    assert told(ByRecipient(NUMBER, purpose=given)).purpose == purpose


# --- what was done is told, whatever fails behind it ---------------------------------------------


@pytest.mark.parametrize("error", [StoreUnavailable, CommitUnknown])
@pytest.mark.parametrize(("operation", "result"), [(cancel, Ended), (forget, Forgotten)])
def test_an_ending_stands_though_nobody_could_write_that_the_provider_knows(
    operation: Any, result: type, error: type[StoreError]
) -> None:
    """The session is over and its erasure told; the verification counts until its window ends, as if not cancelled."""
    page, given = Page(), setup(CodeOwner.PROVIDER)
    page.run(start(given, entropy(1), NUMBER, by_recipient=True))
    asked = ByRecipient(NUMBER) if operation is cancel else NUMBER
    page.asked.clear()

    def fault(effect: Effect) -> None:
        if isinstance(effect, Commit) and page.requests(CancelCode):
            raise error

    page.fault = fault
    assert isinstance(page.run(operation(given, entropy(2), asked)), result)
    [tell] = page.requests(Tell)
    names = [event.name for event in tell.events()]
    assert names == (["cancel.ended"] if operation is cancel else ["forget.forgotten", "erase"])
    assert [handle.ended for handle in page.record().handles] == [False]
