"""What an engine refuses to be built from, with what to do; and what a blocking engine cannot drive."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from otpcore import Sent
from otpcore.contract import CodeOwner, Durability, ProviderCapabilities
from otpcore.engine.aio import AsyncEngine
from otpcore.engine.sync import Engine
from otpcore.errors import ColourError, ConfigurationError, PepperError, UnknownPurpose
from otpcore.policy import DEMO
from otpcore.providers.fake import AsyncFakeProvider, FakeProvider
from otpcore.stores.memory import MemoryStore
from tests.engine.colours import NUMBER, PEPPER, AwaitingStore

ENGINES = pytest.mark.parametrize("engine", [Engine, AsyncEngine])


class Described(FakeProvider):
    """A fake that describes itself otherwise."""

    def __init__(self, **changes: Any) -> None:
        super().__init__()
        self._changes = changes

    @property
    def capabilities(self) -> ProviderCapabilities:
        return replace(super().capabilities, **self._changes)


class SendsOnly:
    """Says that it owns codes, and cannot check them."""

    def __init__(self) -> None:
        self.capabilities = FakeProvider().capabilities

    def send(self, request: Any) -> Any: ...

    def close(self) -> None: ...


WRONG: list[tuple[str, dict[str, Any], type[Exception]]] = [
    ("no provider", {"providers": {}}, ConfigurationError),
    ("a provider without a name", {"providers": {"": FakeProvider()}}, ConfigurationError),
    ("a provider that nobody owns codes with", {"providers": Described(code_owners=frozenset())}, ConfigurationError),
    ("an owner that the provider is not", {"code_owner": CodeOwner.CORE}, ConfigurationError),
    ("a provider that cannot check", {"providers": SendsOnly()}, ConfigurationError),
    ("codes of 601 s", {"providers": Described(code_lifetime=timedelta(seconds=601))}, ConfigurationError),
    (
        "one account under two names",
        {"providers": {"a": Described(scope="VA1"), "b": Described(scope="VA1")}},
        ConfigurationError,
    ),
    (
        "demonstration waits on a real provider",
        {"providers": Described(simulated=True, stands_in=False), "profile": DEMO},
        ConfigurationError,
    ),
    ("a tenant without a name", {"tenant": ""}, ConfigurationError),
    ("no purpose", {"purposes": ()}, ConfigurationError),
    ("an empty purpose", {"purposes": ("",)}, ConfigurationError),
    ("purposes that are one text", {"purposes": "login"}, ConfigurationError),
    ("a purpose of 65 characters", {"purposes": ("x" * 65,)}, ConfigurationError),
    ("a purpose with a line feed", {"purposes": ("a\nb",)}, ConfigurationError),
    ("no time", {"timeout_s": 0}, ConfigurationError),
    ("more than ten seconds", {"timeout_s": 10.1}, ConfigurationError),
    ("a time that is no number", {"timeout_s": float("nan")}, ConfigurationError),
    ("a short pepper", {"pepper": b"short"}, PepperError),
    ("a short previous pepper", {"previous_peppers": (b"short",)}, PepperError),
    ("the pepper in force among the previous ones", {"previous_peppers": (PEPPER,)}, PepperError),
]


@ENGINES
@pytest.mark.parametrize(("why", "change", "error"), WRONG, ids=[why for why, _, _ in WRONG])
def test_what_cannot_be_is_refused_when_the_engine_is_built(
    engine: Any, why: str, change: dict[str, Any], error: type[Exception]
) -> None:
    """Invariant 8 (600 s), trap 1 (scopes), trap 10 (peppers)."""
    given = {"pepper": PEPPER, **change}
    providers = given.pop("providers", FakeProvider())
    with pytest.raises(error):
        engine(MemoryStore(), providers, **given)


@ENGINES
def test_a_store_that_keeps_records_needs_a_pepper_that_is_kept_too(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine(MemoryStore(), FakeProvider())
    kept = replace(MemoryStore().capabilities, durability=Durability.DISK)
    monkeypatch.setattr(MemoryStore, "capabilities", kept)
    with pytest.raises(PepperError, match="OTPCORE_PEPPER"):
        engine(MemoryStore(), FakeProvider())


def test_a_blocking_engine_refuses_what_only_awaits() -> None:
    store: Any = AwaitingStore(MemoryStore())
    provider: Any = AsyncFakeProvider()
    with pytest.raises(ColourError, match="AsyncEngine"):
        Engine(store, FakeProvider(), pepper=PEPPER)
    with pytest.raises(ColourError, match="AsyncEngine"):
        Engine(MemoryStore(), {"vendor": provider}, pepper=PEPPER)


def test_an_engine_closes_what_it_was_given_and_does_it_twice() -> None:
    store = MemoryStore()
    with Engine(store, FakeProvider(), pepper=PEPPER) as engine:
        assert isinstance(engine.start(NUMBER), Sent)
    engine.close()
    with pytest.raises(UnknownPurpose, match="login"):
        Engine(MemoryStore(), FakeProvider()).start(NUMBER, purpose="none")


def test_a_provider_is_asked_to_make_the_codes_where_it_can() -> None:
    both = Described(code_owners=frozenset(CodeOwner))
    for chosen, owner in ((None, CodeOwner.PROVIDER), (CodeOwner.CORE, CodeOwner.CORE)):
        setup = Engine(MemoryStore(), both, code_owner=chosen)._setup  # pyright: ignore[reportPrivateUsage]  # what it was built to
        assert setup.providers["default"].owner is owner
        assert setup.code_lengths == (6, 6) or owner is CodeOwner.PROVIDER
