"""The report of a contract stands at the end of a third party's pytest run, without any option."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MODULE = """
from otpcore.conformance.store import StoreContract
from otpcore.stores.memory import CAPABILITIES, MemoryStore


class TestMine(StoreContract):
    capabilities = CAPABILITIES
    scans = True

    def make_store(self):
        return MemoryStore()
"""


PROVIDER = """
from otpcore.conformance.provider import ProviderContract, WireAnswer
from otpcore.providers.http import blocking
from tests.providers.test_http_kit import Verifications


class TestMine(ProviderContract):
    colours = ("blocking",)
    handle = "ver_1"

    def make(self, origin):
        return blocking(Verifications(origin))

    def answer(self, request):
        return WireAnswer.of_json(201, {"id": self.handle})
"""


def run(folder: Path, *arguments: str, module: str = MODULE) -> str:
    (folder / "test_mine.py").write_text(module)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments, str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, timeout=300, env=environment
    )
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


def test_it_names_what_a_provider_has_and_what_is_not_checked(tmp_path: Path) -> None:
    out = run(tmp_path, "-k", "closing_twice", module=PROVIDER)
    assert "provider contracts" in out
    assert "TestMine (blocking) has: cancels, checks, reconciles\n" in out
    assert "receipts is not there (no parse_receipt); not checked: test_a_receipt_is_taken_once, " in out
