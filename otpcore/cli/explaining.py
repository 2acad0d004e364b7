"""`policy explain`: what a profile allows, and how likely a guess is.

Rules of this file: presentation; the figures come from `odds`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.table import Table

from otpcore.cli.exits import Exit
from otpcore.cli.moments import lasting
from otpcore.cli.odds import Odds, odds_of
from otpcore.cli.shell import AsJson, shell_of
from otpcore.policy import Profile, profile_named

__all__ = ["explain"]


def explain(
    context: typer.Context,
    profile: Annotated[str | None, typer.Option(help="Name of a profile; else the one of the settings.")] = None,
    *,
    as_json: AsJson = False,
) -> int:
    """Say what is allowed a day. With the worst case of sends and the chance of guessing a code."""
    from otpcore.settings import load_settings  # noqa: PLC0415  # settings cost a quarter of a second

    shell = shell_of(context)
    if profile is not None:
        profile_named(profile)  # says which ones there are, better than a validation of settings does
    named = {} if profile is None else {"profile": profile}
    policy = load_settings(env_file=shell.env_file, **named).policy()
    odds = odds_of(policy)
    if as_json:
        shell.give(_machine(policy, odds))
        return Exit.OK
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold", ratio=1)
    table.add_column(justify="right", style="bold", no_wrap=True)
    for what, figure in _rows(policy, odds):
        table.add_row(what, figure)
    shell.say(f"Policy {policy.name}: {policy.source}.", "")
    shell.say(f"Waits between sends: {', '.join(lasting(wait) for wait in policy.ladder)}; then from the start.")
    shell.say(f"A code has {policy.code_digits} digits and lives {lasting(policy.code_lifetime)}.", "")
    shell.say(table, "", *_assumptions(policy))
    return Exit.OK


def _rows(policy: Profile, odds: Odds) -> list[tuple[str, str]]:
    return [
        ("sends to one number in any 24 h, at worst", f"{odds.sends_a_day_with_success}"),
        ("… with no success between them", f"{odds.sends_a_day}"),
        ("checks of one session", f"{odds.checks_a_session}"),
        ("failed checks of one number in any 24 h", f"{odds.checks_a_day}"),
        ("failed checks in a row, then an operator unlocks", f"{odds.checks_in_a_row}"),
        (f"chance of guessing: a day, {policy.failures_per_day} tries", _percent(odds.guess_a_day)),
        ("chance of guessing: a year, the owner keeps logging in", _percent(odds.guess_a_year)),
        (f"chance of guessing: {policy.failures_in_a_row} tries in a row, and no more", _percent(odds.guess_in_a_row)),
    ]


def _assumptions(policy: Profile) -> list[str]:
    tries = policy.failures_per_day * 365
    lines = [
        f"Chance = 1 - (1 - 1/10^{policy.code_digits})^tries, for one number and uniform codes; {tries} tries a year.",
        "Somebody who attacks many numbers multiplies it by their count.",
        "Where the provider makes the code (Twilio: 4 to 10 digits, set at the service) its length is the service's.",
    ]
    return [*lines, "For demonstrations: refused where messages leave the machine."] if policy.simulated_only else lines


def _machine(policy: Profile, odds: Odds) -> dict[str, Any]:
    return {
        "profile": policy.name,
        "source": policy.source,
        "ladder_s": [wait.total_seconds() for wait in policy.ladder],
        "daily_cap": policy.daily_cap,
        "code_digits": policy.code_digits,
        "code_lifetime_s": policy.code_lifetime.total_seconds(),
        "simulated_only": policy.simulated_only,
        "sends_a_day": odds.sends_a_day,
        "sends_a_day_with_success": odds.sends_a_day_with_success,
        "checks_a_session": odds.checks_a_session,
        "checks_a_day": odds.checks_a_day,
        "checks_in_a_row": odds.checks_in_a_row,
        "guess_a_day": odds.guess_a_day,
        "guess_a_year": odds.guess_a_year,
        "guess_in_a_row": odds.guess_in_a_row,
    }


def _percent(chance: float) -> str:
    return f"{Decimal(f'{chance * 100:.2g}'):f} %"
