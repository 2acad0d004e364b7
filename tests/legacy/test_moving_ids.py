"""Ids that rows of several pairs have: the first pair keeps them, and a run that writes nothing says the same."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otpcore.codes import counter_id
from otpcore.legacy import Desk, moving
from otpcore.legacy.moving import Moved, Report, move_table
from otpcore.legacy.rows import Row
from otpcore.stores.memory import MemoryStore
from tests.legacy.moved import MONTH, ZONE, MovedClock, desk_over, line, stands

Lines = Sequence[tuple[object, ...]]
OWN = counter_id("hash-a", "user-a")


def run(desk: Desk, lines: Lines, *, write: bool) -> Report:
    """As the command does it: the database says which ids more than one row has."""
    ids = [each[0] for each in lines]
    repeated = {each for each in ids if ids.count(each) > 1}
    return move_table(desk, lines, zone=ZONE, keep_ids=MONTH, repeated=repeated, write=write)


def reports(lines: Lines, *, before: Lines = (), gone: Sequence[int] = ()) -> tuple[Report, Report]:
    """Of a dry run and of the run after it."""
    store = MemoryStore()
    desk = desk_over(MovedClock(), store)
    run(desk, before, write=True)
    for each in gone:
        desk.delete_counter(each)
    held = stands(store)
    dry = run(desk, lines, write=False)
    assert stands(store) == held
    return dry, run(desk, lines, write=True)


def test_the_first_pair_keeps_an_id_in_a_dry_run_as_well() -> None:
    dry, real = reports([line(1, "a"), line(1, "b"), line(2, "b"), line(2, "c"), line(3, "c")])
    assert dry == real
    assert (real.taken, real.kept, real.imported, real.merged) == ([1, 2], 3, 3, 2)


def test_an_id_that_the_record_has_itself_is_its_own_in_a_dry_run_as_well() -> None:
    dry, real = reports([line(OWN, "a"), line(OWN, "b")])
    assert dry == real
    assert (real.taken, real.kept) == ([OWN], 1)


def test_an_id_that_a_pair_has_twice_is_one_id() -> None:
    lines = [line(1, "a", 1), line(1, "a", 2), line(1, "b")]
    dry, real = reports(lines)
    assert dry == real
    assert (real.read, real.imported, real.merged, real.kept, real.taken) == (3, 2, 1, 1, [1])
    dry, real = reports(lines[:2], before=lines[:2], gone=[1])
    assert dry == real
    assert (real.read, real.gone, real.merged, real.kept) == (2, 2, 0, 0)


lines_of_a_table = st.lists(
    st.builds(line, st.integers(1, 4), st.sampled_from("abc"), st.integers(0, 6)), max_size=7
).map(lambda lines: sorted(lines, key=lambda each: (str(each[1]), each[0])))


@given(lines_of_a_table, lines_of_a_table, st.sets(st.integers(1, 3)))
def test_a_dry_run_reports_what_the_run_will_whatever_ids_are_repeated(
    lines: Lines, before: Lines, gone: set[int]
) -> None:
    dry, real = reports(lines, before=before, gone=sorted(gone))
    assert dry == real
    counted = real.imported + real.merged + real.tightened + real.unchanged + real.gone
    assert counted == real.read


def blind(_self: object, _rows: Sequence[Row], moved: Moved) -> Moved:
    """The planted defect: only the store knows to whom an id was given."""
    return moved


def test_a_dry_run_that_asks_the_store_alone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vars(moving)["_First"], "of", blind)
    dry, real = reports([line(1, "a"), line(1, "b")])
    assert (dry.taken, real.taken) == ([], [1])
