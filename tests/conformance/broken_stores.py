"""Stores with one planted defect each in what is kept; above each, the requirements that it fails.

Broken keys, guards, collection, races and durability have files of their own, which register their stores here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from otpcore.ports import Conflict, Version, Versioned
from otpcore.stores.memory import MemoryStore

Broken = TypeVar("Broken", bound=type[Any])
DEFECTS: list[tuple[type[Any], frozenset[str]]] = []


def fails(*names: str) -> Callable[[Broken], Broken]:
    """Register a broken store with exactly the requirements that it fails, without their `test_`."""

    def register(store: Broken) -> Broken:
        DEFECTS.append((store, frozenset(f"test_{name}" for name in names)))
        return store

    return register


# --- what is kept of the data --------------------------------------------------------------------


class Mangling(MemoryStore):
    """Keeps something else than the data that it was given."""

    def keep(self, data: bytes) -> bytes:
        return data

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        return super().commit(key, None if data is None else self.keep(data), expect=expect, gc_at=gc_at)


@fails(
    "every_printable_character_may_stand_in_a_key",
    "json_is_kept_byte_for_byte",
    "keys_with_spaces_at_the_ends_are_apart",
    "line_ends_and_nul_survive",
    "record_grows_and_shrinks",
)
class Strips(Mangling):
    def keep(self, data: bytes) -> bytes:
        return data.strip()


@fails(
    "every_byte_value_survives",
    "large_record_survives",
    "line_ends_and_nul_survive",
)
class EndsAtNul(Mangling):
    def keep(self, data: bytes) -> bytes:
        return data.partition(b"\0")[0]


@fails(
    "bytes_that_are_no_text_survive",
    "every_byte_value_survives",
    "large_record_survives",
    "record_grows_and_shrinks",
)
class KeepsText(Mangling):
    def keep(self, data: bytes) -> bytes:
        return data.decode(errors="replace").encode()


@fails(
    "bytes_that_are_no_text_survive",
    "every_byte_value_survives",
    "json_is_kept_byte_for_byte",
    "large_record_survives",
    "record_grows_and_shrinks",
)
class KeepsSevenBits(Mangling):
    def keep(self, data: bytes) -> bytes:
        return bytes(byte & 0x7F for byte in data)


@fails("json_is_kept_byte_for_byte")
class ParsesJson(Mangling):
    def keep(self, data: bytes) -> bytes:
        try:
            value = json.loads(data)
        except ValueError:
            return data
        return json.dumps(value).encode() if isinstance(value, dict) else data


@fails("data_that_looks_like_a_value_stays_bytes")
class ParsesNumbers(Mangling):
    def keep(self, data: bytes) -> bytes:
        return str(int(data)).encode() if data.isdigit() and data.startswith(b"0") and len(data) == 3 else data


@fails("sizes_around_round_numbers_survive")
class CutsAPage(Mangling):
    def keep(self, data: bytes) -> bytes:
        return data[:4095] if len(data) == 4096 else data


@fails("large_record_survives")
class CutsAt64K(Mangling):
    def keep(self, data: bytes) -> bytes:
        return data[:65535]


@fails(
    "data_that_looks_like_a_value_stays_bytes",
    "record_grows_and_shrinks",
)
class WritesOver(MemoryStore):
    """As a file that is written from its start and not truncated."""

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        stands = self.load(key)
        if data and stands is not None and len(data) in {1, 500}:
            data += stands.data[len(data) :]
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("update_replaces_the_data")
class KeepsTheFirst(MemoryStore):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        stands = self.load(key)
        keep = stands is not None and stands.data == b"first, and longer"
        return super().commit(key, stands.data if keep and stands else data, expect=expect, gc_at=gc_at)


@fails(
    "empty_data_is_a_record",
    "record_grows_and_shrinks",
)
class EmptyIsAbsent(MemoryStore):
    def load(self, key: str) -> Versioned | None:
        found = super().load(key)
        return found if found and found.data else None


@fails(
    "absent_key_loads_none",
    "commits_without_an_answer_never_approve_twice",
    "commits_without_an_answer_never_send_twice",
    "time_zones_do_not_move_an_instant",
    "what_is_no_key_is_refused_or_apart",
)
class UntouchedIsEmpty(MemoryStore):
    touched: frozenset[str] = frozenset()

    def load(self, key: str) -> Versioned | None:
        return super().load(key) if key in self.touched else Versioned(b"", Version("0"))

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        self.touched |= {key}
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("data_is_exactly_bytes")
class HandsOutArrays(MemoryStore):
    def load(self, key: str) -> Versioned | None:
        found = super().load(key)
        return found and Versioned(cast("bytes", bytearray(found.data)), found.version)


@fails(
    "a_due_record_loads_until_it_is_swept",
    "commit_is_loaded_with_its_version",
)
class AnotherVersionFromLoad(MemoryStore):
    def load(self, key: str) -> Versioned | None:
        found = super().load(key)
        return Versioned(found.data, Version(f"{found.version}.")) if found and found.data == b"data" else found


@fails(
    "loading_changes_nothing",
    "the_instant_itself_is_not_before",
)
class LoadingIsWriting(MemoryStore):
    def load(self, key: str) -> Versioned | None:
        found = super().load(key)
        if found is not None and found.data == b"data":
            self.commit(key, found.data, expect=found.version, gc_at=datetime.max.replace(tzinfo=UTC))
        return found


@fails(
    "a_deleted_record_is_not_swept_again",
    "a_second_delete_conflicts_with_none",
    "deleted_record_is_absent",
    "refused_update_creates_nothing",
    "update_of_an_absent_key_conflicts_with_none",
)
class DeletesToEmpty(MemoryStore):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        stands = self.load(key)
        gone = b"" if stands and stands.data == b"data" else None
        return super().commit(key, gone if data is None else data, expect=expect, gc_at=gc_at)


@fails("deleting_what_is_absent_succeeds")
class DeletesOnlyWhatIsThere(MemoryStore):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if data is None and self.load(key) is None:
            return Conflict(None)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


class Tombs(MemoryStore):
    """Remembers which keys it has lost."""

    def __init__(self) -> None:
        super().__init__()
        self.tombs: dict[str, Versioned] = {}

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        stands = self.load(key)
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if data is None and stands is not None and not isinstance(answer, Conflict):
            self.tombs[key] = stands
        return answer


@fails(
    "a_version_does_not_recur_after_a_deletion",
    "a_version_from_before_a_deletion_is_refused",
    "deleted_key_can_be_created_again",
    "gc_at_of_a_deleted_record_is_forgotten",
)
class NeverCreatesTwice(Tombs):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if data is not None and expect is None and key in self.tombs:
            return Conflict(self.tombs[key])
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails(
    "a_swept_key_can_be_created_again",
    "a_version_from_before_a_sweep_is_refused",
)
class NeverCreatesWhatItSwept(MemoryStore):
    swept: frozenset[str] = frozenset()

    def sweep(self, before: datetime, *, limit: int) -> int:
        keys = set(self._records)
        count = super().sweep(before, limit=limit)
        self.swept |= keys - set(self._records)
        return count

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if key in self.swept:
            return Conflict(None)
        return super().commit(key, data, expect=expect, gc_at=gc_at)
