"""H10: no code, token or pepper is ever an argument of a process: every user of a machine could read it there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.running import NUMBER, PEPPER, other_than

PROGRAM = [sys.executable, "-c", "from otpcore.cli import main; main()"]


@contextmanager
def watching() -> Generator[list[str]]:
    """Collects the arguments of every process of this machine, over and over, as `ps` would show them."""
    seen: set[str] = set()
    done = threading.Event()
    lines: list[str] = []

    def watch() -> None:
        while not done.is_set():
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(file.read_text(errors="replace"))
                except OSError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lines
    finally:
        done.set()
        watcher.join()
        lines.extend(seen)


def perform(arguments: list[str], *, given: dict[str, str], lines: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command that is fed line by line, so that it lives as long as a person takes to type."""
    environment = {"PATH": os.environ["PATH"], **given}
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        out, err = process.communicate("".join(f"{line}\n" for line in lines), timeout=60)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def whole_session(folder: Path, *, careless: bool) -> tuple[list[str], list[str]]:
    """Start, a wrong and a right code; the secrets that were used, and the arguments that were seen.

    Args:
        folder: for the store.
        careless: the planted defect: a helper process is handed the code as an argument.
    """
    given = {"OTPCORE_TINYDB_PATH": str(folder / "codes.otpdb"), "OTPCORE_PEPPER": PEPPER}
    with watching() as seen:
        started = perform(["start", NUMBER], given=given, lines=[])
        token = re.findall(r"otps_\S+", started.stdout)[0]
        code = re.findall(r"code ([0-9]{6})", started.stderr)[0]
        wrong = perform(["check"], given=given, lines=[token, other_than(code)])
        right = perform(["check"], given={**given, "OTPCORE_TOKEN": token}, lines=[code])
        if careless:
            subprocess.run([sys.executable, "-c", "import time; time.sleep(0.5)", code], check=True)
    assert (started.returncode, wrong.returncode, right.returncode) == (0, 1, 0)
    assert token not in wrong.stdout + wrong.stderr + right.stdout + right.stderr
    assert code not in wrong.stdout + wrong.stderr + right.stdout + right.stderr
    return [code, other_than(code), token, PEPPER], seen


@pytest.mark.parametrize("careless", [False, True], ids=["the command line", "the planted defect"])
def test_no_secret_is_among_the_arguments_of_any_process(careless: bool, tmp_path: Path) -> None:
    """H10: 0 while a person starts and checks; one when a helper is handed the code."""
    secrets, seen = whole_session(tmp_path, careless=careless)
    mine = [line for line in seen if "otpcore.cli" in line]
    assert any("check" in line for line in mine)  # it was watched while it ran
    hits = [secret for secret in secrets for line in seen if secret in line.split("\0")]
    assert hits == (secrets[:1] if careless else [])
