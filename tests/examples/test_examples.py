"""Every example, and every Python block of README and guide, runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from otpcore.cli.moments import lasting
from otpcore.policy import PROFILES

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/getting-started.md")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[str]:
    return BLOCK.findall((ROOT / page).read_text("utf-8"))


SNIPPETS = [pytest.param(code, id=f"{page}-{place}") for page in PAGES for place, code in enumerate(blocks(page))]


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """A bare environment, and a person who reads the code from the console and types it; what was printed by then."""
    for name in list(os.environ):
        if name.startswith(("OTPCORE_", "TWILIO_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OTPCORE_TINYDB_PATH", str(tmp_path / "codes.otpdb"))
    before: list[str] = []

    def typed(prompt: str = "") -> str:
        assert prompt == "code? "
        out, err = capsys.readouterr()
        before.append(out)
        return str(re.findall(r"code ([0-9]{6})\n", err)[-1])

    monkeypatch.setattr("builtins.input", typed)
    return before


@pytest.mark.parametrize("code", SNIPPETS)
def test_a_block_of_the_documents_runs(code: str, printed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "block", "exec"), {"__name__": "__main__"})  # that it runs is the test
    if "input" in code:
        assert len(printed) == 1
        assert capsys.readouterr().out in {"verified\n", "True\n"}


def test_the_readme_shows_both_colours_in_ten_lines_or_so() -> None:
    first, second = blocks("README.md")
    for code, colour in ((first, "open_engine()"), (second, "open_async_engine()")):
        assert colour in code
        assert len([line for line in code.splitlines() if line.strip() and "import" not in line]) <= 10


def test_the_readme_lists_the_policies_as_they_are() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ((?:\d+ (?:s|min|h),? ?)+) \|$", text, re.MULTILINE))
    assert rows == {
        name: ", ".join(lasting(wait) for wait in profile.ladder)
        for name, profile in PROFILES.items()
        if not profile.simulated_only
    }


@pytest.mark.parametrize("page", [*PAGES, "docs/reference/command-line.md"])
def test_a_link_of_the_documents_leads_somewhere(page: str) -> None:
    source = ROOT / page
    targets = re.findall(r"\]\(([^)#]+)\)", source.read_text("utf-8"))
    assert [target for target in targets if "://" not in target and not (source.parent / target).exists()] == []


def run_example(name: str, answer: Callable[[str], str] | None = None) -> str:
    """Run an example; where it asks for the code, `answer` is given what was shown."""
    bare = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(ROOT / "examples" / name)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=bare,
    ) as process:
        assert process.stderr is not None
        typed = answer(process.stderr.readline() + process.stderr.readline()) if answer is not None else ""
        out, err = process.communicate(typed, timeout=60)
    assert (process.returncode, err) == (0, "")
    return out


def test_the_blocking_example_takes_a_wrong_code_and_the_right_one() -> None:
    def answer(shown: str) -> str:
        code = re.findall(r"code ([0-9]{6})\n", shown)[0]
        return f"{(int(code) + 1) % 1_000_000:06}\nnonsense\n{code}\n"

    out = run_example("verify_sync.py", answer)
    assert "wrong; 4 checks left" in out
    assert "6 ASCII digits" in out
    assert out.endswith("approved\n")


def test_the_awaiting_example_verifies_two_numbers_at_once() -> None:
    assert run_example("verify_async.py") == "[True, True]\n"
