"""Commands of plugins: what an allowed distribution brings is mounted, and no plugin takes or breaks a command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from otpcore.cli import branches
from otpcore.cli.app import app
from otpcore.cli.exits import Exit
from tests.cli.running import Cli
from tests.distributions import Install, installing

GROUP = """
    from pathlib import Path

    import typer
    from otpcore.hookspecs import CommandGroup, hookimpl

    def load():
        app = typer.Typer()

        @app.command()
        def fly(count: int = 1):
            "Fly."
            print("coo " * count)
            return 4

        @app.command()
        def rest(where: str):
            print("on", where)

        return app

    @hookimpl
    def otpcore_commands():
        return [CommandGroup(path, load, "Everything about pigeons.") for path in {paths}]
"""


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    with installing(tmp_path) as make:
        yield make


def bringing(*paths: object) -> str:
    """The source of a plugin with a group at each of these paths."""
    return GROUP.format(paths=repr(paths))


def allow(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setenv("OTPCORE_PLUGINS", ",".join(names))


def remarks_of(otpcore: Cli, plugin: str) -> str:
    """What `otpcore plugins` says is wrong with one."""
    [info] = [each for each in otpcore("plugins", "--json").json["plugins"] if each["name"] == plugin]
    return " ".join(each for each in (info["why"], *info["warnings"]) if each)


# --- what is mounted ----------------------------------------------------------------------------


def test_a_group_of_an_allowed_plugin_is_a_command(
    install: Install, otpcore: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("otp-pigeon", bringing(("pigeon",)), entry="pigeon")
    allow(monkeypatch, "pigeon")
    ran = otpcore("pigeon", "fly", "--count", "2")
    assert (ran.code, ran.out) == (Exit.REFUSED, "coo coo \n"), "its answer is the exit code"
    ran = otpcore("pigeon", "rest", "a roof")
    assert (ran.code, ran.out) == (Exit.OK, "on a roof\n")
    assert "pigeon" in otpcore("--help").out
    assert "Everything about pigeons." in otpcore("--help").out
    assert "fly" in otpcore("pigeon", "--help").out
    assert "--count" in otpcore("pigeon", "fly", "--help").out
    assert remarks_of(otpcore, "pigeon") == ""


def test_its_options_are_its_own_and_a_mistake_in_them_is_one_line(
    install: Install, otpcore: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("otp-pigeon", bringing(("pigeon",)), entry="pigeon")
    allow(monkeypatch, "pigeon")
    ran = otpcore("pigeon", "fly", "--count", "many")
    assert ran.code is Exit.USAGE
    assert ran.err.startswith("otpcore: ")
    assert ran.err.count("\n") == 1


def test_a_group_may_hang_below_a_word_of_its_own(
    install: Install, otpcore: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("otp-pigeon", bringing(("birds", "pigeon"), ("birds", "of", "prey")), entry="pigeon")
    allow(monkeypatch, "pigeon")
    assert otpcore("birds", "pigeon", "rest", "a roof").out == "on a roof\n"
    assert otpcore("birds", "of", "prey", "rest", "a rock").out == "on a rock\n"
    for arguments, code in (((), Exit.USAGE), (("--help",), Exit.OK)):
        ran = otpcore("birds", *arguments)
        assert ran.code is code
        assert "of prey     Everything about pigeons." in ran.out
    ran = otpcore("birds", "stork")
    assert ran.code is Exit.CONFIGURATION
    assert "'birds stork'. There are: birds of prey, birds pigeon." in ran.err
    assert "otpcore birds of prey, pigeon" in otpcore("--help").out


def test_a_plugin_that_is_allowed_in_the_env_file_is_mounted(install: Install, otpcore: Cli, tmp_path: Path) -> None:
    install("otp-pigeon", bringing(("pigeon",)), entry="pigeon")
    file = tmp_path / "app.env"
    file.write_text("OTPCORE_PLUGINS=pigeon\n", encoding="utf-8")
    assert otpcore("--env-file", str(file), "pigeon", "rest", "a roof").out == "on a roof\n"
    assert "Everything about pigeons." in otpcore("--env-file", str(file), "--help").out


def test_a_plugin_that_nobody_allowed_brings_no_command_and_is_not_imported(install: Install, otpcore: Cli) -> None:
    install("otp-pigeon", bringing(("pigeon",)), entry="pigeon")
    ran = otpcore("pigeon", "fly")
    assert ran.code is Exit.USAGE
    assert "No such command 'pigeon'" in ran.err
    assert "pigeon" not in otpcore("--help").out
    assert "otp_pigeon" not in sys.modules


def test_an_application_is_loaded_when_it_is_used_and_not_before(
    install: Install, otpcore: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("otp-pigeon", bringing(("pigeon",)).replace("app = typer.Typer()", "raise SystemExit(9)"), entry="pigeon")
    allow(monkeypatch, "pigeon")
    assert "Everything about pigeons." in otpcore("--help").out
    ran = otpcore("pigeon", "fly")
    assert ran.code is Exit.CONFIGURATION
    assert "'otpcore pigeon' of pigeon (otp-pigeon 1.0) cannot be loaded: SystemExit at otp_pigeon.py:" in ran.err


# --- what belongs to another ---------------------------------------------------------------------


def test_the_names_that_plugins_may_not_have_are_those_of_the_core() -> None:
    commands = set(typer.main.get_group(app).commands)
    assert commands == branches.OWN | {branches.EMULATOR}


@pytest.mark.parametrize("name", sorted(branches.OWN))
def test_a_name_of_the_core_stays_the_cores(
    install: Install, otpcore: Cli, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Nothing of a plugin runs in place of `start` or beside `policy explain`."""
    install("otp-pigeon", bringing((name,), (name, "more"), ("pigeon",)), entry="pigeon")
    allow(monkeypatch, "pigeon")
    left_out = "belongs to otpcore itself; that of pigeon (otp-pigeon 1.0) is left out."
    remarks = remarks_of(otpcore, "pigeon")
    assert f"The command {name!r} {left_out} The command '{name} more' {left_out}" in remarks
    assert "coo" not in otpcore(name, "fly").out
    assert otpcore("pigeon", "rest", "a roof").out == "on a roof\n"


