"""What every plugin makes of its vendor's refusals, row by row.

Rules of this file: the plugins' own tables, each row as the failure of a send that meets it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from otpcore.contract import Failure, SendEffect
from otpcore_aws import error_table as aws
from otpcore_http.presets import PRESETS, preset
from otpcore_smpp.statuses import STATUSES, refusal
from otpcore_smtp.replies import Reply, Stage, refused
from otpcore_twilio import error_table as verify
from otpcore_twilio.messaging import errors as messaging
from otpcore_vonage import error_table as vonage

__all__ = ["ROWS"]

NOT_SENT: Final = SendEffect.NOT_SENT

REPLIES: Final = (
    *("421", "421 4.3.2", "450", "450 4.2.1", "451", "451 4.7.1", "452", "452 4.2.2", "452 4.3.1", "452 4.5.3"),
    *("530", "530 5.7.0", "550", "550 5.1.1", "550 5.1.2", "550 5.1.7", "550 5.1.8", "550 5.1.10", "550 5.2.1"),
    *("550 5.4.1", "550 5.4.4", "550 5.7.1", "550 5.7.8", "550 5.7.17", "550 5.7.23", "550 5.7.26", "551", "552"),
    *("552 5.2.2", "552 5.2.3", "552 5.3.4", "553", "554", "554 5.7.0", "554 5.7.1", "556", "556 5.1.10", "571"),
)
"""Answers to RCPT: those of RFC 5321, section 4.2.3, with the enhanced codes that servers give them."""

LATE: Final = ("550 5.1.1", "550 5.2.1", "552 5.2.2", "552 5.2.3", "550 5.7.1", "554", "554 5.6.0", "451", "452 4.3.1")
"""Answers to the message itself."""


def _reply(stage: Stage, said: str) -> Failure:
    return refused(stage, Reply(int(said[:3]), said[4:]))


def _rows() -> Iterator[tuple[str, str, Failure]]:
    for table, rows in (
        ("twilio", verify.ERRORS),
        ("twilio", verify.BY_STATUS),
        ("messaging", messaging.MESSAGE_ERRORS),
    ):
        yield from ((table, str(code), Failure(row.kind, row.effect, scope=row.scope)) for code, row in rows.items())
    for number, refusal_of in vonage.SENDS.items():
        yield "vonage", str(number), Failure(refusal_of.kind, NOT_SENT, scope=refusal_of.scope)
    for word, refusal_of in vonage.PROBLEMS.items():
        yield "vonage", word, Failure(refusal_of.kind, NOT_SENT, scope=refusal_of.scope)
    for name, row in aws.ERRORS.items():
        yield "aws", name, Failure(row.kind, NOT_SENT, scope=row.scope)
    for (_, reason), row in aws.REASONS.items():
        yield "aws", reason, Failure(row.kind, NOT_SENT, scope=row.scope)
    for number, row in aws.BY_STATUS.items():
        yield "aws", str(number), Failure(row.kind, NOT_SENT, scope=row.scope)
    for status, (name, _) in STATUSES.items():
        yield "smpp", name, refusal(status, {})
    for said in REPLIES:
        yield "smtp", f"RCPT-{said}".replace(" ", "-"), _reply(Stage.RECIPIENT, said)
    for said in LATE:
        yield "smtp", f"END-{said}".replace(" ", "-"), _reply(Stage.END, said)
    for name in PRESETS:
        for rule in preset(name).errors:
            yield (
                name,
                str(rule.code or rule.status).replace(" ", "-"),
                Failure(rule.kind, rule.effect or NOT_SENT, scope=rule.scope),
            )


ROWS: Final = tuple(_rows())
"""Plugin, the vendor's own code or answer, and the failure."""
