"""Runs `flow_child` in a process of its own.

Rules of this file: nothing is forked or killed in the process of the tests.
"""

from __future__ import annotations

import json
from typing import Any

from tests import warm

__all__ = ["child"]


def child(*args: object) -> dict[str, Any]:
    """What a scenario printed; an assertion that failed in it fails here."""
    ended = warm.run("tests.crash.flow_child", *args)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found
