"""Requirements on single records: what is written is what is read, under its own key and no other.

Rules of this file: one store, one caller; races, versions and collection have files of their own.
"""

from __future__ import annotations

import itertools
from typing import TypeVar

from otpcore.conformance.store.flow import AnyStore, Flow, delete, load, put
from otpcore.conformance.store.requirement import Checks, Claim, check
from otpcore.errors import StoreError
from otpcore.ports import Conflict, Version, Versioned

__all__ = ["KEY", "RecordChecks"]

KEY = "5f1d0c93/r/8a3b6c2e41d7"
"""Of the shape that the core uses: tenant, kind of record, pseudonym."""

T = TypeVar("T")

HUNDRED_KB = 100_000

SEPARATED = ("a:b", "a/b", "a|b", "a%b", "a.b", "a b", "a_b", "a-b", "a,b", "a;b", "ab", "a\\b", "a::b", "a//b")
LOOK_ALIKES = ("1", "01", "1.0", "1e0", "+1", "true", "True", "null", "None", "nan", "{}", "[]", "''", '""', "0", "-0")
PATTERNS = ("a*c", "a?c", "a%c", "a_c", "[a]bc", "{a}bc", "{abc}", "abc", "aXc", "a.c", "^abc", "abc$", "a~c")
PATHS = ("..", "../a", "a/..", "a/../a", "./a", "a", "/a", "a/", "~/a", "C:\\a", "a/.", "NUL", "a\\..\\a")
QUOTED = ("a'b", 'a"b', "a`b", "a'; --", 'a"; --', "a\\'b", "$a", "${a}", "%(a)s", "%s", "?", ":a", "@a", "<a>", "&a;")
BYSTANDERS = ("ab", "a", "b", "a b", "a?b", "aeb", "a-b", "A", "k" * 200)
BEYOND = (
    *("a\0b", "a\0", "\0a", "a\nb", "a\r\nb", "a\tb", "a\x7fb", "ab\n"),
    *(
        "a\u00e9b",
        "ae\u0301b",
        "a\u00a0b",
        "a\u200bb",
        "\uff41b",
        "\uff21",
        "a\u2010b",
        "\u0430",
        "\U0001f511",
        "\ufeffab",
    ),
    *("a\ud800b", "k" * 201, "k" * 10_000),
)
"""Longer than a key is, or with characters that no key has, and near to a key that is one."""
SPACED = ("a", "a ", " a", "  a", "a  ")


def _holds(store: AnyStore, data: bytes, version: Version) -> Flow[None]:
    """The key holds exactly this."""
    found = yield from load(store, KEY)
    # judged outside the assertion: with CI set, pytest would draw the difference of 100 kB for many minutes
    survived = found == Versioned(data, version)
    assert survived, f"{len(data)} bytes came back as {len(found.data) if found else 'none'}, or of another version"


def _round_trip(store: AnyStore, data: bytes) -> Flow[None]:
    yield from _holds(store, data, (yield from put(store, KEY, data)))


def _apart(store: AnyStore, keys: tuple[str, ...]) -> Flow[None]:
    """Each key holds what was written to it, after all were written and after every second one was deleted."""
    written: dict[str, Versioned] = {}
    for number, key in enumerate(keys):
        data = f"{number}:{key}".encode()
        written[key] = Versioned(data, (yield from put(store, key, data)))
    for key, record in written.items():
        assert (yield from load(store, key)) == record, f"{key!r} holds another key's record"
    for key in keys[::2]:
        answer = yield from delete(store, key, written[key].version)
        assert not isinstance(answer, Conflict)
    for number, key in enumerate(keys):
        expected = written[key] if number % 2 else None
        assert (yield from load(store, key)) == expected, f"a deletion of another key reached {key!r}"


