"""The map that a compaction leaves: back from bytes as it was, and nothing else taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otpcore.errors import StoreFormatError
from otpcore.stores.moves import MARK, Moves


def made(pairs: dict[int, int], copied: int = 10_000, tail: int = 5_000) -> Moves:
    moves = Moves(copied)
    moves.before.extend(sorted(pairs))
    moves.after.extend(pairs[before] for before in sorted(pairs))
    moves.tail, moves.end, moves.lines = tail, 20_000, 99
    return moves


OFFSETS = st.dictionaries(st.integers(0, 9_999), st.integers(0, 4_999), max_size=50)


@given(OFFSETS)
def test_a_map_survives_its_bytes(pairs: dict[int, int]) -> None:
    again = Moves.unpack(made(pairs).pack())
    assert again is not None
    assert {before: again.place(before) for before in pairs} == pairs
    assert (again.copied, again.tail, again.end, again.lines) == (10_000, 5_000, 20_000, 99)
    assert again.place(10_007) == 5_007


@given(OFFSETS, st.integers(0, 9_999))
def test_a_line_that_was_not_copied_is_never_given_another_place(pairs: dict[int, int], offset: int) -> None:
    moves = made(pairs)
    if offset in pairs:
        assert moves.place(offset) == pairs[offset]
    else:
        with pytest.raises(StoreFormatError, match=f"byte {offset}"):
            moves.place(offset)


@given(OFFSETS, st.data())
def test_bytes_that_are_not_all_of_a_map_are_none(pairs: dict[int, int], data: st.DataObject) -> None:
    raw = made(pairs).pack()
    assert Moves.unpack(raw[: data.draw(st.integers(0, len(raw) - 1))]) is None
    at, bit = data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(0, 7))
    assert Moves.unpack(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]) is None
    assert Moves.unpack(MARK) is None
