"""The canonicaliser of addresses by examples: each text names one mailbox or is refused, and nothing is repaired."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import otpcore
from otpcore.codes import Keys, record_key
from otpcore.errors import InvalidAddress, InvalidNumber, InvalidRecipient
from otpcore.mail import MailAddress, canonicalise_address
from otpcore.phone import PhoneNumber, RegionPolicy, canonicalise
from otpcore.recipients import canonical, decide_recipient, wrong_kind

JO = "jo@example.org"

ACCEPTED: list[tuple[str, str]] = [
    (JO, JO),
    ("Jo.Doe@example.org", "Jo.Doe@example.org"),
    ("jo@EXAMPLE.Org", JO),
    ("jo+otp@example.org", "jo+otp@example.org"),
    ("j.o@mail.example.org", "j.o@mail.example.org"),
    ("o'neil@example.org", "o'neil@example.org"),
    ("-jo_#$&*/=?^`{|}~-@example.org", "-jo_#$&*/=?^`{|}~-@example.org"),
    ("+12025550123@example.org", "+12025550123@example.org"),  # a mailbox, not a number
    ("jo@xn--bcher-kva.example", "jo@xn--bcher-kva.example"),
    ("1@2.example", "1@2.example"),
    (f"{'a' * 64}@example.org", f"{'a' * 64}@example.org"),
    (f"jo@{'a' * 63}.example", f"jo@{'a' * 63}.example"),
    (f"jo@{'a.' * 124}abc", f"jo@{'a.' * 124}abc"),  # 254 characters
]

REFUSED: list[object] = [
    # more than an address
    "Jo <jo@example.org>",
    "<jo@example.org>",
    "jo@example.org (Jo)",
    "jo(comment)@example.org",
    '"jo"@example.org',
    '"jo doe"@example.org',
    "mailto:jo@example.org",
    "jo@example.org,jill@example.org",
    "jo@example.org;jill@example.org",
    "jo@example.org jill@example.org",
    "jo@example.org?subject=x",
    "@relay.example:jo@example.org",
    # routes of old
    "jo%other.example@example.org",
    "other.example!jo@example.org",
    # white space, controls, invisible and directional characters
    "",
    " ",
    " jo@example.org",
    "jo@example.org ",
    "jo @example.org",
    "jo@ example.org",
    "jo@example.org\n",
    "jo@example.org\r\nBcc: jill@example.org",
    "jo\x00@example.org",
    "jo\t@example.org",
    "jo\x7f@example.org",
    "jo\u200b@example.org",
    "\ufeffjo@example.org",
    "\u202ejo@example.org",
    "jo@example.org\u2069",
    "jo@example\u00ad.org",
    "jo\u00a0@example.org",
    "\ud800jo@example.org",
    # other scripts and look-alikes
    "jö@example.org",
    "jo@bücher.example",
    "j\u043e@example.org",
    "jo@ex\u0430mple.org",
    "jo\uff20example.org",
    "jo@example\u3002org",
    "jo@\uff45xample.org",
    "jo@straße.example",
    # odd arrangements
    "jo",
    "@",
    "jo@",
    "@example.org",
    "jo@@example.org",
    "jo@jill@example.org",
    ".jo@example.org",
    "jo.@example.org",
    "jo..doe@example.org",
    "jo@example",
    "jo@localhost",
    "jo@.example.org",
    "jo@example..org",
    "jo@example.org.",
    "jo@-example.org",
    "jo@example-.org",
    "jo@exam_ple.org",
    "jo@127.0.0.1",
    "jo@[127.0.0.1]",
    "jo@[IPv6:::1]",
    "jo@example.123",
    "jo\\@example.org",
    # too long
    f"{'a' * 65}@example.org",
    f"jo@{'a' * 64}.example",
    f"jo@{'a.' * 124}abcd",
    "a@" * 100_000,
    # no text
    None,
    b"jo@example.org",
    7,
    ["jo@example.org"],
]


@pytest.mark.parametrize(("text", "address"), ACCEPTED)
def test_a_plain_address_is_read_as_itself(text: str, address: str) -> None:
    read = canonicalise_address(text)
    assert read.address == address
    assert canonicalise_address(read.address) == read
    assert canonical(text) == read


@pytest.mark.parametrize("given", REFUSED)
def test_what_is_not_plainly_an_address_is_refused_and_not_shown(given: str) -> None:
    with pytest.raises(InvalidAddress) as refused:
        canonicalise_address(given)
    assert "example" not in str(refused.value)
    assert "jo" not in str(refused.value)


@pytest.mark.parametrize("text", ["jo@example.org", "Jo@example.org", "JO@EXAMPLE.ORG", "jO@eXample.org"])
def test_two_spellings_of_one_mailbox_are_one_recipient(text: str) -> None:
    assert canonicalise_address(text).identity == JO


@pytest.mark.parametrize("text", ["j.o@example.org", "jo+1@example.org", "jo@mail.example.org"])
def test_what_only_its_host_knows_to_be_one_mailbox_is_another_recipient(text: str) -> None:
    assert canonicalise_address(text).identity != JO


def test_an_address_is_masked_wherever_it_shows() -> None:
    assert repr(canonicalise_address("jo.doe@example.org")) == str(canonicalise_address("jo.doe@example.org"))
    assert repr(canonicalise_address("jo.doe@example.org")) == "MailAddress(…rg)"


@pytest.mark.parametrize("text", ["jo@EXAMPLE.org", "jo", "jo@example.org ", "jö@example.org"])
def test_a_value_cannot_be_made_in_another_spelling(text: str) -> None:
    with pytest.raises(InvalidAddress) as refused:
        MailAddress(text)
    assert "jo" not in str(refused.value)


def test_a_text_is_of_one_kind_and_a_channel_reaches_one() -> None:
    number, mailbox = canonical("+1 202 555 0123"), canonical("jo@example.org", "CM")
    assert isinstance(number, PhoneNumber)
    assert isinstance(mailbox, MailAddress)
    assert canonical(mailbox) is mailbox
    assert canonical(number) is number
    assert (number.kind, mailbox.kind) == ("phone", "email")
    for channel in ("sms", "call", "whatsapp", "Email", ""):
        assert wrong_kind(number, channel) is None
        assert wrong_kind(mailbox, channel) is not None
    assert wrong_kind(mailbox, "email") is None
    assert wrong_kind(number, "email") is not None
    for given in ("202", "", None, 7):
        with pytest.raises(InvalidNumber):
            canonical(given)  # type: ignore[arg-type]  # what a program without types gives
    with pytest.raises(InvalidRecipient):
        canonical("jo@")


def test_rules_over_regions_have_no_say_in_a_mailbox() -> None:
    policy = RegionPolicy(allow_regions=frozenset({"CM"}))
    assert decide_recipient(canonicalise("+12025550123"), policy=policy) is not None
    assert decide_recipient(canonicalise_address(JO), policy=policy) is None


def test_the_key_of_a_number_is_what_it_was_before_there_were_addresses() -> None:
    """Stores that are in use hold records under these keys; the digests were computed at an earlier release."""
    keys = Keys.of(bytes(range(32)))
    number = canonicalise("+12025550123")
    assert record_key(keys, "tenant", number.kind, number.identity) == GOLDEN
    assert record_key(keys, "tenant", "email", number.identity) != GOLDEN


GOLDEN = "tenant/r/btkiz7iVjKzeQafuh-eMytkM"


def test_no_module_of_the_package_takes_the_name_of_a_standard_one() -> None:
    """A program that is run from inside the folder would import it in the other's place."""
    package = Path(otpcore.__file__).parent
    assert not {path.stem for path in package.iterdir()} & sys.stdlib_module_names
