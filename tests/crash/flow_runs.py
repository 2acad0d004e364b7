"""Runs `flow_child` in a process of its own.

Rules of this file: nothing is forked or killed in the process of the tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

__all__ = ["child"]

ROOT: Final = Path(__file__).parents[2]


def child(*args: object) -> dict[str, Any]:
    """What a scenario printed; an assertion that failed in it fails here."""
    command = [sys.executable, "-m", "tests.crash.flow_child", *map(str, args)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found
