"""The page about routing: its table is the one that the flows follow, its file reads as its program says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from otpcore.contract import FailureKind, FailureScope, SendEffect
from otpcore.engine.routes import HEAVIEST
from otpcore.route_file import read_routes
from otpcore.routing import FAILOVER, MOST_LEGS, Breaker, Consequence, Move, Rule, Strategy
from tests.docs.pages import ROOT, blocks, read, rows

PAGE = ROOT / "docs" / "concepts" / "routing.md"
NONE = "\N{EN DASH}"
Table = Mapping[tuple[FailureKind, FailureScope, SendEffect], Consequence]


def drawn(table: Table) -> list[tuple[str, ...]]:
    """The table of failures, as it should be."""
    lines: list[tuple[str, ...]] = []
    for kind in FailureKind:
        limit = kind is FailureKind.RATE_LIMITED
        for scope in FailureScope if limit else [FailureScope.ACCOUNT]:
            refused, lost = (table[kind, scope, effect] for effect in SendEffect)
            if refused.breaker is not lost.breaker or refused.alert is not lost.alert:
                lines.append((kind.value, "differs by effect", "", "", ""))
            where = ", for the region" if refused.remember else ""
            breaker = NONE if refused.breaker is Breaker.NONE else f"{refused.breaker}{where}"
            name = f"`{kind}` ({scope})" if limit else f"`{kind}`"
            lines.append((name, str(refused.move), str(lost.move), breaker, "yes" if refused.alert else NONE))
    return lines


def shown() -> list[tuple[str, ...]]:
    kinds = tuple(f"`{kind}`" for kind in FailureKind)
    return [row for row in rows(read(PAGE), 5) if row[0].startswith(kinds)]


def test_the_table_is_the_one_that_the_flows_follow() -> None:
    assert shown() == drawn(FAILOVER)


@pytest.mark.parametrize("kind", list(FailureKind))
def test_another_table_is_noticed(kind: FailureKind) -> None:
    key = (kind, FailureScope.ACCOUNT, SendEffect.NOT_SENT)
    move = Move.STOP if FAILOVER[key].move is not Move.STOP else Move.NEXT_PROVIDER
    assert shown() != drawn({**FAILOVER, key: Consequence(move, FAILOVER[key].breaker, alert=FAILOVER[key].alert)})


def test_every_strategy_is_told() -> None:
    assert [row[0] for row in rows(read(PAGE), 2) if row[0] != "strategy"] == [f"`{each}`" for each in Strategy]


def unheard(*_: object) -> None:
    """In the place of `print`."""


def test_the_file_says_what_the_program_says(tmp_path: Path) -> None:
    (text,) = [block.text for block in blocks(read(PAGE)) if block.role == "file=routes.toml"]
    file = tmp_path / "routes.toml"
    file.write_text(text)
    program = "\n".join(block.text for block in blocks(read(PAGE)) if block.language == "python")
    scope: dict[str, object] = {"print": unheard}
    exec(compile(program, "program", "exec"), scope)
    assert read_routes(file) == scope["routing"]


def test_the_fields_and_bounds_are_all_told() -> None:
    text = " ".join(read(PAGE).split())
    told = re.search(r"A rule takes (.*?); a leg", text)
    assert told is not None
    names = {name.removesuffix("_s") for name in re.findall(r"`(\w+)`", told[1])}  # a file writes seconds
    assert names == set(Rule.__dataclass_fields__)
    assert f"at most {['zero', 'one', 'two', 'three'][MOST_LEGS]} legs (`max_legs`)" in text
    assert f"`weight` (1 to {HEAVIEST})" in text
