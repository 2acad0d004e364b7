"""The reference is what the docstrings say, and leaves out no public name."""

from __future__ import annotations

import importlib.util
import inspect
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from otpcore import AsyncEngine, Engine
from tests.docs.pages import ROOT, anchors, blocks, links, prose, read

SURFACE = ("otpcore", "otpcore.ports", "otpcore.hookspecs", "otpcore.errors", "otpcore.results", "otpcore.policy")
"""What applications and plugins import; `tests/architecture` holds plugins to it."""


def loaded() -> ModuleType:
    """`docs/generate.py`, which is a script."""
    spec = importlib.util.spec_from_file_location("otpcore_docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = loaded()
MODULES: tuple[str, ...] = GENERATE.MODULES


def page_of(module: str) -> Path:
    return ROOT / "docs" / "reference" / "api" / f"{module}.md"


def missing(module: str, page: str) -> set[str]:
    """The names of `__all__` that a page neither describes nor links."""
    headings = {line.removeprefix("## ") for line in prose(page).splitlines() if line.startswith("## ")}
    linked = {line.split("`")[1] for line in prose(page).splitlines() if line.startswith("| [`")}
    return set(import_module(module).__all__) - headings - linked


def test_the_reference_is_what_the_docstrings_say() -> None:
    stale = [str(path.relative_to(ROOT)) for path, text in GENERATE.pages().items() if read(path) != text]
    assert stale == [], "run: make docs"


def test_the_check_names_a_page_that_differs_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "docs" / "reference" / "api"
    monkeypatch.setattr(GENERATE, "API", folder)
    monkeypatch.setattr(GENERATE, "pages", lambda: {folder / "one.md": "one\n", folder / "two.md": "two\n"})
    monkeypatch.setattr(GENERATE, "ROOT", tmp_path)
    assert GENERATE.main([]) == 0
    assert GENERATE.main(["--check"]) == 0
    (folder / "one.md").write_text("another\n", "utf-8")
    (folder / "stray.md").write_text("nobody's\n", "utf-8")
    assert GENERATE.main(["--check"]) == 1
    told = capsys.readouterr().err
    assert "one.md" in told
    assert "stray.md" in told
    assert "two.md" not in told
    assert read(folder / "one.md") == "another\n"
    assert GENERATE.main([]) == 0
    assert GENERATE.main(["--check"]) == 0


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_of_a_module_is_on_its_page(module: str) -> None:
    assert missing(module, read(page_of(module))) == set()


def test_a_name_without_a_heading_is_noticed() -> None:
    assert missing("otpcore.errors", read(page_of("otpcore.errors")).replace("## Busy\n", "")) == {"Busy"}


@pytest.mark.parametrize("module", SURFACE)
def test_the_public_surface_has_pages(module: str) -> None:
    assert module in MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_public_module_with_classes_of_its_own_explains_each(module: str) -> None:
    found = import_module(module)
    own = [getattr(found, name) for name in found.__all__]
    assert [each.__name__ for each in own if isinstance(each, type) and not each.__doc__] == []


@pytest.mark.parametrize("engine", [Engine, AsyncEngine])
def test_every_method_of_the_engine_is_described_with_its_arguments(engine: type) -> None:
    page = read(page_of("otpcore.engine"))
    verbs = {name: method for name, method in vars(engine).items() if not name.startswith("_")}
    assert len(verbs) >= 8
    shown = {block.text.partition("(")[0].split()[-1]: block.text for block in blocks(page)}
    for name, method in verbs.items():
        assert f"{engine.__name__}{name}".lower() in anchors(page)
        assert [argument for argument in inspect.signature(method).parameters if argument not in shown[name]] == []


def test_names_in_docstrings_lead_to_their_pages() -> None:
    found = links(read(page_of("otpcore.engine")))
    assert "otpcore.results.md#sent" in found
    assert "otpcore.errors.md#storeerror" in found


def test_two_headings_of_one_spelling_have_two_anchors() -> None:
    page = read(page_of("otpcore"))
    assert "(otpcore.results.md#outward)" in page
    assert "(otpcore.results.md#outward-1)" in page
    assert {"outward", "outward-1"} <= anchors(read(page_of("otpcore.results")))


def test_what_is_meant_for_who_changes_a_module_is_left_out() -> None:
    assert not [module for module in MODULES if "Rules of this" in read(page_of(module))]
