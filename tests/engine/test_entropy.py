"""V9: what codes and secrets are made of comes from the operating system, anew for each operation."""

from __future__ import annotations

import os
import random
from typing import Any, cast

import pytest

from otpcore import AsyncEngine, Engine
from otpcore.codes import ENTROPY_BYTES
from otpcore.providers.fake_exchange import Exchange
from tests.engine.colours import COLOURS, driven
from tests.numbers import phone

ENGINES = [Engine, AsyncEngine]


def defaults_of(engine: type[Engine | AsyncEngine]) -> dict[str, Any]:
    made: Any = vars(engine)["__init__"]
    return cast("dict[str, Any]", made.__kwdefaults__)


def draws_from_the_system(engine: type[Engine | AsyncEngine]) -> None:
    assert defaults_of(engine)["entropy"] is os.urandom


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_draws_from_the_operating_system(engine: type[Engine | AsyncEngine]) -> None:
    """V9: its random numbers are those that are made for secrets."""
    draws_from_the_system(engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_draws_from_a_seed_is_found(
    engine: type[Engine | AsyncEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted defect."""
    monkeypatch.setitem(defaults_of(engine), "entropy", random.randbytes)
    with pytest.raises(AssertionError):
        draws_from_the_system(engine)


@pytest.mark.parametrize("colour", COLOURS)
def test_each_operation_draws_anew_and_enough(colour: str) -> None:
    """V9, V13: no operation lives on what another has drawn."""
    drawn: list[int] = []

    def counted(size: int) -> bytes:
        drawn.append(size)
        return os.urandom(size)

    life = driven(colour, Exchange(), entropy=counted)
    for person in range(10):
        sent = life.call("start", phone(person))
        life.call("check", sent.session.token, "000000")
        life.call("status", sent.session.token)
    life.run(life.engine.close())
    assert drawn == [ENTROPY_BYTES] * 30
