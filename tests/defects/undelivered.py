"""Defects planted in failover after an undelivered message: how often, what it costs, what is written and kept.

Rules of this file: D with a number; a body is a test of it, with all its parameters.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

from otpcore import ledger, policy, seal
from otpcore.flows import keeping, moving, receiving, redelivering
from otpcore.ledger import sessions
from otpcore.model import RecipientRecord, Send
from tests.defects.planting import Defect, Planter, reworded
from tests.flows import test_redelivering as bodies
from tests.unit import test_seal as seals

__all__ = ["DEFECTS"]

APPLY: Final = vars(receiving)["_apply"]
AGAINST: Final = vars(redelivering)["_against"]


def uncommitted(plant: Planter) -> None:
    """What is decided is done at once, and written with the settlement."""

    def planted(_setup: Any, decide: Any, _entropy: Any, *, known: Any) -> Generator[Any, Any, Any]:
        _, outcome = decide(known.record, known.now, known.key)
        yield from ()
        return outcome, known

    plant.put("otpcore.flows.redelivering.transact", planted)


def a_step(plant: Planter) -> None:
    follow = ledger.follow

    def planted(record: RecipientRecord, failed: Send, session: Any, **more: Any) -> RecipientRecord:
        followed = follow(record, failed, session, **more)
        return followed.but(ladder=policy.climb(followed.ladder, policy.DEFAULT, now=more["now"]))

    plant.swap(follow, planted)


def always_news(plant: Planter) -> None:
    """Whatever a vendor tells of a bad end is followed."""
    plant.reword(APPLY, "if fate is not Fate.APPLIED or happened", "if happened")
    plant.reword(AGAINST, "if newest != send.id:", "if False:")


def replays(plant: Planter) -> None:
    """A replay is followed as the first telling was."""
    meant = "session, send = _meant(record, provider, told); return record, Heard(Fate.APPLIED, session, send)"
    plant.reword(APPLY, "return record, Heard(Fate.REPLAYED)", meant)
    plant.reword(AGAINST, "if newest != send.id:", "if False:")


DEFECTS: Final = (
    Defect("D1", "a second failover for one send", always_news, bodies.told_twice),
    Defect("D2", "the next provider is called before it is written", uncommitted, bodies.written_before),
    Defect(
        "D3",
        "the daily cap is not asked",
        reworded((vars(redelivering)["_first"], "if has_room(", "if True or has_room(")),
        bodies.capped,
    ),
    Defect(
        "D4",
        "the message takes no place under the cap",
        reworded((policy.has_room, "not send.refunded and", "not send.refunded and send.epoch >= 0 and")),
        bodies.capped,
    ),
    Defect("D5", "it takes a step of the ladder", a_step, bodies.one_place_and_no_step),
    Defect("D6", "a replay fails over", replays, bodies.replays_send_nothing),
    Defect(
        "D7",
        "the sealed number is kept after the end",
        reworded((sessions.end, "ended_by=by,", "ended_by=by, sealed=session.sealed,")),
        bodies.nothing_kept,
    ),
    Defect(
        "D8",
        "a recipient that another session sealed is sent to",
        reworded((vars(keeping)["_bound"], ", session.id", "")),
        bodies.anothers_seal,
    ),
    Defect(
        "D9",
        "a recipient that another record's session sealed is sent to",
        reworded(
            (vars(keeping)["_bound"], "setup.tenant_id, key, session.id", "setup.tenant_id, session.id"),
            (keeping.kept_of, "if key in places(setup, recipient) else None", ""),
        ),
        bodies.anothers_record,
    ),
    Defect(
        "D10",
        "a changed seal opens",
        reworded((seal.open_sealed, "not hmac.compare_digest(_tag(keys, bound, nonce, hidden), given) or ", "")),
        seals.changed_anywhere,
        UnicodeDecodeError,
    ),
    Defect(
        "D11",
        "what a person resent meanwhile is overtaken",
        reworded((AGAINST, "if newest != send.id:", "if False:")),
        bodies.resent_meanwhile,
    ),
    Defect(
        "D12",
        "guards are not heard",
        reworded((redelivering.redeliver, "if setup.plugged and ", "if False and ")),
        bodies.unguarded,
    ),
    Defect(
        "D13",
        "who lost the race for the news follows too",
        always_news,
        bodies.rivals,
    ),
    Defect(
        "D14",
        "a provider that failed is asked again",
        reworded((moving.left_of, " and leg.provider not in failed", "")),
        bodies.test_a_provider_that_failed_in_whatever_way_is_not_asked_again,
    ),
)