def test_the_word_of_the_emulators_belongs_to_nobody_alone(
    install: Install, otpcore: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("otp-pigeon", bringing(("emulator",), ("emulator", "pigeon")), entry="pigeon")
    allow(monkeypatch, "pigeon", "twilio")
    assert "The command 'emulator' belongs to otpcore itself;" in remarks_of(otpcore, "pigeon")
    assert otpcore("emulator", "pigeon", "rest", "a roof").out == "on a roof\n"
    assert "--seed" in otpcore("emulator", "twilio", "--help").out


@pytest.mark.parametrize(
    ("first", "second"), [("birds", "birds"), ("birds", "birds pigeon"), ("birds pigeon", "birds")]
)
def test_of_two_plugins_the_first_has_a_path_and_all_below_it(
    install: Install, otpcore: Cli, monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    install("otp-first", bringing(tuple(first.split())), entry="a-first")
    install("otp-second", bringing(tuple(second.split())).replace('"on"', '"never on"'), entry="b-second")
    allow(monkeypatch, "a-first", "b-second")
    assert otpcore(*first.split(), "rest", "a roof").out == "on a roof\n"
    assert remarks_of(otpcore, "a-first") == ""
    owners = "belongs to a-first (otp-first 1.0); that of b-second (otp-second 1.0) is left out."
    assert remarks_of(otpcore, "b-second") == f"The command {second!r} {owners}"
    assert owners in " ".join(otpcore("doctor").out.split())


# --- what is broken ------------------------------------------------------------------------------

BROKEN = {
    "its import fails": ("import nothing_of_this_name", "ModuleNotFoundError"),
    "its import leaves": ("raise SystemExit(3)", "SystemExit"),
    "its hook fails": (bringing().replace("return [", "raise ValueError([").replace("()]", "()])"), "ValueError"),
    "its hook leaves": (bringing().replace("return [", "raise SystemExit([").replace("()]", "()])"), "SystemExit"),
    "it brings no list": (bringing().replace("return [", "return None and ["), "TypeError"),
    "it brings something else": (bringing().replace("return [", "return ['pigeon'] or ["), "CommandGroup, not str"),
    "no path": (bringing(()), "The path of a command is a tuple"),
    "a path that is text": (bringing("pigeon"), "The path of a command is a tuple"),
    "a word like an option": (bringing(("--help",)), "The path of a command is a tuple"),
    "a word with a blank": (bringing(("pigeon fly",)), "The path of a command is a tuple"),
    "a number in the path": (bringing(("pigeon", 7)), "The path of a command is a tuple"),
    "nothing to load": (bringing(("pigeon",)).replace("path, load,", "path, None,"), "needs a load"),
    "no summary": (bringing(("pigeon",)).replace('"Everything about pigeons."', "None"), "a summary"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_plugin_is_listed_and_breaks_nothing(
    install: Install, otpcore: Cli, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    source, why = BROKEN[how]
    install("otp-pigeon", source, entry="pigeon")
    install("otp-stork", bringing(("stork",)), entry="stork")
    allow(monkeypatch, "pigeon", "stork")
    assert why in remarks_of(otpcore, "pigeon")
    assert otpcore("stork", "rest", "a chimney").out == "on a chimney\n"
    helped = otpcore("--help")
    assert (helped.code, "stork" in helped.out) == (Exit.OK, True)
    assert otpcore("pigeon", "fly").code is Exit.USAGE
    assert otpcore("policy", "explain").code is Exit.OK


@pytest.mark.parametrize("loaded", ["raise ImportError('no feathers')", "return 7", "return typer.Typer()"])
def test_an_application_that_cannot_be_loaded_is_one_line_that_names_its_plugin(
    install: Install, otpcore: Cli, monkeypatch: pytest.MonkeyPatch, loaded: str
) -> None:
    install("otp-pigeon", bringing(("pigeon",)).replace("app = typer.Typer()", loaded), entry="pigeon")
    allow(monkeypatch, "pigeon")
    ran = otpcore("pigeon", "fly")
    assert ran.code is Exit.CONFIGURATION
    assert "The command 'otpcore pigeon' of pigeon (otp-pigeon 1.0) cannot be loaded: " in ran.err
    assert ran.err.count("\n") == 1


def test_help_needs_no_settings_that_can_be_read(
    install: Install, otpcore: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("otp-pigeon", bringing(("pigeon",)), entry="pigeon")
    allow(monkeypatch, "pigeon")
    monkeypatch.setenv("OTPCORE_PEPPER", "short")
    helped = otpcore("--help")
    assert (helped.code, "start" in helped.out, "pigeon" in helped.out) == (Exit.OK, True, False)
    refused = otpcore("pigeon", "fly")
    assert (refused.code, "OTPCORE_PEPPER" in refused.err) == (Exit.CONFIGURATION, True)
