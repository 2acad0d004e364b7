"""What the pages show runs, and prints what they say that it prints.

The blocks of a page that are marked `python` are one program, in their order; those marked `python file=NAME` are files
beside it, and a file whose name starts with `test_` is run by pytest.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.docs.pages import PAGES, ROOT, Block, blocks, read, shown

LOOPBACK = ("--disable-socket", "--allow-unix-socket", "--allow-hosts=127.0.0.1,::1,localhost")
PATIENCE_S = 300
"""For a page that hangs; no page needs a minute."""

KNOWN = {"HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis")}
"""Where Hypothesis keeps what it found in the sources of otpcore: in a new folder it reads them again, for seconds."""

ELSEWHERE = frozenset({"README.md", "docs/getting-started.md"})
"""They ask for the code that a person would type; `tests/examples` runs them."""

PROGRAMS = [
    page
    for page in PAGES
    if shown(page) not in ELSEWHERE
    and any(block.language == "python" and block.role == "" for block in blocks(read(page)))
]
SUITES = [
    (page, block.role.removeprefix("file="))
    for page in PAGES
    for block in blocks(read(page))
    if block.role.startswith("file=test_")
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Of the page's files: in memory where the machine has that, because kits of stores flush often."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as made:
        yield Path(made)


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the folder, with nothing of this process's environment that otpcore would read."""
    environment = {"PATH": os.defpath, "HOME": str(folder), "PYTHONHASHSEED": "0", **KNOWN}
    arguments = [sys.executable, "-W", "error", *command]
    return subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def save_files(folder: Path, found: list[Block]) -> None:
    """Write the files that a page consists of."""
    for block in found:
        if block.role.startswith("file="):
            (folder / block.role.removeprefix("file=")).write_text(block.text, "utf-8")


def verdict(folder: Path, found: list[Block]) -> str:
    """What is wrong with the program of a page; "" when nothing is."""
    save_files(folder, found)
    program = "\n".join(block.text for block in found if block.language == "python" and block.role == "")
    (folder / "program.py").write_text(program, "utf-8")
    done = run(folder, "program.py")
    if done.returncode:
        return done.stderr
    promised = "".join(block.text for block in found if block.role == "output")
    return "" if done.stdout == promised else f"it prints\n{done.stdout}\nand not\n{promised}"


@pytest.mark.parametrize("page", PROGRAMS, ids=shown)
def test_the_program_of_a_page_runs_and_prints_what_the_page_shows(page: Path, folder: Path) -> None:
    assert verdict(folder, blocks(read(page))) == ""


@pytest.mark.parametrize(("page", "name"), SUITES, ids=[f"{shown(page)}-{name}" for page, name in SUITES])
def test_the_proof_that_a_page_shows_is_green(page: Path, name: str, folder: Path) -> None:
    save_files(folder, blocks(read(page)))
    done = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", *LOOPBACK, f"--basetemp={folder / 'made'}", name)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("```python\nassert False\n```\n", "AssertionError"),
        ("```python\nprint(1)\n```\n```text output\n2\n```\n", "and not"),
        ("```python\nimport beside\n```\n", "ModuleNotFoundError"),
        ("```python file=beside.py\nvalue = 1\n```\n```python\nimport beside\nprint(beside.value)\n```\n", "and not"),
        ("```python\nimport warnings\nwarnings.warn('old')\n```\n", "UserWarning"),
    ],
)
def test_a_program_that_fails_warns_or_prints_something_else_is_noticed(text: str, wrong: str, folder: Path) -> None:
    assert wrong in verdict(folder, blocks(text))


def test_there_are_programs_and_proofs() -> None:
    assert len(PROGRAMS) >= 5
    assert len(SUITES) >= 2
