"""What a message says: template, substitutions, language, name, ending; and the templates of the account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from otpcore_twilio.emulator import Options, Template, Translation
from otpcore_twilio.emulator.templates import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Bench

TO = "+12025550123"
APP = Template(
    "HJ" + "a" * 32,
    "With an app",
    {
        "en": Translation("{{code}} opens {{app}} of {{friendly_name}}"),
        "fr": Translation("{{ code }} ouvre {{ app }}"),
        "ja": Translation("{{app}} {{code}}", "pending"),
    },
)
TEXT_ONLY = Template("HJ" + "b" * 32, "Text only", {"de": Translation("Code {{code}}")}, ("sms",), "de")
UNKNOWN = "HJ" + "f" * 32


@pytest.fixture
def shop(bench_of: Callable[..., Bench]) -> Bench:
    """A service called Shop, with the two templates."""
    return named(bench_of(Options(templates=(APP, TEXT_ONLY))))


def named(bench: Bench) -> Bench:
    bench.service.update(friendly_name="Shop")
    return bench


def text(bench: Bench, to: str = TO, channel: str = "sms", **more: Any) -> str:
    """The newest message, its code replaced by #."""
    bench.send(to, channel, **more)
    message = bench.emulator.inbox(to)[-1]
    assert message.code in message.text or ". ".join(message.code) in message.text
    return message.text.replace(message.code, "#").replace(". ".join(message.code), "#")


# -- templates


def test_a_template_is_filled_with_code_name_and_substitutions(shop: Bench) -> None:
    given = json.dumps({"app": "Cart", "unused": 1})
    assert text(shop, template_sid=APP.sid, template_custom_substitutions=given) == "# opens Cart of Shop"
    assert (
        text(shop, template_sid=APP.sid, template_custom_substitutions=given, custom_friendly_name="Bazaar")
        == "# opens Cart of Bazaar"
    )


def test_a_call_says_the_template_with_the_code_one_by_one(shop: Bench) -> None:
    said = text(shop, channel="call", template_sid=APP.sid, template_custom_substitutions='{"app": "Cart"}')
    assert said == "# opens Cart of Shop. Again: #."


def test_the_template_of_the_service_stands_in_where_none_is_asked_for(shop: Bench) -> None:
    shop.service.update(default_template_sid=TEXT_ONLY.sid)
    assert text(shop) == "Code #"
    assert text(shop, template_sid=APP.sid, template_custom_substitutions='{"app": "Cart"}').startswith("# opens")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"template_sid": UNKNOWN}, 60228),
        ({"template_sid": "HJ1"}, 60200),
        ({"template_sid": APP.sid}, 60224),
        ({"template_sid": APP.sid, "template_custom_substitutions": '{"App": "Cart"}'}, 60224),
        ({"template_sid": APP.sid, "template_custom_substitutions": "app=Cart"}, 60200),
        ({"template_sid": APP.sid, "template_custom_substitutions": '["app"]'}, 60200),
        ({"template_sid": APP.sid, "template_custom_substitutions": '{"app": ["Cart"]}'}, 60200),
        ({"template_sid": APP.sid, "template_custom_substitutions": '{"app": "Cart"}', "locale": "ja"}, 60201),
    ],
)
def test_a_template_that_does_not_fit_is_refused_and_nothing_is_sent(
    shop: Bench, more: dict[str, str], code: int
) -> None:
    assert shop.refused(shop.send, **more) == (400, code)
    assert shop.emulator.inbox() == ()


@pytest.mark.parametrize("channel", ["call", "whatsapp"])
def test_on_another_channel_the_default_message_goes_out_instead(shop: Bench, channel: str) -> None:
    assert text(shop, channel=channel, template_sid=TEXT_ONLY.sid).startswith("Your Shop verification code is: #")


@pytest.mark.parametrize(("channel", "code"), [("call", 60227), ("whatsapp", 60408)])
def test_on_another_channel_it_is_refused_where_the_options_say_so(
    bench_of: Callable[..., Bench], channel: str, code: int
) -> None:
    bench = bench_of(Options(templates=(TEXT_ONLY,), template_elsewhere="refused"))
    assert bench.refused(bench.send, channel=channel, template_sid=TEXT_ONLY.sid) == (400, code)
    assert bench.send(channel=channel).status == "pending"


# -- several templates


def test_of_several_templates_the_first_that_fits_is_sent(shop: Bench) -> None:
    several = [{"sid": UNKNOWN}, {"sid": APP.sid}, {"sid": APP.sid, "substitutions": {"app": "Cart"}}]
    given = {"templates": json.dumps(several), "template_sid": TEXT_ONLY.sid}  # which counts for nothing then
    assert text(shop, **given) == "# opens Cart of Shop"


def test_where_none_of_several_templates_fits_none_is_sent(shop: Bench) -> None:
    several = json.dumps([{"sid": UNKNOWN}, {"sid": APP.sid}])
    assert shop.refused(shop.send, templates=several) == (400, 60252)
    assert shop.emulator.inbox() == ()


@pytest.mark.parametrize(
    "wrong",
    [
        "", "x", "{}", "[]", "[1]", '[{"sid": "HJ1"}]', "[{}]", json.dumps([{"sid": APP.sid, "substitutions": []}]),
        json.dumps([{"sid": APP.sid, "substitutions": {"app": None}}]), json.dumps([{"sid": TEXT_ONLY.sid}] * 11),
    ],
)  # fmt: skip
def test_templates_that_cannot_be_read_are_refused(shop: Bench, wrong: str) -> None:
    assert shop.refused(shop.send, templates=wrong) == (400, 60200)


