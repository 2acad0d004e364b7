"""Stores that are wrong in one situation alone: where a check would else fall with others only, each falls by itself.

Rules of this file: one requirement a store, of all that one caller asks; the situation is as its check makes it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

from otpcore.ports import Conflict, Version, Versioned
from otpcore.stores.memory import MemoryStore
from tests.conformance.broken_guards import Counting, Forcing, Versioning
from tests.conformance.broken_keys import DeletesMore, Misplacing
from tests.conformance.broken_stores import Mangling, Tombs, fails

Answer = Version | Conflict


def hence(**duration: float) -> int:
    """Microseconds from 1970 to an instant from now."""
    return round((datetime.now(UTC) + timedelta(**duration)).timestamp() * 1e6)


# --- data ----------------------------------------------------------------------------------------


@fails("every_byte_value_survives")
class LosesDelete(Mangling):
    def keep(self, data: bytes) -> bytes:
        return data.replace(b"\x7f", b"") if len(data) == 256 else data


@fails("bytes_that_are_no_text_survive")
class KeepsShortTexts(Mangling):
    def keep(self, data: bytes) -> bytes:
        return data.decode(errors="replace").encode() if len(data) <= 8 else data


@fails("line_ends_and_nul_survive")
class KeepsOneKindOfLineEnd(Mangling):
    def keep(self, data: bytes) -> bytes:
        return data.replace(b"\r\n", b"\n")


@fails("record_grows_and_shrinks")
class ShrinksALittle(MemoryStore):
    """Leaves the end of what was there where it is much."""

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        stands = self.load(key)
        if data and stands is not None and len(stands.data) > len(data) + 2000:
            data += stands.data[len(data) :]
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("empty_data_is_a_record")
class CreatesNothingOfNothing(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[str] = set()

    def load(self, key: str) -> Versioned | None:
        return None if key in self.hidden else super().load(key)

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        (self.hidden.add if expect is None and data == b"" else self.hidden.discard)(key)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("absent_key_loads_none")
class HasOneRecordFromTheStart(MemoryStore):
    """Until something is written."""

    touched = False

    def load(self, key: str) -> Versioned | None:
        is_it = not self.touched and key.startswith("5f1d0c93/")
        return Versioned(b"", Version("0")) if is_it else super().load(key)

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        self.touched = True
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("commit_is_loaded_with_its_version")
class AnotherVersionWhileAlive(MemoryStore):
    def load(self, key: str) -> Versioned | None:
        found = super().load(key)
        alive = found and found.data == b"data" and self._records[key].gc_at_us > hence()
        return Versioned(found.data, Version(f"{found.version}.")) if found and alive else found


@fails("loading_changes_nothing")
class LoadingIsCommitting(MemoryStore):
    def load(self, key: str) -> Versioned | None:
        found = super().load(key)
        if found is not None and found.data == b"data":
            gc_at = datetime.fromtimestamp(self._records[key].gc_at_us / 1e6, UTC)
            self.commit(key, found.data, expect=found.version, gc_at=gc_at)
        return found


@fails("deleted_record_is_absent")
class DeletesAtTheNextCommit(Tombs):
    def load(self, key: str) -> Versioned | None:
        tomb = self.tombs.get(key)
        return tomb if tomb and tomb.data == b"data" else super().load(key)

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        self.tombs.pop(key, None)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("deleted_key_can_be_created_again")
class CreatesOnlyWhatItWas(Tombs):
    """And of what was due anything."""

    def __init__(self) -> None:
        super().__init__()
        self.due: set[str] = set()

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        tomb = self.tombs.get(key)
        if data is not None and expect is None and tomb and tomb.data != data and key not in self.due:
            return Conflict(None)
        if data is not None and gc_at < datetime.now(UTC):
            self.due.add(key)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


# --- keys ----------------------------------------------------------------------------------------


@fails("keys_that_differ_in_case_are_apart")
class IgnoresCaseOfLongKeys(Misplacing):
    def place(self, key: str) -> str:
        return key.casefold() if len(key) > 8 else key


@fails("keys_that_look_like_paths_are_apart")
class DropsTheFolderItself(Misplacing):
    def place(self, key: str) -> str:
        return key.removeprefix("./")


@fails("keys_with_separators_are_apart")
class JoinsLongKeysWithColons(Misplacing):
    def place(self, key: str) -> str:
        return key.replace("|", ":") if len(key) > 1 else key


@fails("keys_that_continue_one_another_are_apart")
class DeletesTheDouble(DeletesMore):
    def goes_with(self, key: str, other: str) -> bool:
        return len(key) < 9 and other == key * 2


@fails("keys_that_look_like_patterns_are_apart")
class DeletesByWildcard(DeletesMore):
    def goes_with(self, key: str, other: str) -> bool:
        head, star, tail = key.partition("*")
        return bool(head and star) and other.startswith(head) and other.endswith(tail)


# --- guards and versions -------------------------------------------------------------------------


class Answering(Forcing):
    """Answers a commit otherwise: see `instead`."""

    def instead(self, stands: Versioned | None, data: bytes | None, expect: Version | None) -> Answer | None:
        """Given what stands, what to answer a commit that is refused; None: as it is."""

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        return (isinstance(answer, Conflict) and self.instead(answer.current, data, expect)) or answer


@fails("create_conflicts_with_what_stands")
class RefusesACreationWithNothing(Answering):
    def instead(self, stands: Versioned | None, data: bytes | None, expect: Version | None) -> Answer | None:
        alive = any(entry.gc_at_us > hence() for entry in self._records.values())
        return Conflict(None) if stands and alive and data is not None and expect is None else None


@fails("update_of_an_absent_key_conflicts_with_none")
class AcknowledgesWhatItDidNot(Answering):
    def instead(self, stands: Versioned | None, data: bytes | None, expect: Version | None) -> Answer | None:
        return Version("done") if stands is None and data is not None and expect else None


@fails("conflict_is_enough_to_try_again")
class AnswersTheThirdAmiss(Answering):
    def instead(self, stands: Versioned | None, data: bytes | None, expect: Version | None) -> Answer | None:
        return Conflict(Versioned(stands.data, Version("?"))) if stands and data == b"third" else None


@fails("stale_update_is_answered_with_the_current_record")
class AnswersTheLateWithTheFirst(Answering):
    def instead(self, stands: Versioned | None, data: bytes | None, expect: Version | None) -> Answer | None:
        late = stands and stands.data == b"second" and data == b"late"
        return Conflict(Versioned(b"first", expect)) if late and expect else None


@fails("stale_update_changes_nothing")
class RefusesTheLateButWrites(Forcing):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if isinstance(answer, Conflict) and answer.current and answer.current.data == b"second" and data == b"late":
            self.force(key, data, gc_at)
        return answer


@fails("refused_create_changes_nothing")
class RefusesACreationButWritesIt(Forcing):
    """Until the date of what stood."""

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if isinstance(answer, Conflict) and expect is None and data is not None:
            self.force(key, data, datetime.fromtimestamp(self._records[key].gc_at_us / 1e6, UTC))
        return answer


@fails("a_repeated_commit_is_applied_once")
class AnswersARepetition(MemoryStore):
    """As it answered before, where the commit had changed something."""

    def __init__(self) -> None:
        super().__init__()
        self.last: dict[str, tuple[bytes, Version, Version]] = {}

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        stands = self.load(key)
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if not isinstance(answer, Conflict):
            if data is not None and expect and stands and stands.data != data:
                self.last[key] = (data, expect, answer)
            return answer
        known = self.last.get(key)
        return known[2] if known and known[:2] == (data, expect) else answer


@fails("equal_data_is_no_excuse_for_a_stale_version")
class TakesWhatItAlwaysHad(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.had: dict[str, set[bytes | None]] = {}

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        had = self.had.setdefault(key, set())
        if isinstance(answer, Conflict):
            return answer.current.version if answer.current and expect and had == {data} else answer
        had.add(data)
        return answer


@fails("each_commit_has_a_new_version")
class SparesWritesThatChangeNothing(MemoryStore):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        stands = self.load(key)
        same = stands and stands.data == data and self._records[key].gc_at_us == round(gc_at.timestamp() * 1e6)
        if stands and same and stands.version == expect:
            return stands.version
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("a_version_does_not_recur_after_a_deletion")
class CountsRound(Counting):
    """A version comes again after 64 others."""

    def made(self, key: str, data: bytes, version: Version) -> Version:
        head, _, number = super().made(key, data, version).rpartition("#")
        return Version(f"{head}#{int(number) % 64}")


@fails("a_version_from_before_a_deletion_is_refused")
class TakesTheVersionOfTheDead(Forcing, Tombs):
    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        tomb = self.tombs.get(key)
        if data is not None and tomb and tomb.version == expect and self.load(key):
            return self.force(key, data, gc_at)
        return super().commit(key, data, expect=expect, gc_at=gc_at)


@fails("a_version_is_a_text")
class LoadsAVersionOfItsOwnType(MemoryStore):
    """As a driver may have one."""

    def load(self, key: str) -> Versioned | None:
        found = super().load(key)
        return found and Versioned(found.data, cast("Version", LikeText(found.version)))


class LikeText:
    """Equal to a text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return self.text == (other.text if isinstance(other, LikeText) else other)

    def __hash__(self) -> int:
        return hash(self.text)


@fails("other_keys_do_not_move_a_version")
class MovesVersionsAtADeletion(Versioning):
    """Of another record that had been updated."""

    def __init__(self) -> None:
        super().__init__()
        self.updated: set[str] = set()
        self.deletions = 0

    def made(self, key: str, data: bytes, version: Version) -> Version:
        return Version(f"{version}.{self.deletions}")

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Answer:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if not isinstance(answer, Conflict) and expect:
            if data is not None:
                self.updated.add(key)
            else:
                self.deletions += key in self.updated
        return answer
