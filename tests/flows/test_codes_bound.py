"""Invariant 8, V7: a digest is worth nothing in another place than the one that it was made for.

Rules of this file: each of the tries is compared, for each finds the record as it was before; none is stopped by a
limit.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import pytest

from otpcore import Approved, Wrong
from otpcore.codes import Entropy, Token, make_code
from otpcore.contract import Versioned
from otpcore.flows import check, resend, start
from otpcore.model import Code, RecipientRecord
from tests.flows.script import NO_ANSWER, NUMBER, Page, entropy, setup
from tests.numbers import phone

TWO_MINUTES = timedelta(minutes=2)


@dataclass(frozen=True)
class Made:
    """A session and its code."""

    token: Token
    code: str
    found: Versioned

    def kept(self) -> Code:
        session = RecipientRecord.decode(self.found.data).session(self.token.session)
        assert session is not None
        return session.codes[-1]

    def holding(self, digest: str) -> Versioned:
        """The record, with another digest in the place of this session's."""
        record = RecipientRecord.decode(self.found.data)
        sessions = tuple(
            one.but(codes=(msgspec.structs.replace(one.codes[-1], digest=digest),))
            if one.id == self.token.session
            else one
            for one in record.sessions
        )
        return Versioned(record.but(sessions=sessions).encode(), self.found.version)


def made(page: Page, tenants: int = 2, people: int = 25) -> list[Made]:
    """Two sessions of each person with each tenant, for different purposes."""
    seeds, begun = random.Random(7), list[tuple[Token, str]]()
    for purpose in ("login", "payment"):
        for each in range(tenants):
            for person in range(people):
                drawn = Entropy.split(seeds.randbytes(66))
                given = setup(tenant=f"t{each}")
                sent = page.run(start(given, drawn, phone(person), purpose=purpose))
                token = Token.parse(sent.session.token)
                assert token is not None
                begun.append((token, make_code(drawn.code, 6)))
        page.now += TWO_MINUTES
    return [Made(token, code, page.records[token.key]) for token, code in begun]


def opened_by_anothers(pairs: int) -> int:
    """How many sessions a code opens that was not made for them: as it is, and with its digest put in their place."""
    page, draw, opened = Page(), random.Random(8), 0
    all_made = made(page)
    setups = {one.tenant_id: one for one in (setup(tenant="t0"), setup(tenant="t1"))}
    for n in range(pairs):
        one, other = draw.sample(all_made, 2)
        if one.code == other.code:
            continue
        page.records = {one.token.key: one.holding(other.kept().digest) if n % 2 else one.found}
        flow = check(setups[one.token.key[:12]], entropy(3), str(one.token), other.code)
        answer = page.run(flow)
        assert isinstance(answer, Wrong | Approved), answer
        opened += isinstance(answer, Approved)
    return opened


@pytest.mark.parametrize("pairs", [10_000])
def test_a_code_opens_no_session_that_it_was_not_made_for(pairs: int) -> None:
    """V7, invariant 8: over tenants, purposes, people and sessions; every pair is compared, 0 are accepted."""
    assert opened_by_anothers(pairs) == 0


def test_the_same_way_opens_the_session_that_it_was_made_for() -> None:
    """The control of the pairs."""
    page = Page()
    one = made(page, tenants=1, people=1)[0]
    page.records = {one.token.key: one.holding(one.kept().digest)}
    assert isinstance(page.run(check(setup(tenant="t0"), entropy(3), str(one.token), one.code)), Approved)


def generations_are_apart() -> None:
    """Two codes of a session whose digests have changed places: neither matches."""
    page = Page()
    token = page.run(start(setup(), entropy(1), NUMBER)).session.token
    page.now += TWO_MINUTES
    page.sends = [NO_ANSWER]
    page.run(resend(setup(), entropy(2), token, NUMBER))
    ((key, found),) = page.records.items()
    record = RecipientRecord.decode(found.data)
    (session,) = record.sessions
    older, newer = session.codes
    changed = (
        msgspec.structs.replace(older, digest=newer.digest),
        msgspec.structs.replace(newer, digest=older.digest),
    )
    for codes, kind in ((session.codes, Approved), (changed, Wrong)):
        for seed in (1, 2):
            held = record.but(sessions=(session.but(codes=codes),))
            page.records[key] = Versioned(held.encode(), found.version)
            assert isinstance(page.run(check(setup(), entropy(5), token, make_code(entropy(seed).code, 6))), kind)


def test_a_code_counts_only_as_the_generation_that_it_was_made_for() -> None:
    """V7, invariant 8."""
    generations_are_apart()
