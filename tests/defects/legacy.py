"""Defects planted against the legacy facade: its ladder, its records, and what its errors say.

Rules of this file: L is a defect of the facade; a body is a property of the old class's faults, the required ladder, or
a hundred histories beside the reference, always the same ones.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from otpcore.codes import counter_id
from otpcore.contract import Conflict, Version
from otpcore.flows import counting
from otpcore.ledger import clock, count_send, waits_until
from otpcore.legacy import OTP_Model, SMSObject, model, records
from otpcore.policy import climb
from otpcore.stores.memory import MemoryStore
from tests.defects.planting import Defect, Planter, reworded
from tests.legacy import test_nine_properties as nine
from tests.legacy.test_differential import required_ladder, some_histories
from tests.legacy.variant import TEST_NUMBER
from tests.legacy.world import House

__all__ = ["DEFECTS"]

logging.getLogger("otpcore.legacy").addHandler(logging.NullHandler())  # each refusal is a line, and there are many

METHODS: Final = vars(OTP_Model)
RUNNING: Final = "if running is not None and "
WRONG: Final = "isinstance(result, Wrong) and self._is_strict(desk)"


def over_the_facade(body: Callable[[nine.Make], None]) -> Callable[[], None]:
    """A property as the body of a defect."""

    def judged() -> None:
        body(House)

    judged.__name__ = body.__name__
    return judged


def ids_are_drawn(plant: Planter) -> None:
    drawn = itertools.count(1)

    def planted(_unique_id: str, _user_id: str) -> int:
        return next(drawn)

    plant.swap(counter_id, planted)


def the_first_of_two(at: datetime) -> datetime:
    return at.astimezone().replace(tzinfo=None, fold=0)


def always(*_given: object) -> bool:
    return True


def store_has_no_guard(plant: Planter) -> None:
    commit = MemoryStore.commit

    def planted(
        self: MemoryStore, key: str, data: bytes | None, *, expect: Version | None, gc_at: datetime
    ) -> Version | Conflict:
        answer = commit(self, key, data, expect=expect, gc_at=gc_at)
        while isinstance(answer, Conflict):
            stands = answer.current
            answer = commit(self, key, data, expect=stands.version if stands else None, gc_at=gc_at)
        return answer

    plant.attribute(MemoryStore, "commit", planted)


def one_number_needs_no_code(plant: Planter) -> None:
    check = OTP_Model.verification_check

    def planted(self: Any, code: str) -> Any:
        if (self.phone_number, code) == (TEST_NUMBER, "123456"):
            return SMSObject("", TEST_NUMBER, "approved")
        return check(self, code)

    plant.attribute(OTP_Model, "verification_check", planted)


DEFECTS: Final = (
    Defect(
        "L1",
        "no cycle starts again",
        reworded((climb, "count = 1 if starts_again else ladder.count + 1", "count = min(4, ladder.count + 1)")),
        required_ladder,
    ),
    Defect(
        "L2",
        "the send after a cycle has no wait",
        reworded(
            (climb, "now + profile.ladder[count - 1]", "None if starts_again else now + profile.ladder[count - 1]")
        ),
        some_histories,
    ),
    Defect(
        "L3",
        "a further send shortens the wait that runs",
        reworded((count_send, "climbed.next_at < running", "False")),
        some_histories,
    ),
    Defect(
        "L4",
        "a cycle starts again while its last wait runs",
        reworded((count_send, f"{RUNNING}ladder.count", "if False and ladder.count")),
        some_histories,
    ),
    Defect(
        "L5",
        "a send whose commit was in doubt counts twice",
        reworded((count_send, "if record.send(send) is not None", "if False")),
        some_histories,
    ),
    Defect(
        "L6",
        "a wait is over at its last instant",
        reworded((waits_until, "now <= next_at", "now < next_at")),
        required_ladder,
    ),
    Defect(
        "L7",
        "anybody deletes any record",
        lambda p: p.attribute(OTP_Model, "_owns", always),
        over_the_facade(nine.a_record_is_deleted_by_its_owner),
    ),
    Defect(
        "L8",
        "a record is another's in another spelling",
        reworded((METHODS["_pseudonym"], "desk.pseudonyms(self._number())[-1]", "str(self.phone_number)")),
        over_the_facade(nine.a_record_is_deleted_by_its_owner),
    ),
    Defect(
        "L9",
        "deleting twice is forbidden",
        reworded((METHODS["delete_count"], "identity in self._deleted", "False")),
        over_the_facade(nine.a_missing_record_does_not_undo_an_approval),
    ),
    Defect(
        "L10",
        "nobody's number has a ladder",
        reworded((METHODS["_engine"], "if self._is_strict(desk) else desk", "if desk else desk")),
        over_the_facade(nine.one_phone_has_one_budget),
    ),
    Defect(
        "L11",
        "the strict have a ladder",
        reworded((METHODS["_engine"], "desk.strict if self._is_strict(desk) else desk", "desk")),
        some_histories,
    ),
    Defect(
        "L12",
        "a wrong code is no error",
        reworded((METHODS["verification_check"], WRONG, "isinstance(result, Wrong)")),
        over_the_facade(nine.errors_keep_their_meaning),
    ),
    Defect(
        "L13",
        "a wrong code is an error for the strict",
        reworded((METHODS["verification_check"], WRONG, "False")),
        some_histories,
    ),
    Defect(
        "L14",
        "a send whose answer was lost is sent",
        reworded((METHODS["verification"], "and result.state is not SendState.UNKNOWN", "")),
        over_the_facade(nine.errors_keep_their_meaning),
    ),
    Defect(
        "L15",
        "seconds to wait are rounded down",
        reworded((METHODS["_too_many"], "math.ceil(seconds)", "math.floor(seconds)")),
        required_ladder,
    ),
    Defect("L16", "a pair has many records", ids_are_drawn, over_the_facade(nine.one_pair_has_one_record)),
    Defect("L17", "check, then act", store_has_no_guard, over_the_facade(nine.check_and_add_are_one_decision)),
    Defect("L18", "read, then write", store_has_no_guard, over_the_facade(nine.every_send_is_counted)),
    Defect(
        "L19",
        "of two equal local times the first is told",
        lambda p: p.swap(records.local_time, the_first_of_two),
        over_the_facade(nine.a_wait_is_as_long_as_it_says),
    ),
    Defect(
        "L20",
        "a local time is taken for UTC",
        reworded((records.utc_time, "at.astimezone(UTC)", "at.replace(tzinfo=UTC)")),
        some_histories,
    ),
    Defect(
        "L21",
        "an id may be negative",
        reworded((counter_id, "int.from_bytes(raw[:8]) >> 1 or 1", "int.from_bytes(raw[:8], signed=True)")),
        some_histories,
    ),
    Defect(
        "L22",
        "who was approved once is never kept waiting",
        reworded(
            (METHODS["verification"], "self._approved = False", "pass"),
            (METHODS["add_count"], "self._approved = False", "pass"),
        ),
        over_the_facade(nine.an_approval_frees_no_later_wait),
    ),
    Defect(
        "L23",
        "who was approved is kept waiting",
        reworded((METHODS["check_count"], "None if freed else ", "")),
        some_histories,
    ),
    Defect(
        "L24",
        "a limit that refuses is a failure",
        reworded((METHODS["verification"], "if isinstance(result, Wait)", "if False")),
        over_the_facade(nine.one_phone_has_one_budget),
    ),
    Defect(
        "L25",
        "a lock is a failure",
        reworded((METHODS["verification"], "result.kind in LIMITS", "False")),
        over_the_facade(nine.a_lock_is_a_limit),
    ),
    Defect(
        "L26",
        "a check of which nobody knows is forbidden",
        lambda p: p.swap(vars(model)["_forbids"], always),
        over_the_facade(nine.errors_keep_their_meaning),
    ),
    Defect(
        "L27",
        "an error without its reason",
        reworded((METHODS["verification_check"], ") from reason", ") from None")),
        over_the_facade(nine.errors_keep_their_meaning),
    ),
    Defect(
        "L28",
        "a number in the log",
        reworded((METHODS["_log"], "mask(str(self.phone_number))", "str(self.phone_number)")),
        over_the_facade(nine.errors_keep_their_meaning),
    ),
    Defect(
        "L29",
        "a clock that was set back makes a wait longer",
        reworded((vars(clock)["_shifted"], "next_at and next_at - back", "next_at")),
        over_the_facade(nine.a_clock_that_is_set_back_makes_no_wait_longer),
    ),
    Defect(
        "L30",
        "a deletion in doubt was not made",
        reworded((counting.delete_counter, "return doubted", "return False")),
        some_histories,
    ),
    Defect("L31", "one number needs no code", one_number_needs_no_code, over_the_facade(nine.no_number_needs_no_code)),
    Defect(
        "L32",
        "a refused record is loaded, and so owned",
        reworded(
            (
                METHODS["check_count"],
                "if until is None:",
                "self._loaded.add(records.Svretries(seen.record).id)\n    if until is None:",
            )
        ),
        over_the_facade(nine.a_record_is_deleted_by_its_owner),
    ),
)
