"""What a gateway is told: texts with fixed placeholders, `Your sender is {sender}`, in a tree of fields.

A placeholder is a name in braces and nothing else: no attribute, no index, no format, no expression, and no way to
write a brace or a per cent sign, because something behind the gateway may expand it. A value takes the place of its
placeholder and is never read again, so what a message holds is a message.

Rules of this file: pure. A template is judged when it is read; filling one cannot fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, cast

__all__ = ["COUNTED", "PLACEHOLDERS", "Values", "fill", "fill_tree", "placeholders_of", "problems_of", "texts_of"]

Values = Mapping[str, str | None]
"""What stands for each placeholder; None: there is nothing, and the field that is made of it alone is left out."""

PLACEHOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "recipient": "the number, +12025550123",
        "recipient_digits": "the same without its plus",
        "text": "the message, the code in it",
        "send_id": "the id of this send, new for each",
        "sender": "the setting `sender`; a field of it alone is left out where it is not set",
        "ttl_s": "seconds for which the code still lives, at least 1; alone in a JSON value it is a number",
        "ttl_minutes": "the same in whole minutes, at least 1; alone in a JSON value it is a number",
        "expires_at": "when the code ends, 2026-11-30T12:00:00Z",
        "coding": "0 where the message is of the GSM 03.38 alphabet, 2 where it needs UCS-2 (3GPP TS 23.038)",
        "dlt_entity_id": "India: the sender's id in DLT; a field of it alone is left out where the message has none",
        "dlt_template_id": "India: the registered text's id in DLT; likewise",
        "receipt_url": "where the vendor tells what became of this message; only in `receipts.request`",
    }
)
"""Every placeholder, beside the names of the gateway's secrets, and what stands for it."""

COUNTED: Final = frozenset({"ttl_s", "ttl_minutes"})

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DEEPEST: Final = 8


def placeholders_of(template: str) -> list[str]:
    """The placeholders of a template, in order."""
    return _PLACEHOLDER.findall(template)


def problems_of(template: str, known: frozenset[str]) -> list[str]:
    """What is wrong with a template; empty where nothing is. The placeholder is named, no other text is.

    Args:
        template: as the operator wrote it.
        known: the placeholders that may stand here.
    """
    found: list[str] = []
    unknown = sorted({name for name in placeholders_of(template) if name not in known})
    if unknown:
        found.append(f"{{{'}, {'.join(unknown)}}} cannot stand here; what can: {', '.join(sorted(known))}")
    rest = _PLACEHOLDER.sub("", template)
    if "{" in rest or "}" in rest:
        found.append("a brace belongs to a placeholder, which is a plain name: {text}")
    if "%" in rest:
        found.append("a per cent sign may be expanded by the gateway and is refused")
    if _CONTROL.search(rest):
        found.append("there is a control character")
    return found


def fill(template: str, values: Values) -> str:
    """The text with its values; what has none is empty."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1]) or "", template)


def texts_of(tree: object, place: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every template of a tree, and every name, with where it stands.

    Raises:
        ValueError: the tree holds what is no JSON, or is too deep.
    """
    if depth > _DEEPEST:
        raise ValueError(f"{place} is nested too deeply")
    if isinstance(tree, str):
        yield place, tree
    elif isinstance(tree, Mapping):
        for name, value in cast("Mapping[str, object]", tree).items():
            yield from texts_of(value, f"{place}.{name}", depth + 1)
    elif isinstance(tree, list | tuple):
        for number, value in enumerate(cast("Sequence[object]", tree)):
            yield from texts_of(value, f"{place}.{number}", depth + 1)
    elif not isinstance(tree, int | float):
        raise ValueError(f"{place} is no text, number, truth value, list or table")  # noqa: TRY004  # one error of reading


def fill_tree(tree: object, values: Values, *, counted: bool) -> object:
    """The tree with its values, fields that have none left out.

    Args:
        tree: of templates, judged.
        values: for every placeholder in it.
        counted: a number that stands alone is a number.
    """
    if isinstance(tree, str):
        text = fill(tree, values)
        return int(text) if counted and tree[1:-1] in COUNTED and placeholders_of(tree) == [tree[1:-1]] else text
    if isinstance(tree, Mapping):
        fields = cast("Mapping[str, object]", tree).items()
        kept = [(name, value) for name, value in fields if not _has_nothing(value, values)]
        return {name: fill_tree(value, values, counted=counted) for name, value in kept}
    if isinstance(tree, list | tuple):
        items = cast("Sequence[object]", tree)
        return [fill_tree(value, values, counted=counted) for value in items if not _has_nothing(value, values)]
    return tree


def _has_nothing(template: object, values: Values) -> bool:
    """Whether it is one placeholder alone, which nothing stands for."""
    alone = _PLACEHOLDER.fullmatch(template) if isinstance(template, str) else None
    return alone is not None and values.get(alone[1]) is None
