"""The pure ring by its syntax: what it imports is on a list, and nothing in it asks for the time or opens a file."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.sources import PURE_MODULES, PURE_PACKAGES, ROOT, imports, parsed, shown

ALLOWED = frozenset(
    {
        *("__future__", "collections", "contextlib", "dataclasses", "enum", "functools", "inspect", "itertools"),
        *("operator", "types", "typing", "typing_extensions"),
        *("base64", "binascii", "hashlib", "hmac", "json", "math", "re", "struct", "unicodedata"),
        *("datetime", "decimal", "msgspec", "phonenumbers"),
    }
)
"""Modules that can be imported without reach to a clock, entropy, the environment, I/O or a log. `hmac` and
`hashlib` compute; `datetime` is for its types."""

IMPURE_CALLS = frozenset({"open", "print", "input", "breakpoint", "exec", "eval"})
IMPURE_METHODS = frozenset({"now", "utcnow", "today", "token_bytes", "token_hex", "token_urlsafe", "uuid4", "getenv"})


def impurities(tree: ast.AST) -> list[str]:
    found = [
        f"imports {module}"
        for module, _name in imports(tree)
        if module.partition(".")[0] not in ALLOWED and not f"{module}.".startswith("otpcore.")
    ]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id=name) if name in IMPURE_CALLS:
                found.append(f"calls {name}()")
            case ast.Attribute(attr=name) if name in IMPURE_METHODS:
                found.append(f"calls .{name}()")
            case _:
                pass
    return found


@pytest.mark.parametrize("path", PURE_MODULES, ids=shown)
def test_a_pure_module_is_pure(path: Path) -> None:
    assert impurities(parsed(path)) == []


def test_the_pure_ring_is_there_as_designed() -> None:
    assert [shown(path) for path in PURE_MODULES if not path.exists()] == []
    for name in PURE_PACKAGES:
        assert list((ROOT / "otpcore" / name).glob("*.py"))


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "import random",
        "import secrets",
        "import logging",
        "import socket",
        "import asyncio",
        "from secrets import token_bytes",
        "from threading import Lock",
        "def f():\n    import time",
        "from datetime import datetime\nx = datetime.now()",
        "from datetime import UTC, datetime\nx = datetime.now(UTC)",
        "import datetime\nx = datetime.datetime.utcnow()",
        "import datetime\nx = datetime.date.today()",
        "open('x')",
        "print('x')",
        "eval('__import__')",
    ],
)
def test_an_impure_source_is_seen(source: str) -> None:
    assert impurities(ast.parse(source))


@pytest.mark.parametrize("source", ["from datetime import datetime", "import hmac", "from otpcore.model import Send"])
def test_a_pure_source_is_not_blamed(source: str) -> None:
    assert impurities(ast.parse(source)) == []
