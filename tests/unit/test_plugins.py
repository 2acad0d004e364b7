"""The registry over plugins of this process: what it refuses, and how each hook is called."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pluggy
import pytest
from pydantic import BaseModel

import otpcore.hookspecs
from otpcore.errors import RefusedPlugin, UnknownPlugin
from otpcore.hookspecs import (
    PROJECT,
    CommandGroup,
    Event,
    Guard,
    ProviderType,
    SendIntent,
    StoreType,
    Verdict,
    hookimpl,
)
from otpcore.plugins import Plugins, PluginState
from otpcore.ports import Provider, Store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
INTENT = SendIntent("t", "login", "sms", "k", "CM", "mobile", None)
EVENT = Event("send.accepted", NOW, "t", "login", "k")
SECRET = "+12025550123 code 482915"


class NoSettings(BaseModel):
    pass


def build_provider(_: object) -> Provider:
    raise NotImplementedError


def build_store(_: object) -> Store:
    raise NotImplementedError


def provider_type(name: str) -> ProviderType:
    return ProviderType(name, "for a test", NoSettings, build_provider)


def store_type(name: str) -> StoreType:
    return StoreType(name, "for a test", NoSettings, build_store)


def plugin(**implementations: Callable[..., object]) -> object:
    """An object with these hook implementations, as a module would have them."""
    return SimpleNamespace(**{name: hookimpl(function) for name, function in implementations.items()})


def silent_guard(intent: SendIntent) -> None: ...


def silent_observer(event: Event) -> None: ...


def wrong_argument(request: SendIntent) -> None: ...


def guard_into(asked: list[SendIntent]) -> object:
    def judge(intent: SendIntent) -> None:
        asked.append(intent)

    return plugin(otpcore_guard_send=judge)


def observer_into(told: list[Event]) -> object:
    def observe(event: Event) -> None:
        told.append(event)

    return plugin(otpcore_observe=observe)


def registered(*plugins: object) -> Plugins:
    """A registry of these plugins, named p0, p1, … in the order of registration."""
    registry = Plugins()
    for number, each in enumerate(plugins):
        registry.register(each, name=f"p{number}")
    return registry


def guard(verdict: object) -> object:
    def judge(intent: SendIntent) -> object:
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    return plugin(otpcore_guard_send=judge)


def refusal(implementations: object, registry: Plugins | None = None, name: str = "late") -> str:
    with pytest.raises(RefusedPlugin) as refused:
        (registry or Plugins()).register(implementations, name=name)
    return str(refused.value)


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


# --- the rules of the registry ------------------------------------------------------------------


def test_two_plugins_of_one_name_are_refused_naming_both() -> None:
    registry = Plugins()
    registry.register(plugin(), name="same")
    message = refusal(plugin(), registry, "same")
    assert (
        message
        == "Two plugins claim one name: same (registered in this process) and same (registered in this process)."
    )


def test_one_plugin_under_two_names_is_refused_naming_both() -> None:
    once = plugin()
    registry = Plugins()
    registry.register(once, name="one")
    assert "one (registered in this process) and two (registered" in refusal(once, registry, "two")


def test_a_blocked_name_is_refused() -> None:
    assert refusal(plugin(), Plugins(block=["late"])) == "The block list names late."


def test_a_plugin_name_has_the_form_of_a_type_name() -> None:
    assert "lower-case" in refusal(plugin(), name="Late Plugin")


async def coroutine(intent: SendIntent) -> None: ...


async def asynchronous_generator(intent: SendIntent) -> object:
    yield


def generator(intent: SendIntent) -> Iterator[None]:
    yield


@pytest.mark.parametrize("function", [coroutine, asynchronous_generator, generator])
def test_coroutines_and_generators_are_refused(function: Callable[..., object]) -> None:
    assert "late (registered in this process) implements otpcore_guard_send" in refusal(
        plugin(otpcore_guard_send=function)
    )


def test_a_wrapper_is_refused() -> None:
    assert "wrapper" in refusal(SimpleNamespace(otpcore_guard_send=hookimpl(wrapper=True)(generator)))


def test_a_misspelt_hook_is_refused_with_the_right_name() -> None:
    message = refusal(plugin(otpcore_gaurd_send=silent_guard))
    assert "otpcore_gaurd_send, which is no hook of otpcore; did you mean otpcore_guard_send?" in message


def test_a_hook_that_is_like_no_other_is_refused_with_all_names() -> None:
    message = refusal(plugin(zzz=lambda: None))
    assert "otpcore_commands" in message
    assert "otpcore_stores" in message


def test_an_argument_that_the_hook_does_not_have_is_refused() -> None:
    registry = Plugins()
    message = refusal(plugin(otpcore_guard_send=wrong_argument), registry)
    assert "'request'" in message
    assert registry.guard_send(INTENT) is None
    registry.register(guard(Verdict(Guard.DENY)), name="late")


def test_a_hook_implemented_twice_is_refused() -> None:
    twice = SimpleNamespace(
        otpcore_observe=hookimpl(silent_observer),
        second=hookimpl(specname="otpcore_observe")(lambda: None),
    )
    assert "otpcore_observe twice: otpcore_observe and second" in refusal(twice)


def test_what_is_marked_is_called_and_what_is_only_named_like_a_hook_is_warned_of() -> None:
    forgotten = SimpleNamespace(otpcore_guard_send=lambda: Verdict(Guard.DENY))
    registry = registered(forgotten)
    (info,) = registry.listing()
    assert info.state is PluginState.ACTIVE
    assert info.warnings == ("otpcore_guard_send is not marked with hookimpl and is never called.",)
    assert registry.guard_send(INTENT) is None


def test_a_refused_plugin_leaves_no_trace() -> None:
    registry = Plugins()
    refusal(plugin(otpcore_stores=lambda: [store_type("a")], otpcore_observe=wrong_argument), registry)
    assert not registry.stores
    registry.register(plugin(otpcore_stores=lambda: [store_type("a")]), name="late")
    assert set(registry.stores) == {"a"}


def test_a_plugin_that_pluggy_refuses_half_way_through_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 1.7 pluggy notes the plugin first and judges its arguments then."""

    def registers_and_refuses(manager: pluggy.PluginManager, module: object, name: str) -> None:
        real(manager, module, name)
        raise pluggy.PluginValidationError(module, "refused late")

    real, registry = pluggy.PluginManager.register, Plugins()
    with monkeypatch.context() as old:
        old.setattr(pluggy.PluginManager, "register", registers_and_refuses)
        assert "refused late" in refusal(guard(DENY), registry)
    registry.register(guard(ALLOW), name="late")
    assert registry.guard_send(INTENT) is ALLOW


def test_registries_do_not_share_plugins() -> None:
    registered(guard(Verdict(Guard.DENY)))
    assert registered().guard_send(INTENT) is None


def test_the_listing_names_the_hooks_of_a_plugin() -> None:
    (info,) = registered(plugin(otpcore_observe=silent_observer, otpcore_commands=lambda: ())).listing()
    assert info.hooks == ("otpcore_commands", "otpcore_observe")


# --- otpcore_guard_send -------------------------------------------------------------------------

ALLOW, DENY = Verdict(Guard.ALLOW, "fine"), Verdict(Guard.DENY, "no")
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
