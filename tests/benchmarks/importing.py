"""Row 12: what `import otpcore` costs, in fresh interpreters, and what it does not load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Final

from tests.benchmarks.cycle import ROOT
from tests.benchmarks.measuring import Figure, Sizes, Spread, figure, in_turn

__all__ = ["HEAVY", "ROWS", "measure"]

ROWS: Final = ("12",)

HEAVY: Final = ("twilio", "requests", "aiohttp", "sqlalchemy", "typer", "rich", "starlette", "pytest")
"""What only those pay for who use it."""

TIMED: Final = """
import json, sys
from time import perf_counter
began = perf_counter()
{statement}
print(json.dumps([perf_counter() - began, sorted(name for name in sys.modules if "." not in name)]))
"""


def measure(sizes: Sizes, say: Callable[[str], None]) -> list[Figure]:
    """Import in fresh interpreters, in turn."""
    say("imports")
    loaded: set[str] = set()

    def ours(_pair: int) -> float:
        seconds, names = _imported("import otpcore")
        loaded.update(names)
        return seconds

    def pydantic(_pair: int) -> float:
        return _imported("from pydantic import BaseModel")[0]

    for once in (ours, pydantic):
        once(0)  # compiles what is not compiled, as an installation does
    ours_s, pydantic_s = in_turn(sizes.imports, ours, pydantic)
    heavy = sorted(loaded.intersection(HEAVY))
    found = float(len(heavy))
    return [
        figure(
            "12",
            "`import otpcore` over `from pydantic import BaseModel`",
            ours_s,
            pydantic_s,
            ("≤", 1.5),
            names=("otpcore", "pydantic"),
        ),
        Figure(
            "12",
            f"how many of {', '.join(HEAVY)} it loads",
            Spread(found, found, found),
            "",
            ("≤", 0.0),
            ", ".join(heavy) or "none",
        ),
    ]


def _imported(statement: str) -> tuple[float, list[str]]:
    command = [sys.executable, "-c", TIMED.format(statement=statement)]
    compiled = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    ended = subprocess.run(command, cwd=ROOT, env=compiled, capture_output=True, text=True, check=True)
    seconds, names = json.loads(ended.stdout)
    return seconds, names
