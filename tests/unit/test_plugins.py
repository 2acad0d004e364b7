"""The registry over plugins of this process: the types that they bring, and how each hook is called."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pluggy
import pytest

import otpcore.hookspecs
from otpcore.errors import UnknownPlugin
from otpcore.hookspecs import (
    PROJECT,
    CommandGroup,
    Event,
    Guard,
    ProviderType,
    SendIntent,
    Verdict,
)
from otpcore.plugins import Plugins
from tests.unit.plugging import (
    ALLOW,
    DENY,
    EVENT,
    INTENT,
    NOW,
    SECRET,
    guard,
    guard_into,
    observer_into,
    plugin,
    provider_type,
    refusal,
    registered,
    store_type,
)

# --- otpcore_providers, otpcore_stores ----------------------------------------------------------


def test_provider_and_store_types_are_found_by_their_names() -> None:
    p, s = provider_type("postal"), store_type("paper")
    registry = registered(plugin(otpcore_providers=lambda: [p], otpcore_stores=lambda: (s,)))
    assert dict(registry.providers) == {"postal": p}
    assert dict(registry.stores) == {"paper": s}
    assert registry.provider("postal") is p
    assert registry.store("paper") is s


def test_the_tables_cannot_be_changed_from_outside() -> None:
    table = cast("dict[str, ProviderType]", registered().providers)
    with pytest.raises(TypeError):
        table["postal"] = provider_type("postal")


def test_a_provider_that_nobody_brings_is_named_with_those_that_there_are() -> None:
    registry = registered(plugin(otpcore_providers=lambda: [provider_type("postal")]))
    with pytest.raises(UnknownPlugin, match="provider 'pigeon'; there are: postal"):
        registry.provider("pigeon")
    with pytest.raises(UnknownPlugin, match="store 'stone'; there are: none"):
        registry.store("stone")


@pytest.mark.parametrize(("hook", "made"), [("otpcore_providers", provider_type), ("otpcore_stores", store_type)])
def test_two_plugins_of_one_type_name_are_refused_naming_both(hook: str, made: Callable[[str], object]) -> None:
    registry = registered(plugin(**{hook: lambda: [made("postal")]}))
    message = refusal(plugin(**{hook: lambda: [made("postal")]}), registry)
    assert "'postal': p0 (registered in this process) and late (registered in this process)" in message
    assert [info.name for info in registry.listing()] == ["p0"]


def test_a_plugin_that_was_allowed_by_a_mistyped_name_is_told_of_without_an_owner() -> None:
    registry = Plugins(allow=["consol"])
    registry.discover()
    with pytest.raises(UnknownPlugin) as caught:
        registry.provider("pigeon")
    assert "consol: Allowed, and no installed distribution brings a plugin of this name." in str(caught.value)
    assert "Is 'console' meant?" in str(caught.value)
    assert "registered in this process" not in str(caught.value)


def test_a_type_name_twice_in_one_plugin_is_refused() -> None:
    message = refusal(plugin(otpcore_stores=lambda: [store_type("a"), store_type("a")]))
    assert "'a': late (registered in this process) and late" in message


def test_a_provider_and_a_store_may_share_a_name() -> None:
    registry = registered(
        plugin(otpcore_providers=lambda: [provider_type("a")], otpcore_stores=lambda: [store_type("a")])
    )
    assert (*registry.providers, *registry.stores) == ("a", "a")


@pytest.mark.parametrize("name", ["", "Postal", "post al", "-post", "post_al", "p" * 64, "pöst"])
def test_a_type_name_that_no_setting_could_hold_is_refused(name: str) -> None:
    assert "no name of a ProviderType" in refusal(plugin(otpcore_providers=lambda: [provider_type(name)]))


def test_a_plugin_that_brings_something_else_is_refused() -> None:
    assert "expected ProviderType, not str" in refusal(plugin(otpcore_providers=lambda: "postal"))
    assert "otpcore_stores failed: TypeError" in refusal(plugin(otpcore_stores=lambda: None))


def test_a_plugin_that_fails_while_naming_its_types_is_refused_without_its_words() -> None:
    def fails() -> Sequence[ProviderType]:
        raise ValueError(SECRET)

    registry = Plugins()
    message = refusal(plugin(otpcore_providers=fails), registry)
    assert "ValueError at test_plugins.py:" in message
    assert "2025550123" not in message
    assert not registry.listing()


# --- otpcore_guard_send -------------------------------------------------------------------------

SOON, LATER = (Verdict(Guard.HOLD, "busy", NOW + timedelta(minutes=m)) for m in (1, 9))


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], None),
        ([None, None], None),
        ([ALLOW, None], ALLOW),
        ([ALLOW, SOON], SOON),
        ([SOON, ALLOW], SOON),
        ([LATER, SOON, ALLOW], LATER),
        ([SOON, LATER], LATER),
        ([LATER, DENY, ALLOW, None], DENY),
        ([DENY, LATER], DENY),
    ],
)
def test_the_strictest_verdict_wins_whatever_the_order(
    verdicts: list[Verdict | None], expected: Verdict | None
) -> None:
    assert registered(*map(guard, verdicts)).guard_send(INTENT) == expected


@pytest.mark.parametrize("until", [None, NOW.replace(tzinfo=None)])
def test_a_hold_says_when_to_come_back(until: datetime | None) -> None:
    with pytest.raises(ValueError, match="when to come back"):
        Verdict(Guard.HOLD, "who knows", until)


@pytest.mark.parametrize("broken", [ValueError(SECRET), True, "allow", Verdict(cast("Guard", "perhaps"))])
@pytest.mark.parametrize("place", [0, 1])
def test_a_guard_that_fails_denies_and_the_others_are_still_asked(
    broken: object, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[SendIntent] = []
    other = guard_into(asked)
    pair = [guard(broken), other] if place else [other, guard(broken)]
    verdict = registered(*pair).guard_send(INTENT)
    assert verdict is not None
    assert verdict.guard is Guard.DENY
    assert asked == [INTENT]
    assert "failed" in caplog.text
    assert "2025550123" not in caplog.text + verdict.reason


def test_pluggys_own_call_would_let_a_failing_guard_silence_the_others() -> None:
    """The planted defect: the relay stops at the first implementation that raises."""
    relay = pluggy.PluginManager(PROJECT)
    relay.add_hookspecs(otpcore.hookspecs)
    asked: list[SendIntent] = []
    relay.register(guard_into(asked))
    relay.register(guard(ValueError("first")))
    with pytest.raises(ValueError, match="first"):
        relay.hook.otpcore_guard_send(intent=INTENT)
    assert not asked


def test_a_guard_may_take_no_argument() -> None:
    assert registered(plugin(otpcore_guard_send=lambda: DENY)).guard_send(INTENT) is DENY


# --- otpcore_route ------------------------------------------------------------------------------

CANDIDATES = ("a", "b", "c")


ROUTES: list[tuple[list[object], tuple[str, ...]]] = [
    ([], CANDIDATES),
    ([None], CANDIDATES),
    ([["c", "a"]], ("c", "a")),
    ([["a"], ["b"]], ("b",)),  # the last registered is asked first, as pluggy has it
    ([["a"], None], ("a",)),
    ([[]], CANDIDATES),
    ([["a", "x"]], CANDIDATES),
    ([["a", "a"]], CANDIDATES),
    (["a"], CANDIDATES),
    ([[1]], CANDIDATES),
    ([7], CANDIDATES),
    ([["b"], ValueError(SECRET)], ("b",)),
    ([ValueError(SECRET)], CANDIDATES),
]


@pytest.mark.parametrize(("answers", "expected"), ROUTES)
def test_the_first_router_with_an_opinion_orders_the_candidates_and_may_invent_none(
    answers: list[object], expected: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    def router(answer: object) -> object:
        def order(candidates: Sequence[str], intent: SendIntent) -> object:
            assert (candidates, intent) == (CANDIDATES, INTENT)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return plugin(otpcore_route=order)

    assert tuple(registered(*map(router, answers)).route(INTENT, CANDIDATES)) == expected
    assert "2025550123" not in caplog.text


def test_a_router_cannot_change_the_list_that_the_engine_holds() -> None:
    def steals(candidates: list[str]) -> None:
        candidates.clear()

    names = list(CANDIDATES)
    assert list(registered(plugin(otpcore_route=steals)).route(INTENT, names)) == list(CANDIDATES)


# --- otpcore_observe ----------------------------------------------------------------------------


def test_every_observer_is_told_even_when_another_raises(caplog: pytest.LogCaptureFixture) -> None:
    def raises(event: Event) -> None:
        raise RuntimeError(SECRET)

    told: list[Event] = []
    good = [observer_into(told) for _ in range(2)]
    registry = registered(good[0], plugin(otpcore_observe=raises), good[1])
    with caplog.at_level(logging.DEBUG):
        registry.observe(EVENT)
    assert told == [EVENT, EVENT]
    assert "The observer of plugin p1 failed (RuntimeError)" in caplog.text
    assert "2025550123" not in caplog.text


# --- otpcore_commands ---------------------------------------------------------------------------


def test_command_groups_come_by_path_and_the_first_to_claim_a_path_has_it() -> None:
    def fails() -> Sequence[CommandGroup]:
        raise ValueError(SECRET)

    mail, fax = (CommandGroup(("emulator", name), object, name) for name in ("mail", "fax"))
    registry = registered(
        plugin(otpcore_commands=lambda: [mail]),
        plugin(otpcore_commands=lambda: [replace(mail, summary="another"), fax]),
        plugin(otpcore_commands=fails),
    )
    for _ in range(2):
        assert [group for _, group in registry.commands()] == [fax, mail]
    first, second, third = registry.listing()
    assert first.warnings == ()
    left_out = "that of p1 (registered in this process) is left out."
    assert second.warnings == (f"The command 'emulator mail' belongs to p0 (registered in this process); {left_out}",)
    assert third.warnings[0].startswith("otpcore_commands failed: ValueError at test_plugins.py")
