"""The pages that a reader meets, cut into what the tests judge: blocks, headings, links."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)
_SPAN = re.compile(r"\[?`[^`\n]*`")
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: the first word after the fence.
        role: the rest: "" for a part of the page's program, "file=NAME" for a file beside it, "fragment" for
            what is only parsed, "output" for what the program prints.
        text: what is between the fences.
    """

    language: str
    role: str
    text: str


def shown(page: Path) -> str:
    """As a test's id."""
    return str(page.relative_to(ROOT))


def read(page: Path) -> str:
    """The page's text."""
    return page.read_text("utf-8")


def blocks(text: str) -> list[Block]:
    """Every fenced block, in order."""
    found: list[Block] = []
    for info, body in _BLOCK.findall(text):
        language, _, role = info.strip().partition(" ")
        found.append(Block(language, role, body))
    return found


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return _BLOCK.sub("", text)


def links(text: str) -> list[str]:
    """Where the prose leads to, code spans left out."""
    return _LINK.findall(_SPAN.sub(lambda span: span[0] if span[0].startswith("[") else "", prose(text)))


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings."""
    seen: Counter[str] = Counter()
    found: set[str] = set()
    for heading in _HEADING.findall(prose(text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w -]", "", plain.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def rows(text: str, width: int) -> Iterator[tuple[str, ...]]:
    """The rows of the tables with so many columns, headers and rules left out."""
    for line in prose(text).splitlines():
        cells = tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        if len(cells) == width and not set("".join(cells)) <= set("-: "):
            yield cells
