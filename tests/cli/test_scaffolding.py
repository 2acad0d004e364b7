"""`plugin new`: what it writes passes its kit, and nothing that exists is touched."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from otpcore.cli.exits import Exit
from otpcore.cli.scaffolding import FILES, check_name, written
from tests.cli.running import Cli

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "otpcore-example"
PATIENCE_S = 400
"""For a kit that hangs; none needs two minutes on a busy machine."""


def python(*arguments: str, folder: Path, on_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with nothing of this process's environment but a folder to import from."""
    environment = {"PATH": os.defpath, "HOME": str(folder), "PYTHONPATH": str(on_path), **variables}
    return subprocess.run(
        [sys.executable, "-W", "error::UserWarning", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def kit(folder: Path, *options: str, on_path: Path) -> subprocess.CompletedProcess[str]:
    """In a new folder Hypothesis would read the sources of otpcore again, for seconds."""
    known = str(ROOT / ".hypothesis")
    return python(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "tests"),
        folder=folder,
        on_path=on_path,
        HYPOTHESIS_STORAGE_DIRECTORY=known,
    )


@pytest.mark.parametrize("kind", ["provider", "store"])
def test_what_is_written_passes_its_kit_on_the_first_run(kind: str, otpcore: Cli, tmp_path: Path) -> None:
    """Whatever its name: this one is that of a class which the tests import."""
    made = otpcore("plugin", "new", f"{kind}-contract", f"--{kind}", "--into", str(tmp_path))
    assert made.code is Exit.OK, made.err
    folder = tmp_path / f"otpcore-{kind}-contract"
    ran = kit(folder, on_path=folder)
    assert ran.returncode == 0, ran.stdout[-3000:]
    assert " passed" in ran.stdout
    assert "failed" not in ran.stdout
    assert "skipped" not in ran.stdout


def bound(source: str) -> Counter[str]:
    """The names that a module gives, and how often it does."""
    names: Counter[str] = Counter()
    for each in ast.parse(source).body:
        match each:
            case ast.Import(names=found) | ast.ImportFrom(names=found):
                names.update(one.asname or one.name for one in found)
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                names[name] += 1
            case ast.Assign(targets=targets):
                names.update(one.id for one in targets if isinstance(one, ast.Name))
            case _:
                pass
    return names


@pytest.mark.parametrize("kind", ["provider", "store"])
def test_no_name_takes_that_of_something_which_the_texts_use(kind: str) -> None:
    sources = [text for place, text in written("pigeon", kind).items() if place.endswith(".py")]
    words = set[str]().union(*map(bound, sources))
    assert {"Provider", "ProviderContract", "Failure"} <= words if kind == "provider" else {"Store"} <= words
    for word in sorted(words):
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", word).lower().replace("_", "-")
        for place, text in written(name, kind).items():
            if place.endswith(".py"):
                assert [each for each, times in bound(text).items() if times > 1] == [], (name, place)


@pytest.mark.parametrize("kind", ["provider", "store"])
def test_plugins_of_any_name_are_imported_and_their_kits_found(kind: str, tmp_path: Path) -> None:
    names = ["accepted", "provider", "wire-answer", "none", "true", "exception", "settings", "api", kind]
    (tmp_path / "tests").mkdir()
    for name in names:
        check_name(name, kind)
        for place, text in written(name, kind).items():
            if place.endswith(".py"):
                path = tmp_path / place.replace("test_contract", f"test_{name.replace('-', '_')}")
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, "utf-8")
    ran = kit(tmp_path, "--collect-only", on_path=tmp_path)
    assert ran.returncode == 0, ran.stdout[-3000:]
    found = Counter(re.findall(r"^tests/test_(\w+)\.py::", ran.stdout, re.MULTILINE))
    assert found.keys() == {name.replace("-", "_") for name in names}
    assert len(set(found.values())) == 1


def test_the_example_is_what_the_command_writes() -> None:
    files = written("example", "provider")
    found = {
        str(path.relative_to(EXAMPLE)): path.read_text("utf-8")
        for path in EXAMPLE.rglob("*")
        if path.is_file() and not {"__pycache__", ".pytest_cache", ".mypy_cache"} & set(path.parts)
    }
    assert found == files


def test_a_provider_over_rest_fits_in_sixty_lines() -> None:
    assert len((EXAMPLE / "otpcore_example" / "__init__.py").read_text("utf-8").splitlines()) <= 60


