"""Stores with one planted defect each in the guard of a commit or in its versions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from otpcore.ports import Conflict, Version, Versioned
from otpcore.stores.memory import MemoryStore
from tests.conformance.broken_stores import Tombs, fails


class Forcing(MemoryStore):
    """Can write without a guard."""

    def force(self, key: str, data: bytes | None, gc_at: datetime) -> Version:
        stands = self.load(key)
        answer = super().commit(key, data, expect=stands.version if stands else None, gc_at=gc_at)
        assert not isinstance(answer, Conflict)
        return answer


@fails(
    "a_due_record_still_guards_its_key",
    "a_refused_commit_does_not_move_gc_at",
    "create_conflicts_with_what_stands",
    "refused_create_changes_nothing",
)
class CreatesOverWhatStands(Forcing):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if expect is None and data is not None:
            return self.force(key, data, gc_at)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails(
    "a_refused_commit_does_not_move_gc_at",
    "refused_create_changes_nothing",
)
class RefusesACreationButWrites(Forcing):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if isinstance(answer, Conflict) and expect is None and data is not None:
            self.force(key, data, gc_at)
        return answer


@fails(
    "refused_update_creates_nothing",
    "update_of_an_absent_key_conflicts_with_none",
)
class CreatesWhereAnUpdateFails(Forcing):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if expect and data is not None and self.load(key) is None:
            return self.force(key, data, gc_at)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("refused_update_creates_nothing")
class RefusesAnUpdateButCreates(Forcing):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if answer == Conflict(None) and expect and data is not None:
            self.force(key, data, gc_at)
        return answer


@fails(
    "a_repeated_commit_is_applied_once",
    "a_version_from_before_a_deletion_is_refused",
    "a_version_from_before_a_sweep_is_refused",
    "an_unknown_version_is_refused",
    "another_keys_version_is_refused",
    "conflict_is_enough_to_try_again",
    "equal_data_is_no_excuse_for_a_stale_version",
    "stale_update_changes_nothing",
    "stale_update_is_answered_with_the_current_record",
)
class LastWriterWins(Forcing):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if expect and data is not None and self.load(key) is not None:
            return self.force(key, data, gc_at)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails(
    "an_unknown_version_is_refused",
    "conflict_is_enough_to_try_again",
    "stale_update_changes_nothing",
)
class RefusesAnUpdateButWrites(Forcing):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if isinstance(answer, Conflict) and answer.current and expect and data is not None:
            self.force(key, data, gc_at)
        return answer


@fails(
    "a_due_record_still_guards_its_key",
    "a_repeated_commit_is_applied_once",
    "a_version_from_before_a_deletion_is_refused",
    "a_version_from_before_a_sweep_is_refused",
    "an_unknown_version_is_refused",
    "another_keys_version_is_refused",
    "conflict_is_enough_to_try_again",
    "create_conflicts_with_what_stands",
    "delete_that_expects_absence_is_refused",
    "delete_with_a_stale_version_is_refused",
    "equal_data_is_no_excuse_for_a_stale_version",
    "stale_update_is_answered_with_the_current_record",
)
class AnswersWithoutTheRecord(MemoryStore):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        return Conflict(None) if isinstance(answer, Conflict) else answer


@fails(
    "a_repeated_commit_is_applied_once",
    "a_version_from_before_a_deletion_is_refused",
    "a_version_from_before_a_sweep_is_refused",
    "conflict_is_enough_to_try_again",
    "delete_with_a_stale_version_is_refused",
    "equal_data_is_no_excuse_for_a_stale_version",
    "stale_update_is_answered_with_the_current_record",
)
class AnswersWithTheFirstRecord(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.first: dict[str, Versioned] = {}

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if not isinstance(answer, Conflict):
            self.first.setdefault(key, Versioned(data or b"", answer))
            return answer
        return Conflict(answer.current and self.first[key])


@fails(
    "a_repeated_commit_is_applied_once",
    "equal_data_is_no_excuse_for_a_stale_version",
)
class TakesEqualData(MemoryStore):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        stands = self.load(key)
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if isinstance(answer, Conflict) and expect and stands and stands.data == data:
            return stands.version
        return answer


@fails(
    "each_commit_has_a_new_version",
    "equal_data_is_no_excuse_for_a_stale_version",
)
class SparesEqualWrites(MemoryStore):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        stands = self.load(key)
        if stands and stands.data == data and stands.version == expect:
            return stands.version
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("another_keys_version_is_refused")
class TakesAnyKeysVersion(Forcing):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if expect in {self._version(entry.serial) for other, entry in self._records.items() if other != key}:
            return self.force(key, data, gc_at)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("an_unknown_version_is_refused")
class TakesAWildcard(Forcing):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        return self.force(key, data, gc_at) if expect == "*" else super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("an_empty_version_does_not_mean_absent")
class EmptyVersionIsAbsence(MemoryStore):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        return super().commit(key, data, expect=expect or None, gc_at=gc_at)


@fails("delete_with_a_stale_version_is_refused")
class DeletesAnyVersion(Forcing):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if data is None and expect and self.load(key):
            return self.force(key, None, gc_at)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("delete_that_expects_absence_is_refused")
class DeletesWhatWasToBeAbsent(Forcing):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if data is None and expect is None:
            return self.force(key, None, gc_at)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("a_second_delete_conflicts_with_none")
class DeletesTwice(Tombs):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        if data is None and key in self.tombs and self.tombs[key].version == expect:
            return Version("gone")
        return super().commit(key, data, expect=expect, gc_at=gc_at)


class Versioning(MemoryStore):
    """Has versions of another making: `made` of the true one and what it can know of the record."""

    def made(self, key: str, data: bytes, version: Version) -> Version:
        return version

    def _shown(self, key: str, record: Versioned | None) -> Versioned | None:
        return record and Versioned(record.data, self.made(key, record.data, record.version))

    def load(self, key: str) -> Versioned | None:
        return self._shown(key, super().load(key))

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        stands = super().load(key)
        if stands is not None and self.made(key, stands.data, stands.version) == expect:
            expect = stands.version
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if isinstance(answer, Conflict):
            return Conflict(self._shown(key, answer.current))
        return self.made(key, data or b"", answer)

    def scan(self, after: str, limit: int) -> Sequence[tuple[str, Versioned]]:
        shown = [(key, self._shown(key, found)) for key, found in super().scan(after, limit)]
        return [(key, found) for key, found in shown if found]


@fails(
    "a_version_is_a_text",
    "an_unknown_version_is_refused",
)
class VersionsAreNumbers(Versioning):
    def made(self, key: str, data: bytes, version: Version) -> Version:
        return cast("Version", hash(version))


@fails(
    "a_version_does_not_recur_after_a_deletion",
    "a_version_from_before_a_deletion_is_refused",
    "a_version_from_before_a_sweep_is_refused",
    "another_keys_version_is_refused",
    "each_commit_has_a_new_version",
    "equal_data_is_no_excuse_for_a_stale_version",
)
class VersionsAreDigests(Versioning):
    def made(self, key: str, data: bytes, version: Version) -> Version:
        return Version(hashlib.sha256(data).hexdigest())


class Counting(Versioning):
    """Has a counter for each key as its version, kept as `numbers`; a defect where it starts anew."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, list[str]] = {}

    def made(self, key: str, data: bytes, version: Version) -> Version:
        known = self.numbers.setdefault(key, [])
        if version not in known:
            known.append(version)
        return Version(f"{key}#{known.index(version)}")


@fails(
    "a_version_does_not_recur_after_a_deletion",
    "a_version_from_before_a_deletion_is_refused",
)
class CountsAnewAfterADeletion(Counting):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if data is None and not isinstance(answer, Conflict):
            self.numbers.pop(key, None)
        return answer


@fails("a_version_from_before_a_sweep_is_refused")
class CountsAnewAfterASweep(Counting):
    def sweep(self, before: datetime, *, limit: int) -> int:
        count = super().sweep(before, limit=limit)
        self.numbers = {key: known for key, known in self.numbers.items() if key in self._records}
        return count


@fails(
    "a_version_does_not_recur_after_a_deletion",
    "a_version_from_before_a_deletion_is_refused",
    "a_version_from_before_a_sweep_is_refused",
    "other_keys_do_not_move_a_version",
    "scan_gives_current_records",
)
class OneVersionForTheWholeStore(Versioning):
    commits = 0

    def made(self, key: str, data: bytes, version: Version) -> Version:
        return Version(f"{key}#{self.commits}")

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if isinstance(answer, Conflict):
            return answer
        self.commits += expect is not None and data is not None
        return Version(f"{key}#{self.commits}")
