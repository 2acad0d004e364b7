"""How a defect is planted: a function or class is exchanged wherever the package has bound it.

Rules of this file: every exchange is undone; an exchange that finds nothing is an error, for a defect that is not
planted is caught by nobody.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Self

__all__ = ["Planter"]


class Planter:
    """Exchanges things, and puts them back. Use as a context."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._undo:
            self._undo.pop()()

    def swap(self, original: object, planted: object) -> None:
        """Exchange an object in every module of the package that has it by any name."""
        places = [
            (module, name)
            for module in list(sys.modules.values())
            if module.__name__.partition(".")[0] == "otpcore"
            for name, value in list(vars(module).items())
            if value is original
        ]
        assert places, f"{original!r} is bound nowhere"
        for module, name in places:
            self._undo.append(partial(setattr, module, name, original))
            setattr(module, name, planted)

    def put(self, place: str, planted: object) -> None:
        """Exchange a module's attribute: `package.module.name`."""
        path, _, name = place.rpartition(".")
        module = importlib.import_module(path)
        original = getattr(module, name)
        self._undo.append(lambda: setattr(module, name, original))
        setattr(module, name, planted)

    def default(self, function: Any, argument: str, planted: object) -> None:
        """Exchange the default of a keyword-only argument."""
        defaults: dict[str, Any] = function.__kwdefaults__
        original = defaults[argument]
        self._undo.append(lambda: defaults.__setitem__(argument, original))
        defaults[argument] = planted
