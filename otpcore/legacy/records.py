"""`Svretries`: the resend records, as the callers of the old class know them.

Rules of this file: what is compared is equality of columns, what is changed are `count` and `expires`; nothing more of
an ORM. Instants are UTC inside, and the caller's local wall clock, naive, at the surface, as the old column gave them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, Self, TypeVar, cast, overload

from otpcore.codes import counter_id
from otpcore.errors import OtpcoreError, UsageError
from otpcore.legacy.desk import here
from otpcore.model import RecipientRecord

__all__ = ["Column", "Comparison", "Svretries", "Update", "is_id", "local_time", "text_of", "utc_time"]

T = TypeVar("T")

LARGEST_ID: Final = 2**63 - 1
LONGEST: Final = 1024
"""Characters of uniqueId and userId, each."""

PAIR: Final = frozenset({"uniqueId", "userId"})


def local_time(at: datetime) -> datetime:
    """The wall clock here at that instant: naive, and `fold` tells the second of two equal times."""
    wall = at.astimezone().replace(tzinfo=None)
    return (
        wall if utc_time(wall) == at else wall.replace(fold=1)
    )  # `astimezone` forgets which of two equal times it was


def utc_time(at: datetime) -> datetime:
    """The instant of a naive local time (of two equal ones by its `fold`), or of an aware time."""
    return at.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Columns that have to equal values; made by `==`, joined by `&`."""

    wanted: tuple[tuple[str, Any], ...]

    def __and__(self, other: Comparison) -> Comparison:
        return Comparison((*self.wanted, *other.wanted))


