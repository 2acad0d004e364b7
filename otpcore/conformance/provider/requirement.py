"""Which claims of a provider bring which checks in.

Rules of this file: no check, and nothing of how one is made.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar, cast

__all__ = ["METHODS", "Claim", "Requirement", "needs", "requirements"]


class Claim(StrEnum):
    """A property that not every provider has; a check that needs one is there only where the provider has it."""

    CHECKS = "checks"  # it compares codes
    BY_RECIPIENT = "checks-by-recipient"  # it compares codes where the answer to the first send was lost
    CANCELS = "cancels"  # it ends verifications
    RECONCILES = "reconciles"  # it can be asked later what became of a check
    FEEDBACK = "feedback"  # its vendor hears what became of a code of the core
    RECEIPTS = "receipts"  # its vendor tells what became of messages
    DELIVERS = "delivers"  # it delivers codes of the core
    WORDS = "words"  # it delivers the words that the core made, as they are
    AWAITED = "awaited"  # it awaits by itself, in no thread


METHODS: Mapping[Claim, str] = MappingProxyType(
    {
        Claim.CHECKS: "check",
        Claim.CANCELS: "cancel",
        Claim.RECONCILES: "reconcile_check",
        Claim.FEEDBACK: "report_outcome",
        Claim.RECEIPTS: "parse_receipt",
    }
)
"""The optional methods of a provider, by the claim that each makes."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence that a provider must fulfil.

    Attributes:
        name: of the test.
        sentence: the requirement.
        needs: the claims that together bring it in; none: it holds of every provider.
    """

    name: str
    sentence: str
    needs: frozenset[Claim]


F = TypeVar("F", bound=Callable[..., None])
NEEDS = "otpcore_needs"


def needs(*claims: Claim) -> Callable[[F], F]:
    """A check that is there only for a provider that has these properties."""

    def mark(test: F) -> F:
        setattr(test, NEEDS, frozenset(claims))
        return test

    return mark


def requirements(contract: type) -> Iterator[Requirement]:
    """Every requirement that a contract class knows, claimed or not, in the order of their names."""
    found: dict[str, Requirement] = {}
    for owner in contract.__mro__:
        for name, test in vars(owner).items():
            if name.startswith("test_") and test is not None and name not in found:
                claims = cast("frozenset[Claim]", getattr(test, NEEDS, frozenset[Claim]()))
                found[name] = Requirement(name, inspect.getdoc(test) or name, claims)
    return iter(sorted(found.values(), key=lambda requirement: requirement.name))
