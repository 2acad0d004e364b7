"""T2, T3, T7: what makes the race tests evidence."""

from __future__ import annotations

import ast
import re
import socket
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

TESTS = Path(__file__).parents[1]
RACES = sorted(
    path
    for folder in ("storms", "histories", "outages", "crash", "defects")
    for path in (TESTS / folder).glob("*.py")
    if path.name != Path(__file__).name
)
RETRIES = re.compile(r"@.*(flaky|retry|rerun)|time\.sleep|from time import sleep")


@pytest.mark.parametrize("path", RACES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_race_test_retries_or_sleeps(path: Path) -> None:
    text = path.read_text()
    assert not RETRIES.search(text)
    naps = [
        call
        for call in ast.walk(ast.parse(text))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "asyncio.sleep" and ast.unparse(call.args[0]) != "0"
    ]
    assert not naps, "a task gives way with sleep(0); it does not wait for a race to happen"


def test_the_storms_are_among_them() -> None:
    assert {path.name for path in RACES} >= {"bodies_checks.py", "bodies_sends.py", "flow_child.py", "run.py"}


def test_no_test_reaches_another_machine() -> None:
    with socket.socket() as client, pytest.raises((SocketConnectBlockedError, UserWarning)):
        client.connect(("192.0.2.1", 443))
