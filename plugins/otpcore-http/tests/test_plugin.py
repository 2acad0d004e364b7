"""How the plugin presents itself: what it registers, what it loads and when, its settings, its commands."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

import otpcore_http
from otpcore.cli import main
from otpcore.errors import ConfigurationError
from otpcore.hookspecs import ProviderType
from otpcore.ports import AsyncProvider, Provider, ReadsReceipts
from otpcore.settings import load_plugin_settings
from otpcore_http import PRESETS
from otpcore_http.command import app
from otpcore_http.presets import preset_file

NEEDED = {
    "africastalking": {"username": "otp", "api_key": "k" * 20, "receipt_token": "t" * 20},
    "android-gateway": {"username": "otp", "password": "p" * 20, "signing_key": "s"},
    "kannel": {"username": "otp", "password": "p" * 20},
    "46elks": {"username": "otp", "password": "p" * 20, "sender": "Example"},
}
TYPES = {each.name: each for each in otpcore_http.otpcore_providers()}


def test_the_entry_point_names_the_plugin() -> None:
    (found,) = entry_points(group="otpcore", name="http")
    assert found.load() is otpcore_http


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_is_a_provider_type_in_both_colours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind: ProviderType = TYPES[name]
    for field, value in NEEDED[name].items():
        monkeypatch.setenv(f"OTPCORE_{name.upper().replace('-', '_')}_{field.upper()}", value)
    settings = load_plugin_settings(name, kind.settings)
    assert "p" * 20 not in repr(settings)
    assert kind.build_async is not None
    blocking, awaited = kind.build(settings), kind.build_async(settings)
    assert isinstance(blocking, Provider)
    assert isinstance(awaited, AsyncProvider)
    hears = name in {"africastalking", "android-gateway"}
    assert isinstance(blocking, ReadsReceipts) is hears
    assert isinstance(awaited, ReadsReceipts) is hears
    for missing in NEEDED[name].keys() - {"receipt_token", "signing_key"}:
        given = {field: value for field, value in NEEDED[name].items() if field != missing}
        with pytest.raises(ConfigurationError, match=missing):
            kind.build(kind.settings.model_validate(given))


def test_a_secret_is_never_plain_text() -> None:
    for kind in TYPES.values():
        for name, field in kind.settings.model_fields.items():
            secret = any(word in name for word in ("password", "key", "secret", "token", "username"))
            assert (SecretStr.__name__ in str(field.annotation)) is secret, name


def test_importing_and_configuring_it_loads_no_http_library() -> None:
    script = (
        "import sys, otpcore_http as h; list(h.otpcore_providers()); list(h.otpcore_commands());"
        "h.build(h.KannelSettings(username='u', password='p'));"
        "heavy = {'httpcore', 'httpx', 'requests', 'typer', 'anyio', 'otpcore_http.fakes'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)


def test_it_brings_its_commands() -> None:
    (group,) = otpcore_http.otpcore_commands()
    assert group.path == ("http",)
    assert group.load() is app


@pytest.mark.parametrize("name", PRESETS)
def test_check_shows_what_would_be_asked_and_no_code(name: str) -> None:
    told = CliRunner().invoke(app, ["check", str(preset_file(name))])
    assert told.exit_code == 0, told.output
    assert "+12025550123" in told.output
    assert "••••••" in told.output
    program = CliRunner().invoke(app, ["check", str(preset_file(name)), "--json"])
    document = json.loads(program.output)
    assert document["result"] == "ok"
    assert {"method", "url", "query", "form", "json", "receipts"} <= document.keys()


@pytest.mark.parametrize(
    ("name", "in_url"),
    [("kannel", ["password", "text", "username"]), ("46elks", []), ("africastalking", []), ("android-gateway", [])],
)
def test_check_warns_of_what_stands_in_the_url(name: str, in_url: list[str]) -> None:
    """Servers and proxies write URLs into their logs."""
    program = CliRunner().invoke(app, ["check", str(preset_file(name)), "--json"])
    assert json.loads(program.stdout)["in_url"] == in_url
    told = CliRunner().invoke(app, ["check", str(preset_file(name))])
    assert ("warning: {password}, {text}, {username} stands in the URL" in told.output) is bool(in_url)


def test_check_says_what_is_wrong_and_leaves_with_the_code_of_a_setting(tmp_path: Path) -> None:
    file = tmp_path / "pigeon.toml"
    file.write_text(preset_file("kannel").read_text().replace("127.0.0.1", "kannel.example").replace("{text}", "{txt}"))
    told = CliRunner().invoke(app, ["check", str(file)])
    assert told.exit_code == 6
    assert "pigeon.toml" in told.stderr
    assert "plain http" in told.stderr
    assert "{txt}" in told.stderr
    program = CliRunner().invoke(app, ["check", str(file), "--json"])
    assert program.exit_code == 6
    assert json.loads(program.stdout)["result"] == "error"


def test_a_preset_is_shown_as_a_file_to_begin_with(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["show", "46elks"])
    file = tmp_path / "own.toml"
    file.write_text(shown.output)
    assert CliRunner().invoke(app, ["check", str(file)]).exit_code == 0
    assert CliRunner().invoke(app, ["show", "pigeon"]).exit_code == 6


def test_the_command_line_has_the_group(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OTPCORE_PLUGINS", "http")
    monkeypatch.setattr(sys, "argv", ["otpcore", "http", "check", str(preset_file("kannel"))])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    assert "/cgi-bin/sendsms" in capsys.readouterr().out
