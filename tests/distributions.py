"""Distributions for one test: folders with metadata on `sys.path`, as pip leaves them.

Rules of this file: nothing is mocked; what reads the metadata of installed distributions finds these like any other.
"""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from otpcore.hookspecs import PROJECT


class Install(Protocol):
    """Install a distribution with one module of the given source; give entry points as text to break them."""

    def __call__(
        self, distribution: str, source: str, *, entry: str, version: str = "1.0", text: str | None = None
    ) -> None: ...


@contextmanager
def installing(folder: Path) -> Generator[Install]:
    """Install into this folder; afterwards nothing of it can be imported or found."""
    made: list[str] = []

    def make(distribution: str, source: str, *, entry: str, version: str = "1.0", text: str | None = None) -> None:
        module = distribution.replace("-", "_")
        (folder / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        metadata = folder / f"{module}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n", encoding="utf-8"
        )
        entries = text or f"[{PROJECT}]\n{entry} = {module}\n"
        (metadata / "entry_points.txt").write_bytes(entries.encode("latin-1"))
        made.append(module)
        importlib.invalidate_caches()

    before = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        yield make
    finally:
        sys.path[:] = before
        for module in made:
            sys.modules.pop(module, None)
