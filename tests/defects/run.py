"""`python -m tests.defects.run [NAME …]`: plant each defect and judge that its body turns red.

A defect is caught when its body is green without it and fails with it, by an assertion unless the defect says
otherwise. Exit status 1 when one is not; one whose body needs a server that is not installed is skipped. A body that
several defects share is looked at once without them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import cache

import pytest

from tests.defects import (
    breakers,
    histories,
    invariants,
    legacy,
    messages,
    planted,
    receipts,
    reviews,
    routes,
    traps,
    twilio,
    undelivered,
)
from tests.defects.planting import Defect, Planter

LISTS = (
    planted,
    invariants,
    traps,
    receipts,
    reviews,
    histories,
    twilio,
    legacy,
    breakers,
    messages,
    routes,
    undelivered,
)
ALL = tuple(defect for each in LISTS for defect in each.DEFECTS)


SKIPPED = "skipped"


@cache
def unharmed(body: Callable[[], None]) -> str:
    """What a body says while nothing is planted: nothing, or why it is no judge."""
    try:
        body()
    except pytest.skip.Exception as missing:
        return f"{SKIPPED}: {missing}"
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  # any way to fail is a failure
        return f"red without it: {type(error).__name__} {error}"
    return ""


def judge(defect: Defect) -> str:
    """One word, or what went wrong."""
    if says := unharmed(defect.body):
        return says
    with Planter() as planter:
        try:
            defect.plant(planter)
        except Exception as error:  # noqa: BLE001  # the code has changed, and the defect with it must
            return f"not planted: {type(error).__name__} {error}"
        try:
            defect.body()
        except (defect.red, pytest.fail.Exception):
            return "caught"
        except Exception as error:  # noqa: BLE001  # the defect broke the body instead of its assertion
            return f"broken: {type(error).__name__} {error}"
    return "NOT CAUGHT"


def main(names: list[str]) -> int:
    """Judge the defects of these names, or all, and print a table; the exit status, 2 for a name that none has."""
    unknown = set(names) - {defect.name for defect in ALL}
    if unknown:
        print(f"No planted defect is called {', '.join(sorted(unknown))}.", file=sys.stderr)
        return 2
    judged = [defect for defect in ALL if not names or defect.name in names]
    caught = skipped = 0
    for defect in judged:
        began = time.perf_counter()
        verdict = judge(defect)
        caught += verdict == "caught"
        skipped += verdict.startswith(SKIPPED)
        took = time.perf_counter() - began
        print(
            f"{defect.name:>4}  {defect.sentence:<66}  {defect.body.__name__[:44]:<44}  {took:5.1f} s  {verdict}",
            flush=True,
        )
    for name, (sentence, where) in planted.COMES_WITH.items():
        if not names:
            print(f"{name:>4}  {sentence:<66}  comes with {where}")
    print(f"{caught} of {len(judged)} planted defects caught{f', {skipped} skipped' if skipped else ''}")
    return 0 if caught and caught + skipped == len(judged) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