def test_ten_templates_are_not_too_many(shop: Bench) -> None:
    assert text(shop, templates=json.dumps([{"sid": TEXT_ONLY.sid}] * 10)) == "Code #"


# -- languages


@pytest.mark.parametrize(
    ("to", "locale", "said", "logged"),
    [
        (TO, None, "Your Shop verification code is: #", "en"),
        ("+34600000000", None, "Su código de verificación de Shop es: #", "es"),
        ("+4915123456789", None, "Ihr Bestätigungscode für Shop lautet: #", "de"),
        ("+237671234567", None, "Your Shop verification code is: #", "en"),
        (TO, "fr", "Votre code de vérification Shop est : #", "fr"),
        (TO, "pt_BR", "Seu código de verificação de Shop é: #", "pt-BR"),
        ("+34600000000", "en", "Your Shop verification code is: #", "en"),
        ("+34600000000", "ja", "Your Shop verification code is: #", "en"),  # Verify has it, the default template not
    ],
)
def test_the_language_is_that_of_the_request_or_of_the_number(
    shop: Bench, to: str, locale: str | None, said: str, logged: str
) -> None:
    assert text(shop, to, **({} if locale is None else {"locale": locale})) == said
    assert shop.v2.verification_attempts.list()[0].channel_data["locale"] == logged


@pytest.mark.parametrize(("option", "answer"), [(60200, (400, 60200)), (20404, (404, 20404))])
def test_a_language_that_verify_does_not_have_is_refused_as_the_options_say(
    bench_of: Callable[..., Bench], option: Any, answer: tuple[int, int]
) -> None:
    bench = bench_of(Options(unsupported_locale=option))
    for locale in ("tlh", "EN", "", "en-"):
        assert bench.refused(bench.send, locale=locale) == answer


@pytest.mark.parametrize(("option", "code"), [("default", None), (60229, 60229)])
def test_a_language_that_the_template_does_not_have_is_treated_as_the_options_say(
    bench_of: Callable[..., Bench], option: Any, code: int | None
) -> None:
    bench = named(bench_of(Options(templates=(APP, TEXT_ONLY), missing_translation=option)))
    asked = {"template_sid": TEXT_ONLY.sid, "locale": "es"}
    if code is None:
        assert text(bench, **asked) == "Code #"
    else:
        assert bench.refused(bench.send, **asked) == (400, code)
    assert text(bench, "+34600000000", template_sid=TEXT_ONLY.sid) == "Code #"  # only inferred, so nobody minds
    assert text(bench, locale="ja") == "Your Shop verification code is: #"


def test_an_unapproved_translation_is_not_inferred(bench_of: Callable[..., Bench]) -> None:
    texts = {"en": Translation("Code {{code}}"), "es": Translation("Código {{code}}", "rejected")}
    bench = bench_of(Options(templates=(Template(APP.sid, "Half approved", texts),)))
    assert text(bench, "+34600000000", template_sid=APP.sid) == "Code #"


def test_a_call_and_whatsapp_speak_the_language_too(shop: Bench) -> None:
    assert text(shop, channel="call", locale="de") == "Ihr Bestätigungscode für Shop lautet: #. Again: #."
    assert text(shop, channel="whatsapp", locale="de") == "Ihr Bestätigungscode für Shop lautet: #"


# -- endings


def test_the_hash_of_an_app_ends_an_sms_and_nothing_else(shop: Bench) -> None:
    assert text(shop, app_hash="He42w354ol9") == "<#> Your Shop verification code is: # He42w354ol9"
    for channel in ("call", "whatsapp"):
        assert "He42w354ol9" not in text(shop, channel=channel, app_hash="He42w354ol9")
    for wrong in ("", "He42w354ol", "He42w354ol9x", "He42w354ol!"):
        assert shop.refused(shop.send, app_hash=wrong) == (400, 60200)


def test_a_warning_follows_the_default_sms_of_a_service_that_wants_it(shop: Bench) -> None:
    shop.service.update(do_not_share_warning_enabled=True)
    assert text(shop).startswith("Your Shop verification code is: #. Don't share")
    assert text(shop, template_sid=TEXT_ONLY.sid) == "Code #"
    assert "Don't" not in text(shop, channel="whatsapp")


def test_braces_in_a_name_are_only_text(shop: Bench) -> None:
    assert text(shop, custom_friendly_name="{{app}}") == "Your {{app}} verification code is: #"


# -- the list


def test_the_templates_of_the_account_are_listed_by_page_and_by_name(shop: Bench) -> None:
    listed = shop.v2.templates.list(page_size=1)
    assert [(one.sid, one.friendly_name, one.channels) for one in listed] == [
        (APP.sid, "With an app", ["sms", "voice"]),
        (TEXT_ONLY.sid, "Text only", ["sms"]),
    ]
    japanese = listed[0].translations["ja"]
    assert (japanese["status"], japanese["is_default_translation"], japanese["locale"]) == ("pending", False, "ja")
    assert listed[1].translations["de"]["is_default_translation"]
    assert [one.sid for one in shop.v2.templates.list(friendly_name="Text only")] == [TEXT_ONLY.sid]


def test_an_account_has_templates_from_the_start(bench: Bench) -> None:
    assert [one.sid for one in bench.v2.templates.list()] == [template.sid for template in TEMPLATES]
    assert text(bench, template_sid=TEMPLATES[0].sid) == "# is your code. Do not share it."


def test_a_template_needs_its_default_language() -> None:
    with pytest.raises(ValueError, match="default locale"):
        Template(APP.sid, "None", {"de": Translation("{{code}}")})
