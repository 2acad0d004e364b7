"""Texts that must not reach a telephone, and what a browser makes of a message."""

from __future__ import annotations

from typing import Final

__all__ = ["BIDI", "HOSTILE", "bound"]

BIDI: Final = tuple("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

HOSTILE: Final = (
    *("{code.__class__}", "{code.__class__.__init__.__globals__}", "{code[0]}", "{code!r}", "{code:>99}", "{0}", "{}"),
    *("{code:{minutes}}", "{{code}}", "{{7*7}}", "{%print(1)%}", "{", "}", "{ code }", "{Code}", "{recipient}"),
    *("%n", "%s", "%(code)s", "%x%x", "%%", "${7*7}", "$(id)", "<%= 7*7 %>", "#{7*7}"),
    *("\r", "\r\n", "\x00", "\x1b[2J", "\x08", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\u200b", "\x0c", "\t"),
    *("\ud800", "\ue000", "\U000e0041"),
    *BIDI,
)


def bound(message: str) -> tuple[str, str] | None:
    """Host and code, as section 3.2 of "Origin-bound one-time codes delivered via SMS" has a browser read them."""
    line = message.replace("\r\n", "\n").replace("\r", "\n").split("\n")[-1]
    host, space, rest = line.partition(" ")
    code = rest.split(" ")[0]
    if not host.startswith("@") or not space or not code.startswith("#") or len(host) < 2 or len(code) < 2:
        return None
    return host[1:], code[1:]
