"""Torn tails, damaged lines and gaps of the embedded store's file: what is cut, and what is refused."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from otpcore.errors import StoreFormatError, StoreUnavailable
from otpcore.stores import frames, log
from otpcore.stores.frames import Record
from otpcore.stores.segment import Segment
from otpcore.stores.tinydb import TinyDBStore
from tests.crash.log_files import append, data_of, lines_of, put

# --- what a crash or the disk left in the file -----------------------------------------------------


def line(more: int, key: str, value: bytes) -> bytes:
    return frames.encode(Record("records", key, "0123456789abcdef", 1, value), more)[0]


TORN = {
    "half a line": line(0, "a", b"{}")[:30],
    "a line without its last bytes": line(0, "a", b"{}")[:-2],
    "zeros": bytes(4096),
    "a damaged last line": line(0, "a", b'{"n":1}').replace(b"1}", b"2}"),
    "half of a batch": line(1, "a", b"{}"),
    "half of a batch and a half line": line(2, "a", b"{}") + line(1, "b", b"{}")[:-5],
}


@pytest.mark.parametrize("name", TORN)
def test_a_torn_tail_is_cut_and_reported(name: str, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = TinyDBStore(path)
    put(before, "key", b'{"n":1}')
    lines = lines_of(path)
    append(path, TORN[name])
    cut = len(TORN[name].rstrip(b"\n"))
    with caplog.at_level(logging.WARNING, "otpcore.stores"):
        after = TinyDBStore(path)
    assert [record.name for record in caplog.records] == ["otpcore.stores"]
    assert f"cut {cut} bytes" in caplog.text
    assert (after.stats.cuts, after.stats.cut_bytes) == (1, cut)
    assert lines_of(path) == lines
    assert after.load("a") is None
    put(after, "a", b'{"n":2}')
    assert data_of(before, "a") == b'{"n":2}'  # one that was open all the time follows
    assert data_of(before, "key") == b'{"n":1}'
    before.close()
    after.close()


def check_damage(path: Path, place: int) -> None:
    store = TinyDBStore(path)
    for number in range(4):
        put(store, f"key{number}", b'{"n":%d}' % number)
    store.close()
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = lines.copy()
    damaged[2] = damaged[2][:place] + bytes([damaged[2][place] ^ 1]) + damaged[2][place + 1 :]
    path.write_bytes(b"".join(damaged))
    try:
        TinyDBStore(path).close()
    except StoreFormatError as error:
        assert "line 3 of" in str(error)  # noqa: PT017 - opening it is the defect
    else:
        pytest.fail("a damaged line was taken")
    path.write_bytes(b"".join(damaged[:2] + damaged[3:]))  # as the documentation says
    store = TinyDBStore(path)
    assert [data_of(store, f"key{number}") is not None for number in range(4)] == [True, False, True, True]
    store.close()


@pytest.mark.parametrize("place", [1, 5, 12, 20, 30, -4, -2])
def test_a_damaged_line_before_intact_ones_is_refused_by_its_number(path: Path, place: int) -> None:
    check_damage(path, place if place >= 0 else 80 + place)


def test_a_file_without_checksums_fails_that(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Any32(int):
        def __ne__(self, other: object) -> bool:
            return False

        __hash__ = int.__hash__

    class Zlib:
        @staticmethod
        def crc32(_data: object) -> int:
            return Any32(0)

    monkeypatch.setattr(frames, "zlib", Zlib)
    with pytest.raises(pytest.fail.Exception):
        check_damage(path, 76)


GAPS = {
    "a lost sector": (b"\n" * 1024, True),
    "a lost sector inside a line": (line(0, "a", b"{}")[:30] + b"\n" * 1024, True),
    "a long gap in the middle of one": (b"\n" * 65, True),
    "an empty line": (b"\n", False),
    "some empty lines": (b"\n" * 9, False),
    "an empty line behind a damaged one": (line(0, "a", b"{}")[1:] + b"\n", False),
}


def check_gap(path: Path, name: str) -> None:
    """A gap as only a power loss leaves it is cut, with what is behind; one that somebody typed is refused."""
    store = TinyDBStore(path)
    put(store, "key", b'{"n":1}')
    while len(lines_of(path)) % 512 < 200 or len(lines_of(path)) % 512 > 400:
        put(store, "key", b'{"n":1}')
    store.close()
    gap, lost = GAPS[name]
    if len(gap) > 500:  # to the end of a sector
        gap = gap[: -((len(lines_of(path)) + len(gap)) % 512)]
    append(path, gap + line(0, "key", b'{"n":2}') + line(0, "key", b'{"n":3}'))
    before = path.read_bytes()
    if lost:
        store = TinyDBStore(path)
        assert data_of(store, "key") == b'{"n":1}'
        assert store.stats.cuts == 1
        put(store, "key", b'{"n":4}')
        assert b'{"n":3}' not in path.read_bytes()
        store.close()
        return
    with pytest.raises(StoreFormatError, match="intact lines follow"):
        TinyDBStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", GAPS)
def test_a_gap_is_cut_or_refused_by_its_kind(path: Path, name: str) -> None:
    check_gap(path, name)


@pytest.mark.parametrize("name", ["a lost sector", "an empty line"])
def test_a_store_that_believes_its_first_empty_line_fails_that(
    path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def believe(_self: Segment, _size: int) -> bool:
        return True

    monkeypatch.setattr(Segment, "_only_filler", believe)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check_gap(path, name)


def test_a_line_that_changes_in_place_is_not_answered(store: TinyDBStore, path: Path) -> None:
    put(store, "key", b'{"n":1}')
    path.write_bytes(path.read_bytes().replace(b'{"n":1}', b'{"n":2}'))
    with pytest.raises(StoreFormatError):
        store.load("key")


def test_a_removed_file_is_not_begun_anew(store: TinyDBStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "key", b'{"n":1}')
    path.unlink()
    a_second_later = time.monotonic() + log.LOOK_EVERY
    monkeypatch.setattr("otpcore.stores.log.time.monotonic", lambda: a_second_later)
    with pytest.raises(StoreUnavailable, match="removed"):
        store.load("key")
    with pytest.raises(StoreUnavailable, match="removed"):
        put(store, "key", b'{"n":2}')
    assert not path.exists()
