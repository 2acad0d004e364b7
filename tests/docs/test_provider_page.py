"""The page on providers quotes the example to the letter, and shows the reports that its proofs give.

`test_programs` runs the proofs; `tests/cli` holds the example to what `plugin new` writes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, read

PAGE = ROOT / "docs" / "howto" / "write-a-provider.md"
EXAMPLE = ROOT / "examples" / "otpcore-example"
FILES = {block.role.removeprefix("file="): block.text for block in blocks(read(PAGE)) if block.role.startswith("file=")}
QUOTED = {"otpcore_example.py": "otpcore_example/__init__.py", "test_contract.py": "tests/test_contract.py"}


def report(folder: Path, module: str, name: str) -> list[str]:
    """The lines of a report of the page."""
    for place, text in FILES.items():
        (folder / place).write_text(text, "utf-8")
    command = [sys.executable, "-c", f"import {module}; print({module}.{name}.report())"]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=True
    ).stdout.splitlines()


def shows(page: list[str], real: list[str]) -> bool:
    """Whether a page shows these lines: whole, or their beginning and "…"."""
    return len(page) == len(real) and all(
        there == line or (there.endswith("…") and line.startswith(there[:-1]))
        for there, line in zip(page, real, strict=True)
    )


@pytest.mark.parametrize("name", QUOTED)
def test_the_page_quotes_the_example_to_the_letter(name: str) -> None:
    assert FILES[name] == (EXAMPLE / QUOTED[name]).read_text("utf-8")


def test_a_provider_over_rest_fits_in_sixty_lines() -> None:
    assert 0 < len(FILES["otpcore_example.py"].splitlines()) <= 60


def test_the_report_on_the_page_is_the_kits(tmp_path: Path) -> None:
    (shown,) = [block.text.splitlines() for block in blocks(read(PAGE)) if block.text.startswith("TestExample ")]
    assert shows(shown, report(tmp_path, "test_contract", "TestExample"))


def test_the_vendor_with_receipts_has_what_the_page_says(tmp_path: Path) -> None:
    first, second, *_ = report(tmp_path, "test_heron", "TestHeron")
    assert {"feedback,", "receipts,"} <= {*first.split()}
    assert f"and {second.split()[0]} requirements." in read(PAGE)


@pytest.mark.parametrize("page", [[], ["a", "c"], ["a"], ["a", "b…", "c"], ["…", "x…"]])
def test_a_page_that_shows_another_report_is_noticed(page: list[str]) -> None:
    assert not shows(page, ["a", "bc"])
    assert shows(["a", "b…"], ["a", "bc"])
