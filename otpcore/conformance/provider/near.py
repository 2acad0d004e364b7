"""Answers near to the one that approves, none of which does.

Rules of this file: what is answered; no check.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, cast

from hypothesis import strategies as st

from otpcore.conformance.provider.misbehaving import WireAnswer

__all__ = ["GONE", "changed", "near_answers", "of_others"]

GONE: Final = object()
"""In the place of a value: its name goes too."""

_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


def _near(success: object) -> st.SearchStrategy[Any]:
    """Values that are not the success, some of them close to it."""
    text = str(success)
    close = [text.upper(), text.title(), f"{text} ", f" {text}", text[:-1], f"{text}d", [success], {text: success}, ""]
    return st.sampled_from([value for value in [*close, True, 1, None] if value != success]) | _anything.filter(
        lambda value: value != success
    )


def changed(document: object, change: Callable[[str, object], object]) -> Any:
    """The document with what `change` makes of each value, however deep, and of its name ("" in a list)."""
    if isinstance(document, Mapping):
        inner = cast("Mapping[str, object]", document).items()
        found = {name: change(name, changed(value, change)) for name, value in inner}
        return {name: value for name, value in found.items() if value is not GONE}
    if isinstance(document, list):
        items = [change("", changed(value, change)) for value in cast("list[object]", document)]
        return [value for value in items if value is not GONE]
    return document


def near_answers(approval: WireAnswer, field: str, success: object) -> st.SearchStrategy[WireAnswer]:
    """Near misses of the deciding field wherever it is, other documents, other statuses.

    Args:
        approval: what approves.
        field: the name in it that decides, and
        success: the one value of it that approves.
    """
    document: object = json.loads(approval.body)

    def saying(value: object) -> object:
        return changed(document, lambda name, old: value if name == field and old == success else old)

    assert saying(GONE) != document, f"the vendor's approval has no {field} that is {success!r}"
    bodies = (_near(success).map(saying) | st.just(saying(GONE)) | _anything).map(
        lambda said: json.dumps(said).encode()
    )
    return (
        bodies.map(lambda body: replace(approval, body=body))
        | st.binary(max_size=20).map(lambda body: replace(approval, body=body))
        | st.sampled_from([400, 404, 429, 500, 502, 503, 504]).map(lambda status: replace(approval, status=status))
    )


def of_others(approval: WireAnswer, handle: str) -> list[WireAnswer]:
    """The same word about somebody else's verification; empty where the answer does not name the verification."""
    document: object = json.loads(approval.body)

    def about(other: object) -> object:
        return changed(document, lambda _, old: other if old == handle else old)

    others = [about(other) for other in (handle[:-1], f"{handle}0", f"{handle[::-1]}0", None, GONE, [handle])]
    return [replace(approval, body=json.dumps(said).encode()) for said in others if said != document]
