"""What a thief of the store learns, and what a stranger can tell from the work that is done: nothing."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

from otpcore import Approved, ByRecipient, Sent
from otpcore.codes import Token, code_digest, code_mac, matches
from otpcore.contract import CodeOwner
from otpcore.flows import checking
from otpcore.model import RecipientRecord
from tests.numbers import phone
from tests.properties.world import NUMBER, PEPPER, World

GUESSES = 300
"""Codes that the thief tries on each session; the right one is always among them."""


Stolen = tuple[str, RecipientRecord, str, str]
"""Key and record as dumped; token and code, which the thief does not have."""


def dumped(count: int, **asked: Any) -> tuple[World, list[Stolen]]:
    """A world of sessions, and for each its key and record as dumped, its token and the code that was sent."""
    world, stolen = World(), list[Stolen]()
    for n in range(count):
        number = phone(n)
        sent = world.engine.start(number, **asked)
        assert isinstance(sent, Sent)
        token = Token.parse(sent.session.token)
        assert token is not None
        entry = world.store.load(token.key)
        assert entry is not None
        record = RecipientRecord.decode(entry.data)
        stolen.append((token.key, record, sent.session.token or "", world.vendor.code_for(number)))
    return world, stolen


def recovered(stolen: list[Stolen], *, pepper: bytes, secrets: bool) -> int:
    """The attack: for each session try the codes under what the thief has, and compare with the stored digest."""
    from otpcore.codes import Keys, tenant_digest

    draw, keys, hits = random.Random(4), Keys.of(pepper), 0
    for key, record, token, code in stolen:
        session = record.sessions[0]
        parsed = Token.parse(token)
        secret = parsed.secret if parsed is not None and secrets else "A" * 24
        for guess in (code, *(f"{draw.randrange(10**6):06d}" for _ in range(GUESSES // 100))):
            mac = code_mac(
                keys,
                tenant=tenant_digest("default"),
                purpose=session.purpose,
                key=key,
                session=session.id,
                secret=secret,
                code=guess,
            )
            hits += code_digest(mac, session.codes[0].generation) == session.codes[0].digest
    return hits


def test_a_stolen_store_yields_no_code_without_both_halves() -> None:
    """L4, invariant 9: 1,000 sessions; 0 without the pepper, 0 with it and without the client's half.

    The control is the same script with both: then every code is found, so the attack is a real one.
    """
    _, stolen = dumped(1000)
    assert recovered(stolen, pepper=b"x" * 32, secrets=True) == 0
    assert recovered(stolen, pepper=PEPPER, secrets=False) == 0
    assert recovered(stolen, pepper=PEPPER, secrets=True) == 1000


def test_a_stolen_store_holds_no_session_number_or_code() -> None:
    """V13, L2, invariants 9 and 10: 0 tokens, 0 secrets, 0 codes, 0 numbers."""
    world, stolen = dumped(200)
    dump = world.dump()
    for n, (_, _, token, code) in enumerate(stolen):
        assert token.encode() not in dump
        assert token[-24:].encode() not in dump
        assert f'"{code}"'.encode() not in dump
        assert phone(n)[1:].encode() not in dump


# --- V10 ---------------------------------------------------------------------------------------


def cases() -> dict[str, tuple[World, Any, str]]:
    """One address to check for each thing that an outsider must not tell apart."""
    live, used, unknown, ended = World(), World(), World(), World()
    found: dict[str, tuple[World, Any, str]] = {}
    for name, world in (("live", live), ("used", used), ("cancelled", ended)):
        sent = world.engine.start(NUMBER)
        assert isinstance(sent, Sent)
        token, code = sent.session.token or "", world.vendor.code_for(NUMBER)
        if name == "used":
            assert isinstance(world.engine.check(token, code), Approved)
        if name == "cancelled":
            world.engine.cancel(token)
        found[name] = (world, token, code)
    own = Token.parse(found["live"][1])
    assert own is not None
    found["unknown"] = (unknown, found["live"][1], "123456")
    found["other secret"] = (live, str(Token(own.key, own.session, "A" * 24)), "123456")
    found["malformed"] = (live, "otps_x", "123456")
    found["by recipient"] = (unknown, ByRecipient(NUMBER), "123456")
    return found


def macs_of(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """For each case how many MACs and digests one check computes."""
    counts: dict[str, tuple[int, int]] = {}
    for name, (world, address, code) in cases().items():
        seen = [0, 0]

        def counting(place: int, inner: Callable[..., Any], into: list[int] = seen) -> Callable[..., Any]:
            def call(*given: Any, **named: Any) -> Any:
                into[place] += 1
                return inner(*given, **named)

            return call

        with monkeypatch.context() as patch:
            patch.setattr(checking, "code_mac", counting(0, code_mac))
            patch.setattr(checking, "code_digest", counting(1, code_digest))
            world.engine.check(address, code)
        counts[name] = (seen[0], seen[1])
    return counts


def test_a_check_does_the_same_work_for_whatever_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """V10, invariant 12: live, used, cancelled, unknown, forged and malformed alike."""
    counts = macs_of(monkeypatch)
    assert set(counts.values()) == {counts["live"]}
    assert counts["live"][0] >= 1


def test_an_early_return_for_an_unknown_session_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted defect of the test above."""
    compare = checking._compare  # pyright: ignore[reportPrivateUsage]  # the place of the defect

    def hasty(setup: Any, session: Any, *rest: Any) -> bool:
        return session is not None and compare(setup, session, *rest)

    monkeypatch.setattr(checking, "_compare", hasty)
    assert len(set(macs_of(monkeypatch).values())) > 1


