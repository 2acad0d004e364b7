"""The page about routing: its table is the one that the flows follow, its file reads as its program says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from otpcore.contract import FailureKind, FailureScope, SendEffect
from otpcore.engine.breaking import RULES, Scope, rule_of
from otpcore.engine.routes import HEAVIEST
from otpcore.route_file import read_routes
from otpcore.routing import FAILOVER, MOST_LEGS, Consequence, Move, Rule, Strategy
from tests.docs.pages import ROOT, blocks, read, rows

PAGE = ROOT / "docs" / "concepts" / "routing.md"
NONE = "\N{EN DASH}"
Table = Mapping[tuple[FailureKind, FailureScope, SendEffect], Consequence]


def spared(kind: FailureKind, scope: FailureScope) -> str:
    """What a breaker makes of a failure, in the words of the page."""
    rule = rule_of(kind, scope)
    wide = {Scope.PROVIDER: "", Scope.CHANNEL: ", the channel", Scope.REGION: ", the region"}
    return NONE if rule is None else f"{rule.opens_s:g} s{wide[rule.scope]}{'' if rule.at_once else ', if it goes on'}"


def drawn(table: Table) -> list[tuple[str, ...]]:
    """The table of failures, as it should be."""
    lines: list[tuple[str, ...]] = []
    for kind in FailureKind:
        limit = kind is FailureKind.RATE_LIMITED
        for scope in FailureScope if limit else [FailureScope.ACCOUNT]:
            refused, lost = (table[kind, scope, effect] for effect in SendEffect)
            if refused.alert is not lost.alert:
                lines.append((kind.value, "differs by effect", "", "", ""))
            name = f"`{kind}` ({scope})" if limit else f"`{kind}`"
            alert = "yes" if refused.alert else NONE
            lines.append((name, str(refused.move), str(lost.move), spared(kind, scope), alert))
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
    assert shown() != drawn({**FAILOVER, key: Consequence(move, FAILOVER[key].alert)})


@pytest.mark.parametrize("kind", list(RULES))
def test_a_breaker_that_does_something_else_than_the_page_says_is_noticed(
    kind: FailureKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {**RULES, kind: replace(RULES[kind], opens_s=901.0)}
    monkeypatch.setattr("otpcore.engine.breaking.RULES", others)
    assert shown() != drawn(FAILOVER)


def test_what_stops_a_send_or_is_one_recipients_opens_no_breaker_and_everything_else_does() -> None:
    for (kind, scope, effect), follows in FAILOVER.items():
        if effect is SendEffect.NOT_SENT:
            opens = scope is FailureScope.ACCOUNT and follows.move is Move.NEXT_PROVIDER
            assert (rule_of(kind, scope) is not None) == opens, (kind, scope)


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
