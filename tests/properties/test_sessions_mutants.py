"""The model of whole services is shown to find what it is there for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
)

from otpcore import Approved, NextActions
from otpcore.contract import CodeOwner
from otpcore.model import Ladder
from otpcore.policy import Profile
from tests.properties.notes import TIGHT
from tests.properties.test_sessions_machine import Service, histories
from tests.properties.world import World

LOOSE = replace(TIGHT, ladder=(timedelta(seconds=1),) * 40, daily_cap=40)
"""Nothing but what a mutant is about stands in its way."""

MORE: list[tuple[Profile, dict[str, Any]]] = [
    (TIGHT, {"ladder": (*TIGHT.ladder[:-1], timedelta(hours=20))}),
    (TIGHT, {"daily_cap": 5}),
    (LOOSE, {"checks_per_session": 4}),
    (LOOSE, {"failures_per_day": 5}),
    (LOOSE, {"live_sessions": 3}),
    (LOOSE, {"refunds_per_hour": 2}),
]


def mutant(promised: Profile, changes: dict[str, Any]) -> type[Service]:
    """The model over an engine whose policy is not the one that is promised."""

    class Mutant(Service):
        @initialize(owner=st.sampled_from(CodeOwner), seed=st.integers(0, 999))
        def open(self, owner: CodeOwner, seed: int) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # one profile only
            made_by = CodeOwner.CORE if promised is LOOSE else owner  # no provider's window takes so many
            self.world = World(owner=made_by, profile=replace(promised, **changes), seed=seed)
            self.profile = promised

    return Mutant


@pytest.mark.parametrize(("promised", "changes"), MORE, ids=[next(iter(each)) for _, each in MORE])
def test_the_model_finds_one_more_than_a_limit(promised: Profile, changes: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        histories(mutant(promised, changes), 2_000, shrink=False)


def test_the_model_finds_a_record_that_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Success without a guard: an approval that the store does not keep is told again."""
    from otpcore.flows import asking, checking

    def unguarded(record: Any, *_: Any, **__: Any) -> Any:
        return record.but(consecutive=0, ladder=Ladder())

    monkeypatch.setattr(checking, "approve", unguarded)
    monkeypatch.setattr(asking, "approve", unguarded)
    monkeypatch.setattr(checking, "told", told_anyway)
    with pytest.raises(AssertionError):
        histories(Service, 500, shrink=False)


def told_anyway(_setup: Any, _record: Any, session: Any, token: Any, **_: Any) -> Approved:
    from otpcore.flows.setup import view

    return Approved(view(session, token), NextActions())
