"""What a planted defect is, and how it is planted: a function or class is exchanged wherever it is bound.

Rules of this file: every exchange is undone; an exchange that finds nothing is an error, for a defect that is not
planted is caught by nobody.
"""

from __future__ import annotations
import __future__

import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self

__all__ = ["Defect", "Planter", "reworded"]

PLACES: Final = re.compile(r"(otpcore|otpcore_redis|otpcore_twilio|otpcore_vonage|tests(?!\.defects))(\.|$)")
"""The modules that bind what is exchanged; those here keep the originals."""


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
        """Exchange an object in every module of the packages, and of the tests, that has it by any name."""
        places = [
            (module, name)
            for module in list(sys.modules.values())
            if PLACES.match(module.__name__)
            for name, value in list(vars(module).items())
            if value is original
        ]
        assert places, f"{original!r} is bound nowhere"
        for module, name in places:
            self._undo.append(partial(setattr, module, name, original))
            setattr(module, name, planted)

    def reword(self, function: Any, old: str, new: str) -> None:
        """Exchange a function, or a method, for one whose source says `new` wherever it said `old`."""
        source = textwrap.dedent(inspect.getsource(function))
        assert old in source, f"{function.__qualname__} does not say {old!r}"
        module, scope = sys.modules[function.__module__], dict[str, Any]()
        source = "\n" * (function.__code__.co_firstlineno - 1) + source.replace(old, new)
        flags = __future__.annotations.compiler_flag
        exec(compile(source, inspect.getfile(function), "exec", flags), vars(module), scope)
        owner, _, name = function.__qualname__.rpartition(".")
        if owner:
            self.attribute(getattr(module, owner), name, scope[name])
        else:
            self.swap(function, scope[name])

    def attribute(self, owner: type, name: str, planted: object) -> None:
        """Exchange what a class has by this name."""
        original = vars(owner)[name]
        self._undo.append(partial(setattr, owner, name, original))
        setattr(owner, name, planted)

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


@dataclass(frozen=True, slots=True)
class Defect:
    """One row of a list of planted defects.

    Attributes:
        name: a number of the requirements' list; I and T with the number of an invariant or a trap of the design;
            S13 and B for breakers and bounds; S15 and O for receipts and outcomes; H with the number of an invariant,
            for histories; R for what a review found; P for the Twilio provider; L for the legacy facade; M for
            messages; F for failover; D for failover after an undelivered message.
        sentence: what is wrong with it.
        plant: makes the exchanges.
        body: is green without the defect, and red with it.
        red: how the body fails; by another error than its assertions where the defect is that one is raised.
    """

    name: str
    sentence: str
    plant: Callable[[Planter], None]
    body: Callable[[], None]
    red: type[Exception] = AssertionError


def reworded(*changes: tuple[Any, str, str]) -> Callable[[Planter], None]:
    """A patch of functions by their words: (function, what it says, what it says instead)."""

    def plant(planter: Planter) -> None:
        for function, old, new in changes:
            planter.reword(function, old, new)

    return plant
