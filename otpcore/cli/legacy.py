"""`legacy import`: the resend records of an old table, moved into the store.

Rules of this file: the address of the database may hold a password, so it is never an argument, and never shown with
it. The store alone is opened, so that no provider and no pepper is needed.
"""

from __future__ import annotations

import difflib
import getpass
import sys
import zoneinfo
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from otpcore.cli.exits import Exit
from otpcore.cli.moments import machine
from otpcore.cli.shell import AsJson, Shell, shell_of
from otpcore.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from rich.progress import Progress

    from otpcore.legacy.desk import Desk
    from otpcore.legacy.moving import Report
    from otpcore.legacy.tables import OldTable

__all__ = ["DATABASE_VARIABLE", "group", "import_table"]

DATABASE_VARIABLE: Final = "OTPCORE_LEGACY_DATABASE"

LONGEST_DAYS: Final = 3_650

group = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


@group.command("import")
def import_table(
    context: typer.Context,
    zone: Annotated[
        str,
        typer.Option(help="Time zone in which the old application wrote, such as Africa/Douala.", show_default=False),
    ],
    table: Annotated[str, typer.Option(help="Name of the table.", metavar="NAME")] = "svretries",
    keep_ids_days: Annotated[
        int, typer.Option(help="So long the old ids lead to their records.", min=1, max=LONGEST_DAYS)
    ] = 30,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing, and report the same.")] = False,
    as_json: AsJson = False,
) -> int:
    """Move the resend records of an old table in. It may be repeated; nothing becomes looser.

    The URL of its database comes from OTPCORE_LEGACY_DATABASE, else it is asked for, or a line of standard input:
    mysql://…, postgresql://… or sqlite:///….
    """
    shell = shell_of(context)
    region = _zone(zone)
    try:
        from otpcore.legacy.moving import move_table  # noqa: PLC0415  # each command loads what it needs
        from otpcore.legacy.tables import open_table  # noqa: PLC0415  # as above
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The legacy facade needs {error.name}: pip install 'otpcore[legacy,legacy-import]'"
        ) from None
    with (
        open_table(_address(shell.env_file), table) as rows,
        _desk(shell, dry_run=dry_run) as desk,
        _shown(rows) as bar,
    ):
        report = move_table(
            desk,
            rows,
            zone=region,
            keep_ids=timedelta(days=keep_ids_days),
            repeated=rows.repeated,
            write=not dry_run,
            progress=lambda read: bar.update(bar.task_ids[0], completed=read),
        )
    if as_json:
        shell.give(_for_programs(report, table=table, zone=zone, dry_run=dry_run))
    else:
        shell.say(*_for_people(report, table=table, zone=zone, dry_run=dry_run))
    return Exit.NO if report.refused or report.taken else Exit.OK


# --- what is given -----------------------------------------------------------------------------


def _zone(name: str) -> zoneinfo.ZoneInfo:
    known = zoneinfo.available_timezones()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UsageError(f"There is no time zone {name!r}: give its IANA name, such as Africa/Douala.{hint}")
    return zoneinfo.ZoneInfo(name)


def _address(env_file: Path | None) -> str:
    from otpcore.legacy.tables import OldDatabase  # noqa: PLC0415  # each command loads what it needs
    from otpcore.settings import load_plugin_settings  # noqa: PLC0415  # settings cost a quarter of a second

    given = load_plugin_settings("legacy", OldDatabase, env_file=env_file).database
    if given is not None:
        return given.get_secret_value()
    if sys.stdin.isatty():
        address = getpass.getpass("URL of the old database (not shown): ").strip()
    else:
        address = sys.stdin.readline().strip()
    if not address:
        raise UsageError(f"No address of the old database: set {DATABASE_VARIABLE}, or give it as a line of input.")
    return address


