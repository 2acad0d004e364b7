"""What a command did, and the values that every test of the command line uses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otpcore.cli.exits import Exit

PEPPER = "QfTZ0pX9v3yK1mWc7dRb5nLs8hGj2aEu4tIo6wVxYzA"
NUMBER = "+12025550123"


@dataclass(frozen=True)
class Ran:
    """One run of a command."""

    code: Exit
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def sent_code(self) -> str:
        """The code that the console provider showed."""
        return str(re.findall(r": code ([0-9]+)$", self.err, re.MULTILINE)[-1])


Cli = Callable[..., Ran]
"""`otpcore("check", "--json", stdin="…")`."""


def other_than(code: str) -> str:
    """A code of the same length that is wrong."""
    return "".join(str((int(digit) + 1) % 10) for digit in code)