def test_the_example_is_found_and_keeps_the_contract_when_it_is_installed_from_its_wheel(tmp_path: Path) -> None:
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    source = tmp_path / "source"
    for place, text in written("example", "provider").items():
        (source / place).parent.mkdir(parents=True, exist_ok=True)
        (source / place).write_text(text, "utf-8")
    offline = ("--no-deps", "--no-index", "--disable-pip-version-check")
    built = python(
        *("-m", "pip", "wheel", "--no-build-isolation", *offline, "-w", str(wheels), str(source)),
        folder=tmp_path,
        on_path=tmp_path,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = wheels.glob("otpcore_example-*.whl")
    installed = python(
        "-m", "pip", "install", *offline, "--target", str(site), str(wheel), folder=tmp_path, on_path=tmp_path
    )
    assert installed.returncode == 0, installed.stderr
    listed = python(
        *("-c", "from otpcore.cli import main; main()", "plugins", "--json"),
        folder=tmp_path,
        on_path=site,
        OTPCORE_PLUGINS="example",
        OTPCORE_DATA_DIR=str(tmp_path),
    )
    assert listed.returncode == 0, listed.stderr
    assert '"name": "example",\n      "state": "active"' in listed.stdout, listed.stdout
    (tmp_path / "elsewhere").mkdir()
    (source / "tests").rename(tmp_path / "elsewhere" / "tests")
    ran = kit(tmp_path / "elsewhere", on_path=site)
    assert ran.returncode == 0, ran.stdout[-3000:]


@pytest.mark.parametrize("name", ["Pigeon", "1st", "a--b", "-a", "a-", "a_b", "class", "", "ä", "a/b", "..", "a" * 41])
def test_a_name_that_cannot_be_a_plugins_is_refused(name: str, otpcore: Cli, tmp_path: Path) -> None:
    ran = otpcore("plugin", "new", "--provider", "--into", str(tmp_path), "--", name)
    assert ran.code is Exit.USAGE
    assert list(tmp_path.glob("otpcore*")) == []


@pytest.mark.parametrize(("name", "kind"), [("memory", "store"), ("fake", "provider"), ("twilio", "provider")])
def test_a_name_that_somebody_has_is_refused(name: str, kind: str, otpcore: Cli, tmp_path: Path) -> None:
    ran = otpcore("plugin", "new", name, f"--{kind}", "--into", str(tmp_path))
    assert ran.code is Exit.USAGE
    assert "already" in ran.err


def test_it_has_to_be_said_which_of_the_two(otpcore: Cli, tmp_path: Path) -> None:
    for kinds in ((), ("--provider", "--store")):
        ran = otpcore("plugin", "new", "pigeon", *kinds, "--into", str(tmp_path))
        assert ran.code is Exit.USAGE
        assert "--provider or --store" in ran.err


def test_what_is_there_already_is_not_touched(otpcore: Cli, tmp_path: Path) -> None:
    there = tmp_path / "otpcore-pigeon" / "README.md"
    there.parent.mkdir()
    there.write_text("mine")
    ran = otpcore("plugin", "new", "pigeon", "--provider", "--into", str(tmp_path))
    assert ran.code is Exit.USAGE
    assert there.read_text() == "mine"
    assert [path.name for path in there.parent.iterdir()] == ["README.md"]


def test_a_folder_that_is_not_there_is_named(otpcore: Cli, tmp_path: Path) -> None:
    ran = otpcore("plugin", "new", "pigeon", "--provider", "--into", str(tmp_path / "nowhere"))
    assert ran.code is Exit.USAGE
    assert "nowhere" in ran.err


def test_nothing_is_left_of_what_could_not_be_written_whole(
    otpcore: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written_so_far = Path.write_text, list[Path]()

    def full(self: Path, *given: str, **options: str) -> int:
        if len(written_so_far) == len(FILES) - 1:
            raise OSError(28, "No space left on device")
        written_so_far.append(self)
        return write(self, *given, **options)

    monkeypatch.setattr(Path, "write_text", full)
    ran = otpcore("plugin", "new", "pigeon", "--provider", "--into", str(tmp_path))
    assert ran.code is Exit.USAGE
    assert "No space left" in ran.err
    assert len(written_so_far) == len(FILES) - 1
    assert not (tmp_path / "otpcore-pigeon").exists()


def test_a_program_is_given_the_files(otpcore: Cli, tmp_path: Path) -> None:
    ran = otpcore("plugin", "new", "pigeon", "--store", "--into", str(tmp_path), "--json")
    folder = tmp_path / "otpcore-pigeon"
    assert ran.json["folder"] == str(folder)
    assert sorted(ran.json["files"]) == sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    )
