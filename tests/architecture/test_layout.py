"""Size, names, layers and surface of the modules."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.architecture.sources import MODULES, PACKAGES, ROOT, exported, imports, name_of, parsed, shown

LINES = 350
FORBIDDEN_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base"})
HEAVY = (
    "twilio",
    "requests",
    "urllib3",
    "httpcore",
    "aiohttp",
    "sqlalchemy",
    "typer",
    "rich",
    "starlette",
    "pytest",
    "hypothesis",
)
SURFACE = (
    *("otpcore.ports", "otpcore.hookspecs", "otpcore.errors", "otpcore.conformance"),
    *("otpcore.providers.http", "otpcore.providers.loading", "otpcore.providers.transport"),
)
TOOLS = Path(sys.executable).parent


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_a_module_has_at_most_350_lines(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= LINES


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_a_module_is_named_for_what_it_holds(path: Path) -> None:
    assert not FORBIDDEN_NAMES & set(name_of(path).split("."))


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_a_module_opens_with_what_it_is(path: Path) -> None:
    assert ast.get_docstring(parsed(path))


def test_there_is_something_to_judge() -> None:
    assert len(MODULES) > 40
    assert len(PACKAGES) >= 2


def test_layers_purity_and_surface_hold_for_imports() -> None:
    done = subprocess.run([TOOLS / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_datetime_is_naive() -> None:
    command = [str(TOOLS / "ruff"), "check", "--select", "DTZ", "--no-cache", "--ignore-noqa", "otpcore", "plugins"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_importing_otpcore_loads_nothing_heavy() -> None:
    program = "import sys, otpcore; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(HEAVY).isdisjoint(done.stdout.split())


@pytest.mark.parametrize("package", PACKAGES, ids=shown)
def test_a_distribution_is_typed(package: Path) -> None:
    assert (package / "py.typed").exists()


@pytest.mark.parametrize("package", PACKAGES[1:], ids=shown)
def test_a_plugin_imports_only_the_public_surface(package: Path) -> None:
    beyond = {
        f"{shown(path)}: {module}"
        for path in package.rglob("*.py")
        for module, name in imports(parsed(path))
        if f"{module}.".startswith("otpcore.")
        and not (module == "otpcore" and name is not None and not name.islower())
        and not any(f"{module}.{name or ''}.".startswith(f"{allowed}.") for allowed in SURFACE)
    }
    assert beyond == set()


# --- __all__ ---------------------------------------------------------------------------------------


def needed_names() -> dict[str, set[str]]:
    """For each module of ours, the names that other modules take from it."""
    taken: dict[str, set[str]] = {}
    for path in MODULES:
        for module, name in imports(parsed(path)):
            if name is not None and module.startswith("otpcore") and module != name_of(path):
                taken.setdefault(module, set()).add(name)
    return taken


@pytest.mark.parametrize("path", [path for path in MODULES if exported(parsed(path)) is not None], ids=shown)
def test_what_is_exported_is_there_and_named_once(path: Path) -> None:
    names = exported(parsed(path)) or []
    assert len(names) == len(set(names))
    module = import_module(name_of(path))
    assert [name for name in names if not hasattr(module, name)] == []


def test_what_a_module_takes_from_another_is_exported_there() -> None:
    taken = needed_names()
    hidden: list[str] = []
    for path in MODULES:
        names = exported(parsed(path))
        if names is None:
            continue
        submodules = {name_of(other).rpartition(".")[2] for other in MODULES if other.parent == path.parent}
        folders = {folder.name for folder in path.parent.iterdir() if folder.is_dir()}
        missing = taken.get(name_of(path), set()) - set(names) - submodules - folders
        hidden += [f"{shown(path)}: {name}" for name in sorted(missing)]
    assert hidden == []


def test_a_package_exports_all_that_it_re_exports() -> None:
    for path in MODULES:
        names = exported(parsed(path))
        if path.name == "__init__.py" and names is not None:
            tree = parsed(path)
            re_exported = {
                alias.asname or alias.name
                for node in tree.body
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("otpcore")
                for alias in node.names
            }
            used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            assert re_exported - used <= set(names), shown(path)


def test_exports_are_sorted_and_the_linter_says_so() -> None:
    command = [str(TOOLS / "ruff"), "check", "--select", "RUF022", "--preview", "--no-cache", "otpcore", "plugins"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
