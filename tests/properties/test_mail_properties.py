"""Requirement P3 for addresses: the canonicaliser is total and idempotent, and no two readings make two budgets."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otpcore.errors import InvalidAddress, InvalidRecipient
from otpcore.mail import MailAddress, canonicalise_address
from otpcore.recipients import canonical

CI_EXAMPLES = 10_000
NIGHTLY_EXAMPLES = 1_000_000

ATOM = string.ascii_letters + string.digits + "#$&'*+/=?^_`{|}~-"
LABEL = string.ascii_letters + string.digits + "-"

near_addresses = st.text(ATOM + '@@..%! <>()"\\\t\r\n\x00\u200b\u202eö', max_size=24)
address_shaped = st.builds(
    "{}@{}.{}".format,
    st.text(ATOM + ".", max_size=66),
    st.text(LABEL + ".", max_size=66),
    st.text(LABEL, max_size=4),
)
anything_text = st.one_of(
    near_addresses, address_shaped, st.text(max_size=40), st.text(max_size=20).map("{}@b.c".format)
)


def is_total_and_idempotent(text: str) -> None:
    try:
        read = canonicalise_address(text)
    except InvalidAddress:
        return
    local, _, domain = text.rpartition("@")
    assert read.address == f"{local}@{domain.lower()}", "nothing is repaired but the case of the domain"
    assert read.identity == text.lower()
    assert canonicalise_address(read.address) == read == canonical(text) == canonical(text, "CM")
    assert canonicalise_address(text.swapcase()).identity == read.identity, "one mailbox, one budget"
    assert re.fullmatch(r"[!-~]{3,254}", read.address)
    assert not set(read.address) & set(' "(),:;<>[]\\%!')
    assert read.address.count("@") == 1


@given(text=anything_text)
@settings(max_examples=CI_EXAMPLES)
@example(text="Jo.Doe+otp@Example.ORG")
@example(text="jo@example.org\r\nBcc: jill@example.org")
def test_canonicalise_address_raises_only_its_own_refusal_and_keeps_what_it_made(text: str) -> None:
    is_total_and_idempotent(text)


@pytest.mark.nightly
@given(text=anything_text)
@settings(max_examples=NIGHTLY_EXAMPLES)
def test_canonicalise_address_is_total_at_full_size(text: str) -> None:
    is_total_and_idempotent(text)


@given(text=st.one_of(anything_text, st.text(string.digits + "+ @.-()", max_size=24)))
@settings(max_examples=CI_EXAMPLES)
def test_a_text_is_a_number_or_an_address_and_never_both(text: str) -> None:
    try:
        found = canonical(text)
    except InvalidRecipient:
        return
    assert isinstance(found, MailAddress) == ("@" in text)


@given(
    value=st.one_of(st.none(), st.integers(), st.binary(), st.lists(st.text()), st.dictionaries(st.text(), st.text()))
)
def test_what_is_no_text_is_refused_like_any_other(value: str) -> None:
    with pytest.raises(InvalidAddress):
        canonicalise_address(value)


def corpus(rng: random.Random, size: int) -> Iterator[str]:
    """Addresses as people have them."""
    names = ["jo", "jo.doe", "Jo_Doe", "j-d", "jo+shop", "o'neil", "1984", "x", "a.b.c.d.e"]
    domains = [
        "example.org",
        "example.co.uk",
        "mail.example.com",
        "xn--bcher-kva.example",
        "3com.example",
        "a-b.example",
    ]
    for name in names:
        for domain in domains:
            yield f"{name}@{domain}"
    for _ in range(size):
        local = ".".join("".join(rng.choices(ATOM, k=rng.randint(1, 9))) for _ in range(rng.randint(1, 3)))
        labels = ["a" + "".join(rng.choices(LABEL, k=rng.randint(0, 9))) + "z" for _ in range(rng.randint(2, 4))]
        yield f"{local}@{'.'.join(labels)}"


def test_a_corpus_of_addresses_is_read_whole() -> None:
    """What people have is served: a canonicaliser that refuses everything would pass the tests above."""
    for text in corpus(random.Random(7), 10_000):
        assert canonicalise_address(text).identity == text.lower()


@pytest.mark.parametrize("ending", ["@" + "a." * 200_000, "." * 400_000, "@" + "a-" * 200_000 + "."])
def test_no_text_takes_long_to_refuse(ending: str) -> None:
    """One way to match, so that nothing backtracks; a text of this length is refused before it is matched."""
    for length in (10, 253, 400_000):
        with pytest.raises(InvalidAddress):
            canonicalise_address("jo" + ending[:length] + "!")


def test_a_canonicaliser_that_keeps_two_spellings_apart_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MailAddress, "identity", property(lambda self: self.address))
    with pytest.raises(AssertionError):
        is_total_and_idempotent("Jo@example.org")
