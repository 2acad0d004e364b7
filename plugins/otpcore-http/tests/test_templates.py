"""A template is placeholders and plain text: what an operator cannot write, and what a message cannot become."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otpcore.errors import ConfigurationError
from otpcore_http import read_gateway
from otpcore_http.templates import PLACEHOLDERS, fill, fill_tree, placeholders_of, problems_of

KNOWN = frozenset(PLACEHOLDERS)
INJECTIONS = (
    "{code.__class__}",
    "{text.__class__}",
    "{text[0]}",
    "{text!r}",
    "{text:>9}",
    "{{text}}",
    "{{7*7}}",
    "{%text%}",
    "%n",
    "100%",
    "{",
    "}",
    "{}",
    "{0}",
    "{code}",
    "{Text}",
    "${text}{",
    "a\nb",
    "a\x00b",
)


def table(**changes: Any) -> dict[str, Any]:
    """A gateway that can be used."""
    return {
        "name": "Pigeon",
        "url": "https://api.pigeon.example/v1/messages",
        "secrets": ["api_key"],
        "auth": {"kind": "bearer", "token": "{api_key}"},
        "json": {"to": "{recipient}", "text": "{text}"},
        "success": [{"statuses": [201]}],
        "id": {"path": "id"},
    } | changes


@pytest.mark.parametrize("injected", INJECTIONS)
@pytest.mark.parametrize("place", ["json", "form", "query", "headers", "url", "auth", "receipts"])
def test_what_is_no_plain_placeholder_is_refused_when_the_file_is_read(injected: str, place: str) -> None:
    every: dict[str, dict[str, Any]] = {
        "json": {"json": {"to": "{recipient}", "text": "{text}", "more": [{"deep": injected}]}},
        "form": {"json": None, "form": {"to": "{recipient}", "text": "{text}", "more": injected}},
        "query": {"query": {"more": injected}},
        "headers": {"headers": {"X-More": injected}},
        "url": {"url": f"https://api.pigeon.example/v1/{injected}/messages"},
        "auth": {"auth": {"kind": "bearer", "token": f"{{api_key}}{injected}"}},
        "receipts": {
            "id": {"send_id": True},
            "secrets": ["api_key", "key"],
            "receipts": {
                "place": "query",
                "auth": {"kind": "ticket", "secret": "key"},
                "state": "s",
                "states": {"1": "delivered", "2": "failed"},
                "request": {"report": "{receipt_url}", "more": injected},
            },
        },
    }
    written = every[place]
    with pytest.raises(ConfigurationError):
        read_gateway(table(**written))


@pytest.mark.parametrize("injected", INJECTIONS)
def test_what_a_message_holds_is_a_message(injected: str) -> None:
    assert fill("<{text}>", {"text": injected}) == f"<{injected}>"
    tree = {"a": ["{text}", 1, True], "b": {"{text}": "x{sender}{text}"}}
    filled = fill_tree(tree, {"text": injected, "sender": "{text}"}, counted=True)
    assert filled == {"a": [injected, 1, True], "b": {"{text}": "x{text}" + injected}}


@given(
    st.lists(st.sampled_from(["{text}", "{recipient}", "{", "}", "%", "{code}", "a"]) | st.text(max_size=3)).map(
        "".join
    )
)
def test_a_template_that_is_not_refused_gives_back_its_own_text_and_the_values(template: str) -> None:
    if problems_of(template, KNOWN):
        return
    values = dict.fromkeys(KNOWN, "{text}%n")
    filled = fill(template, values)
    own = filled.replace("{text}%n", "")
    assert filled.count("{text}%n") == len(placeholders_of(template))
    assert not {"{", "}", "%"} & {*own}


def test_a_number_that_stands_alone_is_one_and_a_field_of_nothing_is_left_out() -> None:
    tree = {"ttl": "{ttl_s}", "text": "in {ttl_s} s", "from": "{sender}", "list": ["{sender}", "{ttl_s}"]}
    values = {"ttl_s": "300", "sender": None}
    assert fill_tree(tree, values, counted=True) == {"ttl": 300, "text": "in 300 s", "list": [300]}
    assert fill_tree(tree, values, counted=False) == {"ttl": "300", "text": "in 300 s", "list": ["300"]}