class RecordChecks(Checks):
    """Reading, writing, deleting, keys."""

    @check()
    def test_absent_key_loads_none(self, store: AnyStore) -> Flow[None]:
        """A key that was never written loads None."""
        assert (yield from load(store, KEY)) is None

    @check()
    def test_commit_is_loaded_with_its_version(self, store: AnyStore) -> Flow[None]:
        """A commit's record is loaded with the version that the commit returned."""
        version = yield from put(store, KEY, b"data")
        loaded = yield from load(store, KEY)
        assert loaded is not None
        assert loaded.version == version

    @check()
    def test_update_replaces_the_data(self, store: AnyStore) -> Flow[None]:
        """A commit that expects the standing version replaces the whole record."""
        first = yield from put(store, KEY, b"first, and longer")
        second = yield from put(store, KEY, b"second", first)
        assert (yield from load(store, KEY)) == Versioned(b"second", second)

    @check()
    def test_record_grows_and_shrinks(self, store: AnyStore) -> Flow[None]:
        """A record may grow and shrink by any amount, and nothing of an earlier state remains."""
        version = None
        for size in (10, 3000, 1, 4000, 0, 500):
            data = bytes([size % 256]) * size
            version = yield from put(store, KEY, data, version)
            yield from _holds(store, data, version)

    @check()
    def test_loading_changes_nothing(self, store: AnyStore) -> Flow[None]:
        """Loading twice gives the same record with the same version."""
        yield from put(store, KEY, b"data")
        first = yield from load(store, KEY)
        assert first is not None
        assert (yield from load(store, KEY)) == first

    @check()
    def test_data_is_exactly_bytes(self, store: AnyStore) -> Flow[None]:
        """Data is loaded as `bytes`, not as text, a view or an array that somebody could change."""
        yield from put(store, KEY, b"12")
        loaded = yield from load(store, KEY)
        assert loaded is not None
        assert type(loaded.data) is bytes

    @check()
    def test_empty_data_is_a_record(self, store: AnyStore) -> Flow[None]:
        """A record of no bytes is a record, not an absent key."""
        yield from _round_trip(store, b"")

    @check()
    def test_every_byte_value_survives(self, store: AnyStore) -> Flow[None]:
        """Every byte value from 0 to 255 is kept."""
        yield from _round_trip(store, bytes(range(256)))

    @check()
    def test_line_ends_and_nul_survive(self, store: AnyStore) -> Flow[None]:
        """CR, LF, NUL, tabs and white space are kept, also at the start and the end."""
        yield from _round_trip(store, b"\n\r\n \x00a\nb\r\x00\n\t \x1a \n")

    @check()
    def test_bytes_that_are_no_text_survive(self, store: AnyStore) -> Flow[None]:
        """Bytes that are not valid UTF-8 are kept."""
        yield from _round_trip(store, b"\xff\xfe\xc3\x28\xed\xa0\x80\xf8")

    @check()
    def test_json_is_kept_byte_for_byte(self, store: AnyStore) -> Flow[None]:
        """JSON is kept as it was written: spacing, order of members, escapes, numbers, repeated members."""
        yield from _round_trip(store, b'{ "b":1.0, "a" : 1e2 ,"a":"\\u00e9\xc3\xa9\\/", "n":12345678901234567890 }\n')

    @check()
    def test_data_that_looks_like_a_value_stays_bytes(self, store: AnyStore) -> Flow[None]:
        """Data that looks like a number, a boolean or null is kept as the bytes that it is."""
        version = None
        for data in (b"123", b"007", b"1.50", b"true", b"null", b"None", b'"', b"'", b"\\", b"%s", b"=?"):
            version = yield from put(store, KEY, data, version)
            yield from _holds(store, data, version)

    @check()
    def test_large_record_survives(self, store: AnyStore) -> Flow[None]:
        """A record of 100 kB, or of the store's own limit where that is lower, is kept."""
        size = min(HUNDRED_KB, self.capabilities.max_bytes or HUNDRED_KB)
        yield from _round_trip(store, bytes(itertools.islice(itertools.cycle(range(251)), size)))

    @check()
    def test_sizes_around_round_numbers_survive(self, store: AnyStore) -> Flow[None]:
        """Records of 1, 127 to 129, 255 to 257 and 4,095 to 4,097 bytes are kept, one after the other."""
        version = None
        for size in (1, 127, 128, 129, 255, 256, 257, 4095, 4096, 4097):
            data = b"x" * size
            version = yield from put(store, KEY, data, version)
            yield from _holds(store, data, version)

    @check(Claim.MAX_BYTES)
    def test_a_record_of_max_bytes_is_taken(self, store: AnyStore) -> Flow[None]:
        """A record of exactly `max_bytes` is taken and kept."""
        yield from _round_trip(store, b"x" * (self.capabilities.max_bytes or 0))

    @check(Claim.MAX_BYTES)
    def test_too_large_a_record_is_refused(self, store: AnyStore) -> Flow[None]:
        """A record above `max_bytes` raises a StoreError and changes nothing."""
        version = yield from put(store, KEY, b"stands")
        refused = False
        try:
            yield from put(store, KEY, b"x" * ((self.capabilities.max_bytes or 0) + 1), version)
        except StoreError:
            refused = True
        assert refused, "more than max_bytes was taken"
        assert (yield from load(store, KEY)) == Versioned(b"stands", version)

    @check()
    def test_deleted_record_is_absent(self, store: AnyStore) -> Flow[None]:
        """A commit of None with the standing version deletes."""
        version = yield from put(store, KEY, b"data")
        assert not isinstance((yield from delete(store, KEY, version)), Conflict)
        assert (yield from load(store, KEY)) is None

    @check()
    def test_deleting_what_is_absent_succeeds(self, store: AnyStore) -> Flow[None]:
        """A commit of None that expects an absent key succeeds on one, and the key stays absent."""
        assert not isinstance((yield from delete(store, KEY, None)), Conflict)
        assert (yield from load(store, KEY)) is None

    @check()
    def test_deleted_key_can_be_created_again(self, store: AnyStore) -> Flow[None]:
        """A deleted key is absent for the next commit, which creates it."""
        yield from delete(store, KEY, (yield from put(store, KEY, b"first")))
        version = yield from put(store, KEY, b"second")
        assert (yield from load(store, KEY)) == Versioned(b"second", version)

    @check()
    def test_keys_with_separators_are_apart(self, store: AnyStore) -> Flow[None]:
        """Keys that differ only in a separator hold records of their own."""
        yield from _apart(store, SEPARATED)

    @check()
    def test_keys_that_differ_in_case_are_apart(self, store: AnyStore) -> Flow[None]:
        """Keys that differ only in the case of a letter hold records of their own."""
        yield from _apart(store, ("tenant/r/ab", "tenant/r/aB", "tenant/R/ab", "Tenant/r/ab", "TENANT/R/AB"))

    @check()
    def test_keys_that_continue_one_another_are_apart(self, store: AnyStore) -> Flow[None]:
        """A key that begins with another key holds a record of its own."""
        yield from _apart(store, ("a", "aa", "aaa", "a/a", "a/a/a", "a/", "a:", "a0"))

    @check()
    def test_long_keys_are_apart(self, store: AnyStore) -> Flow[None]:
        """Keys of the full 200 characters that differ only in the last, and their beginnings, are apart."""
        yield from _apart(store, ("k" * 199 + "1", "k" * 199 + "2", "k" * 199, "k" * 128, "k" * 64, "1" + "k" * 199))

    @check()
    def test_keys_that_look_like_values_are_apart(self, store: AnyStore) -> Flow[None]:
        """Keys that a store might take for the same number, boolean or null are apart."""
        yield from _apart(store, LOOK_ALIKES)

    @check()
    def test_keys_that_look_like_patterns_are_apart(self, store: AnyStore) -> Flow[None]:
        """Keys with wildcards, character classes and hash tags mean themselves alone."""
        yield from _apart(store, PATTERNS)

    @check()
    def test_keys_that_look_like_paths_are_apart(self, store: AnyStore) -> Flow[None]:
        """Keys that look like paths lead nowhere, and are apart."""
        yield from _apart(store, PATHS)

    @check()
    def test_keys_with_quotes_are_apart(self, store: AnyStore) -> Flow[None]:
        """Keys with quotes, placeholders and comment signs of query languages mean themselves alone."""
        yield from _apart(store, QUOTED)

    @check()
    def test_keys_with_spaces_at_the_ends_are_apart(self, store: AnyStore) -> Flow[None]:
        """Spaces at the start and the end of a key count."""
        yield from _apart(store, SPACED)

    @check()
    def test_every_printable_character_may_stand_in_a_key(self, store: AnyStore) -> Flow[None]:
        """Each of the 95 printable ASCII characters is a key, and no two are the same."""
        yield from _apart(store, tuple(chr(code) for code in range(0x20, 0x7F)))

    @check()
    def test_what_is_no_key_is_refused_or_apart(self, store: AnyStore) -> Flow[None]:
        """NUL, other control characters, Unicode and more than 200 characters: an error, or a record of its own.

        The core makes no such key; a store that cut or folded one would serve it another key's record. The error is a
        StoreError or a ValueError.
        """
        written: dict[str, Versioned] = {}
        for key in BYSTANDERS:
            written[key] = Versioned(key.encode(), (yield from put(store, key, key.encode())))
        for key in BEYOND:
            assert (yield from _of_no_key(load(store, key))) is None, f"{key[:9]!a} holds another key's record"
            data = ascii(key).encode()
            version = yield from _of_no_key(put(store, key, data))
            if version is not None:
                written[key] = Versioned(data, version)
        for key, record in written.items():
            assert (yield from load(store, key)) == record, f"{key[:9]!a} holds another key's record"


def _of_no_key(step: Flow[T | None]) -> Flow[T | None]:
    """What a step answers; None where it is refused."""
    try:
        return (yield from step)
    except (StoreError, ValueError):
        return None
