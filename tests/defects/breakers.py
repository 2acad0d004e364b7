"""Defects planted against breakers and bounds: who is spared, who tries a provider out, and who waits for whom.

Rules of this file: S13 is the requirement's row, B is what follows from it; a body is a test of it.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Final

from otpcore.contract import CodeOwner, FailureKind, FailureScope
from otpcore.engine import aio_bounding, awaiting, bounding, breaking, driving, workers
from otpcore.stores.memory import MemoryStore
from otpcore_vonage.translate import held_elsewhere
from tests.defects.planting import Defect, Planter, reworded
from tests.engine import test_bounds_by_loop as loop_tests
from tests.engine import test_breaking as breaker_tests
from tests.engine import test_hanging as hanging_tests
from tests.engine import test_legs as leg_tests
from tests.engine import test_spared as spared_tests
from tests.engine import test_workers as worker_tests
from tests.engine.hanging import checks_amid_hung_sends
from tests.providers import test_one_recipient as recipient_tests

__all__ = ["DEFECTS"]

Breaker: Final[type] = vars(breaking)["_Breaker"]
ORDER: Final = vars(breaking.Breakers)["order"]


def unbounded(plant: Planter) -> None:
    @contextmanager
    def enter(_bounds: bounding.Bounds, _provider: str, _lane: bounding.Lane, timeout_s: float) -> Generator[float]:
        yield timeout_s

    plant.attribute(bounding.Bounds, "enter", enter)


def shared_places(plant: Planter) -> None:
    """Every provider's calls are counted as those of the first."""
    enter, enter_awaited = vars(bounding.Bounds)["enter"], vars(aio_bounding.AsyncBounds)["enter"]

    def blocking(bounds: Any, _provider: str, *given: Any) -> Any:
        return enter(bounds, vars(bounds)["_providers"][0], *given)

    def awaited(bounds: Any, _provider: str, *given: Any) -> Any:
        return enter_awaited(bounds, vars(bounds)["_providers"][0], *given)

    plant.attribute(bounding.Bounds, "enter", blocking)
    plant.attribute(aio_bounding.AsyncBounds, "enter", awaited)


def unlocked(plant: Planter) -> None:
    """Whoever has seen that nobody tries it out lets others see the same before saying so."""
    reset, may_probe, pause = vars(breaking.Breakers)["reset"], vars(Breaker)["may_probe"], threading.Event()

    def planted(breakers: breaking.Breakers) -> None:
        reset(breakers)
        vars(breakers)["_lock"] = nullcontext()

    def slowly(each: Any, now: float) -> bool:
        seen: bool = may_probe(each, now)
        pause.wait(0.01)
        return seen

    plant.attribute(breaking.Breakers, "reset", planted)
    plant.attribute(Breaker, "may_probe", slowly)


def whoever_asks_often(plant: Planter) -> None:
    def planted(kind: FailureKind, _scope: FailureScope) -> breaking.Rule | None:
        return breaking.RULES.get(kind)

    plant.swap(breaking.rule_of, planted)


def ruled(plant: Planter, kind: FailureKind, **change: Any) -> None:
    """The table says something else of this kind."""
    plant.put("otpcore.engine.breaking.RULES", {**breaking.RULES, kind: replace(breaking.RULES[kind], **change)})


# --- bodies ----------------------------------------------------------------------------------------


def checks_pass_sends_of(colour: str) -> None:
    checks_amid_hung_sends(colour, CodeOwner.PROVIDER, MemoryStore(), checks=10)


def checks_pass_sends_that_hang() -> None:
    checks_pass_sends_of("blocking")


def checks_pass_sends_that_hang_awaited() -> None:
    checks_pass_sends_of("awaiting")


def checks_pass_sends_that_hang_on_workers() -> None:
    checks_pass_sends_of("awaiting a blocking provider")


def each_provider_has_places_of_its_own() -> None:
    for colour in spared_tests.COLOURS:
        hanging_tests.test_a_provider_that_hangs_slows_no_other(colour)


def refused_starts_give_probes_back() -> None:
    for colour in spared_tests.COLOURS:
        spared_tests.test_a_start_that_sends_nothing_gives_its_probe_back(colour)


def bursts_teach_nothing() -> None:
    for colour in spared_tests.COLOURS:
        spared_tests.test_what_found_no_place_is_no_word_of_the_provider(colour)


def routes_keep_their_names() -> None:
    breaker_tests.test_a_route_keeps_its_names_whatever_is_open(breaker_tests.World())


def each_leg_has_its_channels_breaker() -> None:
    for colour in leg_tests.COLOURS:
        leg_tests.calls_are_spared_when_messages_are_asked_for(colour)


def late_news_is_no_news() -> None:
    breaker_tests.test_an_answer_to_what_was_asked_before_it_opened_changes_nothing(breaker_tests.World())


