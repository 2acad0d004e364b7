"""`message preview`: the text, and what it costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from otpcore.cli.exits import Exit
from tests.cli.running import Cli


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "templates.toml"
    file.write_text(
        '[[template]]\nname = "plain"\nlocale = "en"\ntext = "Code {code}"\n'
        '[[template]]\nname = "mail"\nlocale = "en"\nchannel = "email"\ntext = "Mail {code}"\nsubject = "Hello"\n'
        '[[template]]\nname = "mail"\nlocale = "fr"\nchannel = "email"\ntext = "Courriel {code}"\n'
        '[[template]]\nname = "tax"\nlocale = "hi"\ntext = "कोड {code}"\ndlt = { template_id = "1107" }\n',
        "utf-8",
    )
    monkeypatch.setenv("OTPCORE_TEMPLATES", str(file))
    return file


def test_the_built_in_text_with_its_cost(otpcore: Cli) -> None:
    ran = otpcore("message", "preview")
    assert (ran.code, ran.err) == (Exit.OK, "")
    assert ran.out.splitlines() == [
        "Your code is 123456. It expires in 10 min. Do not share it.",
        "",
        "Template 'default' (en), for any purpose on any channel.",
        "As SMS: gsm-7, 1 message, 101 septets left.",
    ]


def test_settings_say_brand_site_and_length(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"BRAND": "Shop", "WEBOTP_DOMAIN": "example.com", "CODE_DIGITS": "8"}.items():
        monkeypatch.setenv(f"OTPCORE_{name}", value)
    told = otpcore("message", "preview", "--locale", "ar-EG", "--json").json
    assert told == {
        "template": "default",
        "locale": "ar",
        "purpose": None,
        "channel": None,
        "subject": None,
        "text": "Shop: رمز التحقق 12345678\n@example.com #12345678",
        "encoding": "ucs-2",
        "units": 48,
        "segments": 1,
        "left": 22,
        "dlt": {},
    }


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ((), "Code 123456"),
        (("--channel", "email"), "Mail 123456"),
        (("--channel", "email", "--locale", "fr-CM"), "Courriel 123456"),
        (("--template", "mail"), "Mail 123456"),
        (("--template", "mail", "--locale", "fr"), "Courriel 123456"),
        (("--template", "tax"), "कोड 123456"),
    ],
)
def test_a_template_is_found_as_a_call_finds_it_or_by_name(
    otpcore: Cli, templates: Path, asked: tuple[str, ...], text: str
) -> None:
    assert otpcore("message", "preview", *asked, "--json").json["text"] == text


def test_an_e_mail_has_a_subject_and_no_segments(otpcore: Cli, templates: Path) -> None:
    out = otpcore("message", "preview", "--template", "mail").out
    assert out.startswith("Subject: Hello\n")
    assert "SMS" not in out
    assert "DLT template_id: 1107" in otpcore("message", "preview", "--template", "tax").out


def test_an_unknown_name_says_which_there_are(otpcore: Cli, templates: Path) -> None:
    ran = otpcore("message", "preview", "--template", "none")
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert "plain, mail, tax" in ran.err


def test_a_file_that_is_refused_is_one_line(otpcore: Cli, templates: Path) -> None:
    templates.write_text('[[template]]\nname = "plain"\nlocale = "en"\ntext = "{code.real}"', "utf-8")
    ran = otpcore("message", "preview")
    assert (ran.code, ran.out, ran.err.count("\n")) == (Exit.CONFIGURATION, "", 1)
    assert "Template 'plain' (en): the text has no braces but {code}, {minutes}, {brand}" in ran.err


def test_without_a_command_there_is_help_and_the_code_of_a_mistake(otpcore: Cli) -> None:
    ran = otpcore("message")
    assert ran.code is Exit.USAGE
    assert "preview" in ran.out
