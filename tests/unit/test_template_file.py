"""The file of templates, and the settings of messages: what is refused names the template and the rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from otpcore.contract import CodeOwner
from otpcore.engine.opening import open_engine
from otpcore.errors import ConfigurationError
from otpcore.messages import DEFAULT_TEMPLATES, render
from otpcore.settings import load_settings
from otpcore.template_file import load_templates

WHOLE = """
default_locale = "fr"

[[template]]
name = "plain"
locale = "fr"
text = "{brand} : votre code est {code}, pour {minutes} min."
subject = "Votre code"

[[template]]
name = "payment"
locale = "en"
purpose = "payment"
channel = "sms"
text = "Pay with {code}"
webotp_domain = "pay.example.com"
max_segments = 2
dlt = { entity_id = "1101000000000000001", template_id = "1107000000000000001" }
"""
ONE = '[[template]]\nname = "one"\nlocale = "en"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "templates.toml"
    path.write_text(WHOLE, "utf-8")
    return path


def test_a_file_is_read_whole(file: Path) -> None:
    templates = load_templates(file)
    plain = templates.find(locale="ja", brand="Shop")
    assert render(plain, "123456", 5, "Shop").text == "Shop : votre code est 123456, pour 5 min."
    payment = templates.find(purpose="payment", locale="en-GB")
    assert (payment.name, payment.max_segments, payment.dlt["entity_id"]) == ("payment", 2, "1101000000000000001")
    assert len(templates.templates) == 2


def test_without_a_default_it_is_the_language_of_the_first(file: Path) -> None:
    file.write_text(ONE.replace("en", "pt-BR") + 'text = "{code}"', "utf-8")
    assert load_templates(file).default_locale == "pt-BR"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no tables [[template]]"),
        ("template = 1", "no tables [[template]]"),
        ("template = [1]", "no tables [[template]]"),
        ("[[template", "is no TOML"),
        (ONE, "Template 'one': text is needed"),
        ("[[template]]", "Template number 1: name is needed"),
        (ONE + "text = 1", "Template 'one': text is a text"),
        (ONE + "text = '{code}'\ntitle = 'a'", "Template 'one': there is no 'title'"),
        (ONE + "text = '{code}'\nmax_segments = true", "Template 'one': max_segments is a whole number"),
        (ONE + "text = '{code}'\ndlt = 1", "Template 'one': dlt is a table of texts"),
        (ONE + "text = '{code}'\ndlt = { entity_id = 1 }", "Template 'one': dlt is a table of texts"),
        (ONE + "text = '{code.__class__} s3cret'", "Template 'one' (en): the text has no braces but"),
        (ONE + "text = '{code}'\nchannel = 'sms'", "any purpose and channel"),
        ("default_locale = 1\n" + ONE + "text = '{code}'", "default_locale in"),
        ("default_local = 'en'\n" + ONE + "text = '{code}'", "not 'default_local'"),
    ],
)
def test_what_cannot_be_names_template_and_rule(file: Path, text: str, told: str) -> None:
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match=r"^OTPCORE_TEMPLATES: ") as refused:
        load_templates(file)
    assert told in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_said(file: Path) -> None:
    for path in (file.parent / "none", file.parent):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            load_templates(path)
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_templates(file)


def test_settings_make_the_catalogue(file: Path) -> None:
    assert load_settings().catalogue() is DEFAULT_TEMPLATES
    found = load_settings(templates=file, app_hash="FA+9qCX9VSu", brand="Shop").catalogue()
    assert [(each.app_hash, each.webotp_domain) for each in found.templates] == [
        ("FA+9qCX9VSu", None),
        (None, "pay.example.com"),
    ]
    with pytest.raises(ConfigurationError, match="not given together"):
        load_settings(app_hash="FA+9qCX9VSu", webotp_domain="example.com").catalogue()


def test_an_engine_from_settings_says_what_they_say(file: Path) -> None:
    given: dict[str, Any] = {"store": "memory", "provider": "fake", "code_owner": CodeOwner.CORE, "plugins": ()}
    given["provider_settings"] = {"owner": CodeOwner.CORE}
    with pytest.raises(ConfigurationError, match="OTPCORE_BRAND"):
        open_engine(templates=file, **given)
    with open_engine(templates=file, brand="Shop", **given) as engine:
        engine.start("+12025550123")
        left = engine._providers["fake"].outbox[0]  # pyright: ignore[reportPrivateUsage]  # what settings built
    assert left.text == f"Shop : votre code est {left.code}, pour 10 min."