def late_answers_are_unknown() -> None:
    breaker_tests.test_an_answer_long_after_its_deadline_is_an_unknown_one(breaker_tests.World())


def hung_coroutines_are_waited_for_a_second() -> None:
    for lane in ("send", "check"):
        worker_tests.test_a_coroutine_that_never_ends_is_waited_for_a_second_longer(lane)


LANE: Final = "else Lane.CHECK"
FULL: Final = "return answers.send_not_started()"

DEFECTS = (
    Defect(
        "S13a",
        "one lane for sends and checks",
        reworded((vars(driving.Driver)["_ask"], LANE, "else Lane.SEND")),
        checks_pass_sends_that_hang,
    ),
    Defect(
        "S13b",
        "one lane for sends and checks, awaited",
        reworded((vars(awaiting.AsyncDriver)["_ask"], LANE, "else Lane.SEND")),
        checks_pass_sends_that_hang_awaited,
    ),
    Defect(
        "S13c",
        "one shared pool for sends and checks",
        reworded((vars(workers.AwaitedProvider)["check"], "self._checks", "self._sends")),
        checks_pass_sends_that_hang_on_workers,
    ),
    Defect("S13d", "no bound", unbounded, spared_tests.no_more_than_the_bound),
    Defect(
        "S13e",
        "one bound for all providers",
        shared_places,
        each_provider_has_places_of_its_own,
    ),
    Defect(
        "S13f",
        "two event loops that take turns remake each other's places",
        reworded((vars(aio_bounding.AsyncBounds)["enter"], "self._free.get(loop)", "None")),
        loop_tests.loops_that_take_turns,
    ),
    Defect(
        "S13g",
        "who awaits a provider that never ends waits half a minute",
        lambda plant: plant.put("otpcore.engine.awaiting.GRACE_S", 30.0),
        hung_coroutines_are_waited_for_a_second,
    ),
    Defect(
        "B1",
        "half-open lets everyone through",
        reworded((ORDER, "elif lent is None and all(each.may_probe(now) for", "elif all(now >= each.until for")),
        breaker_tests.one_caller_tries_it_out,
    ),
    Defect("B1r", "half-open is looked at and taken in two steps", unlocked, breaker_tests.one_caller_tries_it_out),
    Defect(
        "B2",
        "opened by what one recipient brings about",
        whoever_asks_often,
        breaker_tests.recipients_own_failures_open_nothing,
    ),
    Defect(
        "B2v",
        "Vonage's 409 is taken for the account's",
        reworded((held_elsewhere, "FailureScope.RECIPIENT, native", "FailureScope.ACCOUNT, native")),
        recipient_tests.test_a_number_with_a_live_verification_of_somebody_else_spares_vonage_for_nobody,
    ),
    Defect(
        "B8",
        "one rejected text opens for a region",
        lambda plant: ruled(plant, FailureKind.CONTENT_REJECTED, at_once=True),
        breaker_tests.one_person_opens_nothing_wide,
    ),
    Defect(
        "B9",
        "one address opens for all",
        reworded((vars(breaking.Rule)["opens_at_once"], " and (self.scope is not Scope.REGION or bool(region))", "")),
        breaker_tests.one_person_opens_nothing_wide,
    ),
    Defect(
        "B10",
        "a limit that one person met opens for an hour",
        lambda plant: ruled(plant, FailureKind.RATE_LIMITED, longest_s=breaking.LONGEST_S),
        breaker_tests.one_person_opens_nothing_wide,
    ),
    Defect(
        "B3",
        "a refused start keeps the probe",
        reworded(
            (vars(driving.Driver)["drive"], "if probes:", "if not probes:"),
            (vars(awaiting.AsyncDriver)["drive"], "if probes:", "if not probes:"),
        ),
        refused_starts_give_probes_back,
    ),
    Defect(
        "B4",
        "opened by a burst of one's own",
        reworded(
            (vars(driving.Driver)["_send"], FULL, "answer = answers.send_not_started()"),
            (vars(awaiting.AsyncDriver)["_send"], FULL, "answer = answers.send_not_started()"),
        ),
        bursts_teach_nothing,
    ),
    Defect(
        "B5",
        "what is open is taken off the route",
        reworded((ORDER, "(*first, *(leg for _, leg in spared))", "tuple(first)")),
        routes_keep_their_names,
    ),
    Defect(
        "B6",
        "an old success closes, an old failure prolongs",
        reworded((vars(Breaker)["is_stale"], "self.kind is not None", "False")),
        late_news_is_no_news,
    ),
    Defect(
        "B7",
        "a success that comes minutes late is one",
        reworded((vars(breaking.Breakers)["heard"], "now - began <= timeout_s + LATE_S", "True")),
        late_answers_are_unknown,
    ),
    Defect(
        "B11",
        "a leg is judged by the breaker of the channel that was asked for",
        reworded((ORDER, "leg.channel, region", "route[0].channel, region")),
        each_leg_has_its_channels_breaker,
    ),
)