def welch(one: list[float], other: list[float]) -> float:
    spread = statistics.variance(one) / len(one) + statistics.variance(other) / len(other)
    return (statistics.fmean(one) - statistics.fmean(other)) / math.sqrt(spread)


def dudect(compare: Callable[[str, str], bool], samples: int) -> float:
    """Welch's t of the times for near and far digests, the slowest tenth cropped.

    Each sample is a copy of its own: two strings that are used again and again differ by where they lie in memory.
    """
    draw, right = random.Random(10), "A" * 24
    near = [draw.randrange(2) == 0 for _ in range(samples)]
    texts = [(b"A" * 23 + b"B" if close else b"B" * 24).decode() for close in near]
    times: list[float] = []
    for text in texts:
        begin = time.perf_counter_ns()
        compare(right, text)
        times.append(float(time.perf_counter_ns() - begin))
    limit = statistics.quantiles(times, n=10)[-1]
    kept = [(close, took) for close, took in zip(near, times, strict=True) if took <= limit]
    return abs(welch([took for close, took in kept if close], [took for close, took in kept if not close]))


def first_difference(one: str, other: str) -> bool:
    return all(a == b for a, b in zip(one, other, strict=True))


def test_comparing_takes_as_long_for_near_codes_as_for_far_ones() -> None:
    """V10, in the way of dudect: 2 x 10^5 samples, |t| < 4.5; a comparison that stops early is found."""
    assert dudect(matches, 200_000) < 4.5
    assert dudect(first_difference, 20_000) > 4.5


@pytest.mark.parametrize("owner", list(CodeOwner))
def test_forgetting_is_no_new_quota(owner: CodeOwner) -> None:
    """L5, invariant 10: forget, then start: the limits are as they were; no session and no number is left."""
    world = World(owner=owner)
    sent = world.engine.start(NUMBER)
    assert isinstance(sent, Sent)
    held = world.engine.start(NUMBER)
    world.engine.forget(NUMBER)
    assert type(world.engine.start(NUMBER)) is type(held)
    assert not world.record().sessions
    assert sent.session.id.encode() not in world.dump()
    assert NUMBER[1:].encode() not in world.dump()