class Column(Generic[T]):
    """A field of the record: its value on a record, and something to compare on the class."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, record: None, owner: type) -> Self: ...
    @overload
    def __get__(self, record: Svretries, owner: type) -> T: ...
    def __get__(self, record: Svretries | None, owner: type) -> Self | T:
        return self if record is None else cast("T", vars(record)[self.name])

    def __eq__(self, value: object) -> Comparison:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return Comparison(((self.name, value),))

    __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # a comparison is no truth


class _DoesNotExist(OtpcoreError):
    """There is no such resend record."""


@dataclass(frozen=True, slots=True)
class Update:
    """A change of records, made by `execute`."""

    changes: dict[str, Any]
    which: Comparison = Comparison(())

    def where(self, *which: Comparison) -> Update:
        """The records to change: those that meet every comparison."""
        return Update(self.changes, _joined(self.which, *which))

    def execute(self) -> int:
        """Change them; how many there were.

        Raises:
            UsageError: no `where`, or a column or value that cannot be.
        """
        if not self.which.wanted:
            raise UsageError("Say which resend records to change: update(…).where(…).")
        change = _change(self.changes)
        desk, changed = here(), 0
        for found in [*_found(self.which)]:
            changed += desk.change_counter(found.id, change) is not None
        return changed


class Svretries:
    """A resend record, as it stood when it was loaded.

    Attributes:
        id: positive, below 2^63; always the same for a pair.
        uniqueId: half of the pair, usually a hash of the number.
        userId: the other half.
        count: steps of the ladder that are taken.
        expires: no send up to and including this local time; None: never counted.
        createdAt: when it was made, local time.
    """

    DoesNotExist = _DoesNotExist

    id = Column[int]()
    uniqueId = Column[str]()  # noqa: N815  # the old column's name
    userId = Column[str]()  # noqa: N815  # the old column's name
    count = Column[int]()
    expires = Column["datetime | None"]()
    createdAt = Column[datetime]()  # noqa: N815  # the old column's name

    def __init__(self, record: RecipientRecord) -> None:
        """Callers use `create`."""
        counter, ladder = record.counter, record.ladder
        if counter is None:
            raise UsageError("This is no resend record.")
        vars(self).update(
            id=counter_id(counter.unique_id, counter.user_id),
            uniqueId=counter.unique_id,
            userId=counter.user_id,
            count=ladder.count,
            expires=ladder.next_at and local_time(ladder.next_at),
            createdAt=local_time(counter.created_at),
        )

    def __repr__(self) -> str:
        return f"Svretries(id={self.id}, count={self.count}, expires={self.expires})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Svretries) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    @classmethod
    def get(cls, *which: Comparison) -> Svretries:
        """The first record that meets every comparison.

        By `id`, or by `uniqueId` and `userId` together, that is one load; by one of these two alone, or by another
        column, every record of the store is looked at.

        Raises:
            Svretries.DoesNotExist: there is none.
            UsageError: the store cannot be walked, and the comparisons ask for that.
        """
        found = cls.get_or_none(*which)
        if found is None:
            raise cls.DoesNotExist
        return found

    @classmethod
    def get_or_none(cls, *which: Comparison) -> Svretries | None:
        """As `get`; None where there is none."""
        return next(_found(_joined(*which)), None)

    @classmethod
    def create(cls, *, uniqueId: str, userId: str, count: int = 0, expires: datetime | None = None) -> Svretries:  # noqa: N803  # the old names
        """The pair's record, made with this count and expiry.

        A pair has one record: where there is one, it is given as it stands, so that nothing that was counted is lost.
        """
        given = _change({"count": count, "expires": expires})

        def change(record: RecipientRecord, now: datetime) -> RecipientRecord:
            return given(record, now) if record.mark_at is None else record

        return cls(here().open_counter(text_of(uniqueId), text_of(userId), change=change).record)

    @classmethod
    def update(cls, **changes: Any) -> Update:
        """A change of `count` and `expires`: `update(count=0).where(Svretries.id == 7).execute()`."""
        return Update(changes)

    def delete_instance(self) -> int:
        """Delete the record; 1, or 0 when there was none."""
        return int(here().delete_counter(self.id))


def _joined(*which: Comparison) -> Comparison:
    return Comparison(tuple(one for each in which for one in each.wanted))


def _found(which: Comparison) -> Iterator[Svretries]:
    meant = [(name, text_of(value) if name in PAIR else value) for name, value in which.wanted]
    wanted = dict(meant)
    if any(wanted[name] != value for name, value in meant):
        return
    identity = wanted.get("id")
    if identity is None and wanted.keys() >= PAIR:
        identity = counter_id(wanted["uniqueId"], wanted["userId"])
    records: Iterator[RecipientRecord] | list[RecipientRecord]
    if "id" in wanted or identity is not None:
        one = here().counter(int(identity)) if identity is not None and is_id(identity) else None
        records = [] if one is None else [one]
        wanted.pop("id", None)  # an id of an imported table leads to a record of another
    else:
        records = here().counters()
    for record in records:
        found = Svretries(record)
        if all(vars(found)[name] == value for name, value in wanted.items()):
            yield found


def is_id(given: object) -> bool:
    """Whether it can be the id of a record."""
    return isinstance(given, int) and not isinstance(given, bool) and 0 < given <= LARGEST_ID


def text_of(given: object) -> str:
    """Half of a pair as it is kept; a whole number as its digits, as the old column kept it.

    Raises:
        UsageError: it is neither text nor a whole number, it is too long, or no encoding takes it.
    """
    text = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    if not isinstance(text, str) or len(text) > LONGEST or any("\ud800" <= each <= "\udfff" for each in text):
        raise UsageError(f"uniqueId and userId are texts of at most {LONGEST} characters.")
    return text


def _change(changes: dict[str, Any]) -> Any:
    unknown = sorted(changes.keys() - {"count", "expires"})
    if unknown or not changes:
        said = f", not {', '.join(unknown)}" if unknown else ""
        raise UsageError(f"Only count and expires of a resend record can be changed{said}.")
    count, expires = changes.get("count"), changes.get("expires")
    if "count" in changes and (not isinstance(count, int) or isinstance(count, bool) or count < 0):
        raise UsageError("count is a whole number, 0 or more.")
    if expires is not None and not isinstance(expires, datetime):
        raise UsageError("expires is a datetime, or None.")
    given: dict[str, Any] = {name: changes[name] for name in ("count",) if name in changes}
    if "expires" in changes:
        given["next_at"] = (
            None if expires is None else utc_time(expires).replace(microsecond=expires.microsecond // 1000 * 1000)
        )

    def change(record: RecipientRecord, _now: datetime) -> RecipientRecord:
        return record.but(ladder=record.ladder.but(**given))

    return change
