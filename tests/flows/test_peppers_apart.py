"""Trap 10: what one pepper has made is compared under that pepper and no other."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otpcore import Approved, Wrong
from otpcore.codes import Keys, make_code
from otpcore.contract import Versioned
from otpcore.flows import check, resend, start
from otpcore.model import RecipientRecord
from tests.flows.script import NEW, NO_ANSWER, NUMBER, OLD, Page, entropy, setup

GIVEN = setup(current=NEW, previous=(OLD,))


def two_codes() -> tuple[Page, str]:
    """A session whose second code is not settled: both match."""
    page = Page()
    token = page.run(start(GIVEN, entropy(1), NUMBER)).session.token
    page.now += timedelta(minutes=2)
    page.sends = [NO_ANSWER]
    page.run(resend(GIVEN, entropy(2), token, NUMBER))
    return page, token


def relabelled(page: Page, kid: str) -> None:
    """The record says of the older code that another pepper made it."""
    ((key, found),) = [(key, one) for key, one in page.records.items() if b'"forward"' not in one.data]
    record = RecipientRecord.decode(found.data)
    (session,) = record.sessions
    older, newer = session.codes
    session = session.but(codes=(msgspec.structs.replace(older, kid=kid), newer))
    page.records[key] = Versioned(record.but(sessions=(session,)).encode(), found.version)


@pytest.mark.parametrize(("pepper", "kind"), [(NEW, Approved), (OLD, Wrong)], ids=["its own", "another"])
def test_a_code_counts_only_under_the_pepper_that_its_record_names(pepper: bytes, kind: type) -> None:
    """Invariant 8, trap 10: one MAC is made for a check, and it is none of the other pepper's codes."""
    page, token = two_codes()
    relabelled(page, Keys.of(pepper).kid)
    assert isinstance(page.run(check(GIVEN, entropy(3), token, make_code(entropy(1).code, 6))), kind)