@contextmanager
def _desk(shell: Shell, *, dry_run: bool) -> Generator[Desk]:
    """The resend records of the store that the settings name; the provider in it is never asked."""
    from otpcore.contract import CodeOwner  # noqa: PLC0415  # each command loads what it needs
    from otpcore.legacy.desk import Desk  # noqa: PLC0415  # as above
    from otpcore.legacy.terms import LegacySettings  # noqa: PLC0415  # as above
    from otpcore.plugins import Plugins  # noqa: PLC0415  # as above
    from otpcore.providers.fake import FakeProvider  # noqa: PLC0415  # as above
    from otpcore.settings import load_plugin_settings, load_settings  # noqa: PLC0415  # as above
    from otpcore.stores.memory import MemoryStore  # noqa: PLC0415  # as above

    settings = load_settings(env_file=shell.env_file)
    legacy = load_plugin_settings("legacy", LegacySettings, env_file=shell.env_file)
    plugins = Plugins(allow=settings.plugins, block=settings.plugins_blocked)
    plugins.discover()
    kind = plugins.store(settings.store)
    given: Any = load_plugin_settings(kind.name, kind.settings, env_file=shell.env_file)
    path = getattr(given, "path", None)
    absent = dry_run and isinstance(path, Path) and not path.expanduser().exists()
    with Desk(
        MemoryStore() if absent else kind.build(given),  # opening a store's file would make it
        FakeProvider(owner=CodeOwner.CORE),
        settings=legacy,
        profile=legacy.policy(settings.policy()),
        tenant=settings.tenant,
        pepper=bytes(32),  # no resend record holds anything that is made with it
    ) as desk:
        yield desk


@contextmanager
def _shown(rows: OldTable) -> Generator[Progress]:
    """A bar, where somebody looks."""
    from rich.progress import (  # noqa: PLC0415  # each command loads what it needs
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        bar.add_task("", total=rows.total)
        yield bar


# --- what is told ------------------------------------------------------------------------------

SHOWN: Final = 20
"""Ids of a kind; programs are given every one."""

COUNTS: Final = {
    "imported": "records made",
    "merged": "further rows of a pair, in the same record",
    "tightened": "records that were here and are stricter now",
    "unchanged": "records that were here and are as strict",
    "gone": "imported before and deleted since; not brought back",
}


def _for_programs(report: Report, *, table: str, zone: str, dry_run: bool) -> dict[str, Any]:
    counts = {name: getattr(report, name) for name in ("read", *COUNTS)}
    return {
        "result": "imported",
        "dry_run": dry_run,
        "changed": report.changed,
        "table": table,
        "zone": zone,
        **counts,
        "refused": [{"id": each.id, "reason": each.reason} for each in report.refused],
        "old_ids": {"kept": report.kept, "until": machine(report.until), "taken": report.taken},
    }


def _for_people(report: Report, *, table: str, zone: str, dry_run: bool) -> list[str]:
    lines = [f"Read {report.read:,} row{'s' * (report.read != 1)} of {table}, with the clock of {zone}."]
    lines += [f"  {name:<10} {getattr(report, name):>9,}  {meaning}" for name, meaning in COUNTS.items()]
    lines.append(f"  {'refused':<10} {len(report.refused):>9,}  left where they are")
    by_reason = sorted(report.refused, key=lambda each: each.reason)
    for reason, rows in groupby(by_reason, key=lambda each: each.reason):
        lines.append(f"    {reason}: id {_listed([row.id for row in rows])}")
    if report.kept:
        lines.append(
            f"Old ids: {report.kept:,} lead to their records until {report.until.astimezone():%Y-%m-%d %H:%M}."
        )
    if report.taken:
        lines.append(f"Old ids that lead to another record already: {_listed(report.taken)}.")
    if not report.changed:
        lines.append("Nothing to change." if dry_run else "Nothing was changed.")
    if dry_run:
        lines.append("A dry run: nothing was written.")
    return lines


def _listed(ids: Sequence[int | None]) -> str:
    shown = ", ".join("unknown" if each is None else str(each) for each in ids[:SHOWN])
    return shown if len(ids) <= SHOWN else f"{shown} and {len(ids) - SHOWN:,} more"
