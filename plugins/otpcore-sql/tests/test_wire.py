"""What PostgreSQL's errors mean: the fields as libpq parses them, given by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from psycopg import pq

from otpcore.errors import CommitUnknown, StoreError, StoreFull, StoreUnavailable
from otpcore_sql import wire
from otpcore_sql.dialect import Clash
from otpcore_sql.wire import statement

ASKED = statement("UPDATE", ())

answer: Any = getattr(wire, "_answer")  # noqa: B009  # what a server says by itself cannot be brought about


@dataclass(frozen=True)
class Refused:
    """A result of libpq that is an error."""

    severity: str
    code: str
    status = pq.ExecStatus.FATAL_ERROR

    def error_field(self, field: Any) -> bytes | None:
        """As a server in German says it: the word that is not translated is beside the translated one."""
        said = {
            pq.DiagnosticField.SEVERITY: "PANIK" if self.severity == "PANIC" else "FEHLER",
            pq.DiagnosticField.SEVERITY_NONLOCALIZED: self.severity,
            pq.DiagnosticField.SQLSTATE: self.code,
        }.get(field)
        return said.encode() if said is not None else None


class Connected:
    """A connection that libpq does not yet know to be lost."""

    status = pq.ConnStatus.OK


MEANINGS = [
    ("ERROR", "53100", StoreFull),
    ("ERROR", "58030", StoreUnavailable),
    ("ERROR", "25006", StoreUnavailable),
    ("ERROR", "40001", Clash),
    ("ERROR", "57P01", CommitUnknown),
    ("FATAL", "57P01", CommitUnknown),
    ("FATAL", "25P03", CommitUnknown),
    ("PANIC", "53100", CommitUnknown),
    ("PANIC", "58030", CommitUnknown),
    ("PANIC", "40001", CommitUnknown),
]

CONFUSED: dict[str, Any] = {
    "SERIALIZATION": frozenset[str](),
    "FULL": frozenset[str](),
    "GONE": "none",
    "ENDED": frozenset({b"FEHLER", b"PANIK"}),
}
"""What `wire` would confuse: a rule of it, and what is in its place. The last one reads the translated word."""


@pytest.mark.parametrize(("severity", "code", "meaning"), MEANINGS)
def test_a_server_or_a_session_that_ends_with_the_error_leaves_the_commit_unknown(
    severity: str, code: str, meaning: type[StoreError]
) -> None:
    """A disk that is full while COMMIT writes its log is a PANIC: recovery may find the commit, and apply it."""
    with pytest.raises(StoreError) as refused:
        answer(Connected(), ASKED, [Refused(severity, code)])
    assert type(refused.value) is meaning


@pytest.mark.parametrize("rule", CONFUSED)
def test_each_rule_of_it_is_needed(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """T1: without one, some error is told as another."""
    monkeypatch.setattr(wire, rule, CONFUSED[rule])
    red = 0
    for meant in MEANINGS:
        try:
            test_a_server_or_a_session_that_ends_with_the_error_leaves_the_commit_unknown(*meant)
        except AssertionError:
            red += 1
    assert red
