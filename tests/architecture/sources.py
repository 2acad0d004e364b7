"""Where the sources are, and how they are read as syntax."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = [ROOT / "otpcore", *sorted(path.parent for path in ROOT.glob("plugins/*/otpcore_*/__init__.py"))]
MODULES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))

PURE = ("errors", "receipts", "model", "results", "policy", "codes", "phone", "routing", "machine", "effects")
PURE_PACKAGES = ("contract", "messages", "ledger", "flows", "ports")
PURE_MODULES = [
    *(ROOT / "otpcore" / f"{name}.py" for name in PURE),
    *sorted(path for name in PURE_PACKAGES for path in (ROOT / "otpcore" / name).glob("*.py")),
]


def name_of(path: Path) -> str:
    """The module's dotted name."""
    package = next(package for package in PACKAGES if path.is_relative_to(package))
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def shown(path: Path) -> str:
    """As a test's id."""
    return str(path.relative_to(ROOT))


def imports(tree: ast.AST) -> Iterator[tuple[str, str | None]]:
    """Each import as (module, name), the name None where the module itself is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def exported(tree: ast.Module) -> list[str] | None:
    """The names in `__all__`; None where there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            names: list[str] = ast.literal_eval(node.value)
            return names
    return None


def parsed(path: Path) -> ast.Module:
    """The module's syntax tree."""
    return ast.parse(path.read_text("utf-8"), str(path))
