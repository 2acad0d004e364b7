"""How the command line says when: from now on, and by the clock on the wall.

Rules of this file: instants come in aware; people read the machine's own time zone, machines read UTC.
"""

from __future__ import annotations

from datetime import datetime, timedelta

__all__ = ["lasting", "machine", "when"]

UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def lasting(span: timedelta) -> str:
    """A duration in its two largest units, rounded up to whole seconds: "1 min 58 s", "24 h", "0 s"."""
    left = max(0, -(-span // timedelta(seconds=1)))
    units = UNITS[1:] if left <= UNITS[0][1] else UNITS  # a day is said in hours: policies speak of 24 h
    parts: list[str] = []
    for unit, size in units:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    return " ".join(part for part in parts[:2] if part) or "0 s"


def when(at: datetime, *, now: datetime) -> str:
    """An instant as a person reads it: "in 1 min 58 s (14:32:10)"; "now" when it is not in the future."""
    if at <= now:
        return "now"
    local, today = at.astimezone(), now.astimezone()
    clock = f"{local:%H:%M:%S}" if local.date() == today.date() else f"{local:%Y-%m-%d %H:%M:%S}"
    return f"in {lasting(at - now)} ({clock})"


def machine(at: datetime | None) -> str | None:
    """An instant as a program reads it: ISO 8601 in UTC, milliseconds, `Z`."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
