"""P5: a template is data. What it may not hold is refused when it is made; the rest is joined, never formatted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otpcore.errors import ConfigurationError, UsageError
from otpcore.messages import DEFAULT_TEMPLATES, Encoding, Template, Templates, render, size_of
from tests.messages.hostile import BIDI, HOSTILE, bound

HASH = "FA+9qCX9VSu"
PLAIN = Template(name="plain", locale="en", text="Your code is {code}")
DEFAULTS = [pytest.param(each, id=f"{each.locale}-{each.branded}") for each in DEFAULT_TEMPLATES.templates]


def made(text: str = "Your code is {code}", **given: Any) -> Template:
    whole: dict[str, Any] = {"name": "test", "locale": "en", "text": text, **given}
    return Template(**whole)


def hostile_texts_are_refused() -> None:
    for hostile in HOSTILE:
        for text in (f"{{code}} {hostile} x", f"{hostile}x {{code}}"):
            with pytest.raises(ConfigurationError):
                made(text)
        with pytest.raises(ConfigurationError):
            made(subject=f"Code {hostile} x")
        with pytest.raises(ConfigurationError):
            DEFAULT_TEMPLATES.check(f"a{hostile}b")


def marks_of_direction_are_refused() -> None:
    for mark in BIDI:
        with pytest.raises(ConfigurationError):
            made(f"{{code}} {mark} x")
        with pytest.raises(ConfigurationError):
            DEFAULT_TEMPLATES.check(f"a{mark}b")


def the_line_for_browsers_is_last() -> None:
    for template in DEFAULT_TEMPLATES.ending(webotp_domain="login.example.com").templates:
        message = render(template, "123456", 10, "Shop")
        assert bound(message.text) == ("login.example.com", "123456")
        assert message.text.split("\n")[-1] == "@login.example.com #123456"
        assert message.segments == 1


def test_hostile_texts_are_refused() -> None:
    hostile_texts_are_refused()


def test_marks_of_direction_are_refused() -> None:
    marks_of_direction_are_refused()


def test_the_line_for_browsers_is_the_last_one() -> None:
    the_line_for_browsers_is_last()


@pytest.mark.parametrize("template", DEFAULTS)
@pytest.mark.parametrize("digits", range(6, 11))
def test_a_built_in_text_takes_one_message(template: Template, digits: int) -> None:
    message = render(template, "1234567890"[:digits], 10, "Example Shop")
    assert message.segments == 1
    assert "1234567890"[:digits] in message.text
    assert size_of(message.text).encoding is (Encoding.UCS_2 if template.locale == "ar" else Encoding.GSM_7)
    assert not set("{}\r\n") & set(message.text)


PIECES = st.lists(
    st.one_of(
        st.sampled_from(("{code}", "{code}", "{minutes}", "{brand}", "\n", " ", *HOSTILE)),
        st.text(max_size=8),
    ),
    max_size=8,
)


@given(PIECES, st.from_regex(r"[0-9]{6,10}", fullmatch=True), st.integers(1, 10), st.sampled_from(("", "Shop", "Ω")))
def test_a_text_is_refused_or_only_its_places_are_filled(
    pieces: list[str], code: str, minutes: int, brand: str
) -> None:
    text = "".join(pieces)
    try:
        template = made(text, max_segments=10)
    except ConfigurationError:
        return
    shown = render(template, code, minutes, brand).text
    assert shown == text.replace("{code}", code).replace("{minutes}", str(minutes)).replace("{brand}", brand)
    assert not set("{}\r") & set(shown)
    assert not [mark for mark in BIDI if mark in shown]
    assert shown.count(code) >= 1


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"text": "no code"}, "exactly once"),
        ({"text": "{code} {code}"}, "exactly once"),
        ({"text": "{code}\n@example.com #{code}"}, "webotp_domain"),
        ({"text": " {code}"}, "white space"),
        ({"text": "{code}" + "a" * 151}, "takes 2 SMS"),
        ({"text": "{code}" + "ش" * 61}, "takes 2 SMS"),
        ({"text": "{code}" + "€" * 76}, "takes 2 SMS"),
        ({"text": "{code} {minutes}" + "a" * 148}, "takes 2 SMS"),
        ({"name": "two words"}, "a name has"),
        ({"locale": "fr_FR"}, "BCP 47"),
        ({"channel": "SMS"}, "channel is"),
        ({"purpose": "a\nb"}, "purpose has"),
        ({"max_segments": 0}, "max_segments"),
        ({"max_segments": 11}, "max_segments"),
        ({"subject": "Code {code}"}, "log subjects"),
        ({"subject": "a\nb"}, "no line breaks"),
        ({"subject": "Code", "channel": "sms"}, "only an e-mail"),
        ({"webotp_domain": "https://example.com"}, "without scheme"),
        ({"webotp_domain": "example.com\n@evil.example"}, "without scheme"),
        ({"webotp_domain": "Example.com"}, "small ASCII letters"),
        ({"webotp_domain": "example.com:8443"}, "port"),
        ({"webotp_domain": "localhost"}, "host"),
        ({"app_hash": "short"}, "11 characters"),
        ({"app_hash": HASH + "\n"}, "11 characters"),
        ({"app_hash": HASH, "webotp_domain": "example.com"}, "not given together"),
        ({"app_hash": HASH, "channel": "email"}, "for SMS"),
        ({"app_hash": HASH, "text": "{code}" + "a" * 119}, "has 141 bytes"),
        ({"dlt": {"templat_id": "1"}}, "entity_id and template_id"),
        ({"dlt": {"template_id": "1; DROP"}}, "letters and digits"),
        ({"channel": "email", "text": "{code}" + "a" * 2000}, "2000 characters"),
    ],
)
def test_what_cannot_be_is_refused_with_its_rule(given: dict[str, Any], rule: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^Template ") as refused:
        made(**given)
    assert rule in str(refused.value)
    assert "aaaa" not in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        {"text": "{code}" + "a" * 150},
        {"text": "{code}" + "ش" * 60},
        {"text": "{code}" + "€" * 75},
        {"text": "{code}" + "a" * 151, "max_segments": 2},
        {"text": "{code}\nin two lines"},
        {"text": "کد می\u200cآید {code}"},
        {"text": "{code}: 5 % off"},
        {"app_hash": HASH, "text": "{code}" + "a" * 118},
        {"channel": "email", "text": "{code}" + "a" * 500},
    ],
)
def test_what_just_fits_is_taken(given: dict[str, Any]) -> None:
    made(**given)


def test_the_hash_of_an_app_is_the_last_line_of_an_sms() -> None:
    message = render(made(app_hash=HASH), "123456", 10)
    assert message.text == f"Your code is 123456\n{HASH}"


@pytest.mark.parametrize("channel", ["email", "whatsapp", "call"])
def test_other_channels_have_no_last_line(channel: str) -> None:
    for ending in ({"app_hash": HASH}, {"webotp_domain": "example.com"}):
        assert render(made(**ending), "123456", 10, channel=channel).text == "Your code is 123456"


def test_only_an_e_mail_has_a_subject() -> None:
    template = made(subject="{brand}: {minutes} min")
    assert render(template, "123456", 9, "Shop", channel="email").subject == "Shop: 9 min"
    assert render(template, "123456", 9, "Shop").subject is None
    assert render(PLAIN, "123456", 9, channel="email").subject is None


def test_the_ids_of_a_register_go_with_the_message() -> None:
    ids = {"entity_id": "1101000000000000001", "template_id": "1107000000000000001"}
    message = render(made(dlt=ids), "123456", 10)
    assert message.dlt == ids
    ids["entity_id"] = "another"
    assert message.dlt["entity_id"] == "1101000000000000001"


def test_nothing_of_a_message_is_in_its_repr() -> None:
    assert "123456" not in repr(render(made(subject="s"), "123456", 10, channel="email"))


@pytest.mark.parametrize("code", ["", "123", "12345678901", "12345a", "١٢٣٤٥٦", "{brand}", "123456\n"])
def test_only_a_code_is_rendered(code: str) -> None:
    with pytest.raises(UsageError) as refused:
        render(PLAIN, code, 10)
    assert not code or code not in str(refused.value)


# --- the catalogue ---------------------------------------------------------------------------

MIXED = Templates(
    (
        made("en any {code}"),
        made("fr any {code}", locale="fr"),
        made("fr-CM any {code}", locale="fr-CM"),
        made("en mail {code}", channel="email"),
        made("en pay {code}", purpose="payment"),
        made("zh {code}", locale="zh-Hant"),
        made("{brand} fr {code}", locale="fr"),
    )
)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "en any"),
        ({"locale": "fr"}, "fr any"),
        ({"locale": "fr-CM"}, "fr-CM any"),
        ({"locale": "FR-cm"}, "fr-CM any"),
        ({"locale": "fr-BE"}, "fr any"),
        ({"locale": "fr-CM-x-shop"}, "fr-CM any"),
        ({"locale": "zh-Hant-TW"}, "zh"),
        ({"locale": "zh"}, "en any"),
        ({"locale": "ja"}, "en any"),
        ({"channel": "email"}, "en mail"),
        ({"channel": "email", "locale": "fr"}, "fr any"),
        ({"channel": "pigeon"}, "en any"),
        ({"purpose": "payment", "locale": "fr"}, "en pay"),
        ({"purpose": "login"}, "en any"),
        ({"locale": "fr", "brand": "Shop"}, "{brand} fr"),
        ({"locale": "fr-CM", "brand": "Shop"}, "fr-CM any"),
    ],
)
def test_purpose_then_language_then_channel(asked: dict[str, str], found: str) -> None:
    assert MIXED.find(**asked).text.removesuffix(" {code}") == found


@pytest.mark.parametrize(
    "locale",
    ["", "fr-FR,fr;q=0.9", "en\r\nX: y", "../../etc/passwd", "fr_FR", "e", "\u202e", "{code.__class__}", "a" * 9000],
)
def test_whatever_a_header_says_finds_the_default(locale: str) -> None:
    assert MIXED.find(locale=locale).text == "en any {code}"


@given(st.text(max_size=40), st.text(max_size=10), st.text(max_size=10), st.sampled_from(("", "Shop")))
def test_a_search_always_finds_one(locale: str, channel: str, purpose: str, brand: str) -> None:
    for each in (MIXED, DEFAULT_TEMPLATES):
        assert each.find(locale=locale, channel=channel, purpose=purpose, brand=brand) in each.templates


def test_two_for_the_same_messages_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="for the same messages"):
        Templates((PLAIN, replace(PLAIN, name="other", locale="EN")))


@pytest.mark.parametrize("only", [{"channel": "sms"}, {"purpose": "login"}, {"locale": "fr"}])
def test_a_catalogue_that_does_not_serve_everybody_is_refused(only: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="any purpose and channel"):
        Templates((made(**only),))


def test_a_brand_that_is_named_must_be_there() -> None:
    branded = Templates((made("{brand}: {code}"),))
    branded.check("Shop")
    with pytest.raises(ConfigurationError, match="OTPCORE_BRAND"):
        branded.check()


@pytest.mark.parametrize("brand", ["a" * 41, " Shop", "Shop\n", "50%", "{code}"])
def test_a_brand_that_cannot_be_is_refused(brand: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^The brand "):
        DEFAULT_TEMPLATES.check(brand)


def test_a_brand_that_makes_a_message_too_long_is_refused_naming_the_template() -> None:
    with pytest.raises(ConfigurationError, match=r"^Template 'default' \(en\): .* takes 2 SMS .*ucs-2"):
        DEFAULT_TEMPLATES.check("Ćevapi")


def test_lengths_are_judged_with_the_codes_that_are_made() -> None:
    tight = Templates((made("{code}{brand}" + "a" * 150),))
    with pytest.raises(ConfigurationError):
        tight.check("Shop", 10)
    tight.check("Shop", 6)


def test_a_last_line_of_ones_own_stays() -> None:
    own = made(webotp_domain="own.example.com")
    both = Templates((own, replace(PLAIN, locale="fr"), made(channel="email"))).ending(app_hash=HASH)
    assert [(each.webotp_domain, each.app_hash) for each in both.templates] == [
        ("own.example.com", None),
        (None, HASH),
        (None, None),
    ]
    assert DEFAULT_TEMPLATES.ending() is DEFAULT_TEMPLATES
