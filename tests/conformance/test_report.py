"""The report of a contract stands at the end of a third party's pytest run, without any option."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
from otpcore.conformance.store import StoreContract
from otpcore.stores.memory import CAPABILITIES, MemoryStore


class TestMine(StoreContract):
    capabilities = CAPABILITIES
    scans = True

    def make_store(self):
        return MemoryStore()
"""


def run(folder: Path, *arguments: str) -> str:
    (folder / "test_mine.py").write_text(MODULE)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments, str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=300)
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@pytest.mark.parametrize("arguments", [(), ("-q",)])
def test_it_names_what_is_claimed_and_what_is_not_checked(arguments: tuple[str, ...], tmp_path: Path) -> None:
    out = run(tmp_path, "-k", "absent_key", *arguments)
    assert out.count("store contracts") == 1
    assert "TestMine claims: blocking, scan" in out
    assert "batch is not claimed; not checked: test_a_batch_after_close_is_unavailable, " in out
    assert "durable is not claimed; not checked: " in out


def test_it_is_not_there_where_no_contract_ran(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text("def test_of_somebody():\n    pass\n")
    assert "store contracts" not in run(tmp_path, "-k", "of_somebody")
