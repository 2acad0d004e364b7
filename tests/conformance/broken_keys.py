"""Stores with one planted defect each in the key under which a record is kept; above each, what it fails."""

from __future__ import annotations

import fnmatch
import posixpath
import re
import unicodedata
from datetime import datetime

from otpcore.ports import Conflict, Version, Versioned
from otpcore.stores.memory import MemoryStore
from tests.conformance.broken_stores import fails


class Misplacing(MemoryStore):
    """Keeps a record under another key."""

    def place(self, key: str) -> str:
        return key

    def load(self, key: str) -> Versioned | None:
        return super().load(self.place(key))

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        return super().commit(self.place(key), data, expect=expect, gc_at=gc_at)


@fails(
    "every_printable_character_may_stand_in_a_key",
    "keys_with_separators_are_apart",
)
class JoinsWithColons(Misplacing):
    def place(self, key: str) -> str:
        return key.replace("|", ":")


@fails(
    "every_printable_character_may_stand_in_a_key",
    "keys_that_differ_in_case_are_apart",
    "keys_that_look_like_values_are_apart",
    "scan_is_in_the_order_of_keys",
    "what_is_no_key_is_refused_or_apart",
)
class IgnoresCase(Misplacing):
    def place(self, key: str) -> str:
        return key.casefold()


@fails("long_keys_are_apart")
class CutsKeys(Misplacing):
    def place(self, key: str) -> str:
        return key[:199] if len(key) <= 200 else key


@fails("what_is_no_key_is_refused_or_apart")
class CutsWhatIsTooLong(Misplacing):
    def place(self, key: str) -> str:
        return key[:200]


@fails("what_is_no_key_is_refused_or_apart")
class EndsKeysAtNul(Misplacing):
    """As a text of the C library."""

    def place(self, key: str) -> str:
        return key.partition("\0")[0]


@fails("what_is_no_key_is_refused_or_apart")
class FoldsUnicode(Misplacing):
    """As a collation that knows which characters look alike."""

    def place(self, key: str) -> str:
        return unicodedata.normalize("NFKC", key)


@fails("what_is_no_key_is_refused_or_apart")
class AsksInsteadOfUnicode(Misplacing):
    """As a column of another character set."""

    def place(self, key: str) -> str:
        return key.encode("ascii", "replace").decode()


@fails("keys_that_look_like_values_are_apart")
class ReadsNumbers(Misplacing):
    def place(self, key: str) -> str:
        return str(int(key)) if re.fullmatch(r"[+-]?\d+", key) else key


@fails(
    "keys_that_continue_one_another_are_apart",
    "keys_that_look_like_paths_are_apart",
    "keys_with_separators_are_apart",
)
class FollowsPaths(Misplacing):
    def place(self, key: str) -> str:
        return posixpath.normpath(key)


@fails("keys_with_quotes_are_apart")
class Unquotes(Misplacing):
    def place(self, key: str) -> str:
        return key.replace("\\'", "'")


@fails("keys_with_spaces_at_the_ends_are_apart")
class TrimsKeys(Misplacing):
    def place(self, key: str) -> str:
        return key.rstrip(" ")


@fails("every_printable_character_may_stand_in_a_key")
class LosesACharacter(Misplacing):
    def place(self, key: str) -> str:
        return "-" if key == "~" else key


class DeletesMore(MemoryStore):
    """Deletes other keys with a key."""

    def goes_with(self, key: str, other: str) -> bool:
        return False

    def commit(self, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime) -> Version | Conflict:
        answer = super().commit(key, data, expect=expect, gc_at=gc_at)
        if data is None and not isinstance(answer, Conflict):
            for other in [other for other in self._records if self.goes_with(key, other)]:
                self._drop(other)
        return answer


@fails(
    "keys_that_continue_one_another_are_apart",
    "keys_that_look_like_paths_are_apart",
    "keys_that_look_like_values_are_apart",
    "keys_with_spaces_at_the_ends_are_apart",
    "long_keys_are_apart",
)
class DeletesByPrefix(DeletesMore):
    def goes_with(self, key: str, other: str) -> bool:
        return other.startswith(key)


@fails(
    "every_printable_character_may_stand_in_a_key",
    "keys_that_look_like_patterns_are_apart",
)
class DeletesByPattern(DeletesMore):
    def goes_with(self, key: str, other: str) -> bool:
        return fnmatch.fnmatchcase(other, key)
