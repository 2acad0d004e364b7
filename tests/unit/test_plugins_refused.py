"""What the registry refuses of a plugin of this process, and that nothing is left of what it refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pluggy
import pytest

from otpcore.hookspecs import (
    Guard,
    SendIntent,
    Verdict,
    hookimpl,
)
from otpcore.plugins import Plugins, PluginState
from tests.unit.plugging import (
    ALLOW,
    DENY,
    INTENT,
    guard,
    plugin,
    refusal,
    registered,
    silent_guard,
    silent_observer,
    store_type,
    wrong_argument,
)


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
