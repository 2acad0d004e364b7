"""`python -m tests.defects.run [number …]`: plant each defect and judge that its body turns red.

A defect is caught when its body is green without it and fails by an assertion with it. Exit status 1 when one is not.
"""

from __future__ import annotations

import sys
import time

from tests.defects.planted import COMES_WITH, DEFECTS, Defect
from tests.defects.planting import Planter


def judge(defect: Defect) -> str:
    """One word, or what went wrong."""
    try:
        defect.body()
    except Exception as error:  # noqa: BLE001  # any way to fail is a failure
        return f"red without it: {type(error).__name__} {error}"
    try:
        with Planter() as planter:
            defect.plant(planter)
            defect.body()
    except AssertionError:
        return "caught"
    except Exception as error:  # noqa: BLE001  # the defect broke the body instead of its assertion
        return f"broken: {type(error).__name__} {error}"
    return "NOT CAUGHT"


def main(numbers: list[int]) -> int:
    """Judge the defects of these numbers, or all, and print a table."""
    judged = [defect for defect in DEFECTS if not numbers or defect.number in numbers]
    caught = 0
    for defect in judged:
        began = time.perf_counter()
        verdict = judge(defect)
        caught += verdict == "caught"
        took = time.perf_counter() - began
        print(
            f"{defect.number:>2}  {defect.sentence:<54}  {defect.body.__name__:<38}  {took:5.1f} s  {verdict}",
            flush=True,
        )
    for number, (sentence, where) in COMES_WITH.items():
        if not numbers:
            print(f"{number:>2}  {sentence:<54}  comes with {where}")
    print(f"{caught} of {len(judged)} planted defects caught")
    return 0 if caught == len(judged) else 1


if __name__ == "__main__":
    sys.exit(main([int(each) for each in sys.argv[1:]]))
