"""The two engines are one API: names, signatures, docstrings, effects, and what they answer."""

from __future__ import annotations

import inspect
from typing import Any, get_args

import pytest

from otpcore import (
    Approved,
    ByRecipient,
    Ended,
    Forgotten,
    NotFound,
    Refused,
    SendState,
    Sent,
    Status,
    Undecided,
    Unlocked,
    Wait,
    Wrong,
)
from otpcore.contract import CheckRequest, CheckVerdict, CodeOwner, FailureKind, SendRequest
from otpcore.effects import Effect
from otpcore.engine import awaiting, driving
from otpcore.engine.aio import AsyncEngine
from otpcore.engine.sync import Engine
from otpcore.errors import CommitUnknown, StoreUnavailable, UsageError
from otpcore.providers.fake import Exchange, FakeProvider
from otpcore.stores.memory import MemoryStore
from tests.engine.colours import COLOURS, NUMBER, DiskLike, driven
from tests.numbers import phone

OPERATIONS = [name for name in vars(Engine) if not name.startswith("_")]
colours = pytest.mark.parametrize("colour", COLOURS)


# --- by introspection --------------------------------------------------------------------------


def test_both_engines_have_the_same_operations() -> None:
    assert [name for name in vars(AsyncEngine) if not name.startswith("_")] == OPERATIONS
    assert set(OPERATIONS) == {"start", "resend", "check", "cancel", "status", "forget", "unlock", "receipt", "close"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_the_same_signature_and_docstring_in_both(name: str) -> None:
    one, other = getattr(Engine, name), getattr(AsyncEngine, name)
    assert inspect.signature(one) == inspect.signature(other)
    assert inspect.getdoc(one) == inspect.getdoc(other)
    assert inspect.iscoroutinefunction(other)
    assert not inspect.iscoroutinefunction(one)


def test_the_constructors_take_the_same_arguments() -> None:
    one, other = inspect.signature(Engine), inspect.signature(AsyncEngine)
    assert list(one.parameters) == list(other.parameters)
    for name, parameter in one.parameters.items():
        assert parameter.default == other.parameters[name].default
        assert parameter.kind == other.parameters[name].kind
    assert {name for name in one.parameters if f"        {name}:" in (Engine.__doc__ or "")} == set(one.parameters)


@pytest.mark.parametrize("kind", [Engine, AsyncEngine])
def test_a_provider_is_found_by_its_name_and_is_the_one_that_was_given(kind: type[Engine | AsyncEngine]) -> None:
    """Behind an engine that awaits too, where a blocking one is called by workers."""
    one, other = FakeProvider(), FakeProvider()
    engine = kind(MemoryStore(), {"one": one, "other": other})
    assert (engine.provider("one"), engine.provider("other")) == (one, other)
    with pytest.raises(UsageError, match="no provider 'smpp' here; there are one, other"):
        engine.provider("smpp")
    assert kind(MemoryStore(), one).provider("default") is one


@pytest.mark.parametrize("module", [driving, awaiting])
def test_every_effect_is_handled_in_both(module: Any) -> None:
    """The union is closed: each of its members is named in the match of both drivers."""
    source = inspect.getsource(module)
    for effect in get_args(Effect):
        assert f"{effect.__name__}(" in source


# --- the same life in every colour -------------------------------------------------------------


@colours
@pytest.mark.parametrize("owner", list(CodeOwner))
def test_a_life_is_the_same_in_every_colour(colour: str, owner: CodeOwner) -> None:
    exchange = Exchange(owner=owner)
    store = DiskLike() if colour == "awaiting over workers" else MemoryStore()
    life = driven(colour, exchange, store=store, purposes=("login", "payment"))
    sent = life.call("start", NUMBER, source="192.0.2.1")
    assert isinstance(sent, Sent)
    token = sent.session.token
    assert isinstance(life.call("start", NUMBER), Wait)
    assert isinstance(life.call("resend", token, NUMBER), Wait)
    assert isinstance(life.call("status", token), Status)
    code = exchange.code_for(NUMBER)
    wrong = "000000" if code != "000000" else "111111"
    assert isinstance(life.call("check", token, wrong), Wrong)
    approved = life.call("check", token, code)
    assert isinstance(approved, Approved)
    assert isinstance(life.call("check", token, code), Ended)
    again = life.call("start", NUMBER, by_recipient=True)
    assert isinstance(again, Sent)
    assert again.session.token is None
    assert isinstance(life.call("cancel", ByRecipient(NUMBER)), Ended)
    assert isinstance(life.call("forget", NUMBER), Forgotten)
    assert isinstance(life.call("unlock", NUMBER), Unlocked)
    assert isinstance(life.call("status", token), NotFound)
    assert isinstance(life.call("start", "garbage"), Refused)
    life.run(life.engine.close())


# --- what plugins may not do -------------------------------------------------------------------


@colours
def test_whatever_a_provider_raises_is_an_unknown_outcome(colour: str) -> None:
    """Invariants 1 and 3: no refund, no approval, and no text of the exception in what is told."""

    def fails(_request: SendRequest | CheckRequest) -> RuntimeError:
        return RuntimeError(f"no such number {NUMBER}")

    life = driven(colour, Exchange(script=fails))
    sent = life.call("start", NUMBER)
    assert isinstance(sent, Sent)
    assert sent.state is SendState.UNKNOWN
    result = life.call("check", sent.session.token, "123456", recipient=NUMBER)
    assert isinstance(result, Undecided)
    assert result.cause is not None
    assert NUMBER not in result.cause.detail
    assert result.cause.detail == "The provider raised RuntimeError."


@colours
def test_an_answer_of_the_wrong_kind_is_an_unknown_outcome(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = Exchange()

    def nonsense(_request: object) -> str:
        return "fine"

    monkeypatch.setattr(exchange, "send", nonsense)
    monkeypatch.setattr(exchange, "check", nonsense)
    life = driven(colour, exchange)
    sent = life.call("start", NUMBER)
    assert sent.state is SendState.UNKNOWN
    assert isinstance(life.call("check", sent.session.token, "123456", recipient=NUMBER), Undecided)


@colours
@pytest.mark.parametrize(("answer", "error"), [(None, CommitUnknown), (OSError("disk"), CommitUnknown)])
def test_what_a_store_may_not_answer_to_a_commit_is_a_doubt(
    colour: str, answer: Any, error: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 13."""
    store = MemoryStore()

    def commit(*_: Any, **__: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(store, "commit", commit)
    life = driven(colour, Exchange(), store=store)
    with pytest.raises(error):
        life.call("start", NUMBER)
    assert life.vendor.exchange.calls["send"] == 0


@colours
def test_a_load_that_fails_is_a_store_that_is_down(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 13."""
    life = driven(colour, Exchange())
    token = life.call("start", NUMBER).session.token

    def load(_key: str) -> Any:
        raise ValueError

    monkeypatch.setattr(life.store, "load", load)
    with pytest.raises(StoreUnavailable):
        life.call("check", token, "123456")


@colours
def test_each_scripted_outcome_is_told_the_same_in_every_colour(colour: str) -> None:
    order: list[Any] = []
    exchange = Exchange(script=lambda _request: order.pop(0) if order else None)
    for n, kind in enumerate(FailureKind):
        life = driven(colour, exchange)
        order[:] = [kind]
        result = life.call("start", phone(n))
        assert isinstance(result, Sent if kind in (FailureKind.TIMEOUT, FailureKind.INTERNAL) else Refused)
    expected = {"approved": Approved, "wrong": Wrong, "unknown": Undecided, "denied": Refused, "throttled": Refused}
    for n, verdict in enumerate(CheckVerdict):
        life = driven(colour, exchange)
        number = phone(100 + n)
        token = life.call("start", number).session.token
        order[:] = [verdict]
        assert isinstance(life.call("check", token, "123456"), expected.get(verdict.value, Ended))


def test_a_provider_that_hands_out_its_own_objects_has_them_passed_on() -> None:
    life = driven("blocking", Exchange())
    sent = life.call("start", NUMBER)
    assert sent.native.recipient == NUMBER
    assert NUMBER not in repr(sent)
    assert isinstance(life.vendor, FakeProvider)
