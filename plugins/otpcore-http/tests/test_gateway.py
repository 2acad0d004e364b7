"""A declaration is judged as a whole when it is read, and a refusal says where and why, and quotes no value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from otpcore.errors import ConfigurationError
from otpcore.ports import CodeOwner
from otpcore_http import PRESETS, HttpSettings, build, mapped, preset, read_gateway
from otpcore_http.gateway import read_table
from otpcore_http.presets import preset_file

SECRET = "s3cret-value-0123456789"


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


def receipts(**changes: Any) -> dict[str, Any]:
    """Receipts that can be used, and what belongs to them."""
    rules = {
        "place": "json",
        "auth": {"kind": "hmac", "secret": "key", "header": "X-Signature"},
        "handle": "id",
        "recipient": "to",
        "state": "state",
        "states": {"ok": "delivered", "no": "failed"},
    } | changes
    return {"secrets": ["api_key", "key"], "receipts": rules}


TICKET = {"kind": "ticket", "secret": "key"}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"url": "http://api.pigeon.example/v1"}, "plain http"),
    ({"url": "http://127.0.0.1.pigeon.example/v1"}, "plain http"),
    ({"url": "ftp://api.pigeon.example/v1"}, "https or http"),
    ({"url": "https://us:pass@api.pigeon.example/v1"}, "user information"),
    ({"url": "https://api.pigeon.example/v1?to={recipient}"}, "query"),
    ({"url": "https://{recipient}.pigeon.example/v1"}, "segments of the path"),
    ({"url": "https://api.pigeon.example/{text}"}, "{text} cannot stand here"),
    ({"url": "https://api.pigeon.example/a/../b"}, "dot"),
    ({"url": "https://api.pigeon.example/a//b"}, "empty"),
    ({"url": "https://[::1"}, "cannot be read"),
    ({"method": "GET"}, "a GET has no body"),
    ({"method": "DELETE"}, "method"),
    ({"form": {"a": "b"}}, "one body"),
    ({"json": {"to": "{recipient}"}}, "no field has {text}"),
    ({"json": {"text": "{text}"}}, "no field has {recipient}"),
    ({"json": {"to": "{recipient}", "text": "{words}"}}, "{words} cannot stand here"),
    ({"headers": {"X-To": "{recipient}"}}, "{recipient} cannot stand here"),
    ({"headers": {"X To": "x"}}, "headers"),
    ({"secrets": ["api_key", "other"]}, "no field has the secret other"),
    ({"secrets": ["api_key", "text"]}, "name of its own"),
    ({"auth": {"kind": "bearer", "token": SECRET}}, "none is written down here"),
    ({"auth": {"kind": "digest"}}, "auth"),
    ({"success": []}, "success"),
    ({"success": [{"statuses": [101]}]}, "success.0.statuses"),
    ({"success": [{"statuses": [200], "path": "a..b", "values": ["ok"]}]}, "a path is"),
    ({"success": [{"statuses": [200], "path": "a.b"}]}, "values"),
    ({"success": [{"statuses": [200], "pattern": "(", "values": ["ok"]}]}, "no regular expression"),
    ({"success": [{"statuses": [200], "pattern": "ok", "values": ["ok"]}]}, "one group"),
    ({"id": {}}, "give one of"),
    ({"id": {"path": "id", "send_id": True}}, "give one of"),
    ({"id": {"path": "$.id"}}, "a path is"),
    ({"id": {"path": ".".join("a" * 11)}}, "a path is"),
    ({"id": {"send_id": True}}, "the vendor is not told it"),
    ({"errors": [{"kind": "transient"}]}, "`status` or `code`"),
    ({"errors": [{"status": 400, "kind": "odd"}]}, "errors.0.kind"),
    ({"errors": [{"code": "1", "kind": "transient"}]}, "where one stands"),
    ({"errors": [{"status": 400, "kind": "transient"}] * 2}, "errors.1 is never reached"),
    (
        {
            "codes": ["e"],
            "errors": [{"status": 400, "kind": "timeout"}, {"status": 400, "code": 7, "kind": "timeout"}],
        },
        "errors.1 is never reached",
    ),
    ({"cost": {"path": "cost", "currency": "kr"}}, "cost.currency"),
    ({"colour": "red"}, "colour"),
    (receipts(auth={"kind": "none"}), "receipts.auth"),
    (receipts(auth={"kind": "path", "secret": "else"}), "not among"),
    (receipts(states={"ok": "delivered"}), "a bad end"),
    (receipts(states={"ok": "arrived", "no": "failed"}), "receipts.states.ok"),
    (receipts(states={}), "a good end"),
    (receipts(handle=None), "`handle` and `recipient`"),
    (receipts(place="form", state="a.b"), "one name"),
    (receipts(auth={"kind": "hmac", "secret": "key", "header": "X-S", "timestamp": "X-T"}), "must be among"),
    (receipts(auth={"kind": "hmac", "secret": "key", "header": "X-S", "signed": ["timestamp"]}), "the body"),
    (receipts(auth={"kind": "hmac", "secret": "key", "header": "X-S", "window_s": 301}), "window_s"),
    (receipts(auth=TICKET, request={"u": "{receipt_url}"}), "a ticket holds"),
    (receipts(auth=TICKET, handle=None, recipient=None), "must be told where"),
    (receipts(auth=TICKET, handle=None, recipient=None, request={"u": "{receipt_url}"}), "say id"),
    (receipts(callback={"state": "a&b"}), "callback"),
]


@pytest.mark.parametrize(("changes", "told"), WRONG, ids=[f"{number}-{told}" for number, (_, told) in enumerate(WRONG)])
def test_what_cannot_be_is_refused_with_its_place_and_rule(changes: dict[str, Any], told: str) -> None:
    read_gateway(table())  # the rest can be used
    with pytest.raises(ConfigurationError) as refusal:
        read_gateway(table(**changes), "pigeon.toml")
    assert told in str(refusal.value)
    assert "pigeon.toml" in str(refusal.value)
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:13013"])
def test_plain_http_goes_to_this_machine_alone(host: str) -> None:
    assert read_gateway(table(url=f"http://{host}/send")).url


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_data_with_its_source(name: str) -> None:
    gateway = preset(name)
    assert "2026-11-30" in gateway.documentation
    assert gateway.receipts is not None
    assert preset_file(name).suffix == ".toml"


def test_a_preset_that_is_not_there_is_named_by_its_neighbours() -> None:
    with pytest.raises(ConfigurationError, match="kannel"):
        preset("../settings")


def test_what_is_given_beside_the_declaration_is_judged_too() -> None:
    gateway = read_gateway(table(**receipts(auth={"kind": "path", "secret": "key"})))
    for secrets, told in (
        ({}, "the secret api_key is missing"),
        ({"api_key": SECRET, "other": SECRET}, "there is no secret other"),
        ({"api_key": SECRET, "key": "short"}, "fewer than 20"),
        ({"api_key": SECRET, "key": "é" * 20}, "printable ASCII"),
        ({"api_key": SECRET, "key_previous": SECRET}, "without key"),
    ):
        with pytest.raises(ConfigurationError) as refusal:
            mapped(gateway, secrets)
        assert told in str(refusal.value)
        assert SECRET not in str(refusal.value)
    assert not hasattr(mapped(gateway, {"api_key": SECRET}), "parse_receipt")
    assert hasattr(mapped(gateway, {"api_key": SECRET, "key": SECRET}), "parse_receipt")


@pytest.mark.parametrize("url", ["", "http://otp.example.com/r", "https://us@otp.example.com/r", "https://x/%41", "/r"])
def test_a_ticket_needs_a_url_that_nobody_can_read_on_the_way(url: str) -> None:
    with pytest.raises(ConfigurationError, match="receipt_url"):
        mapped(preset("kannel"), {"username": "u", "password": "p", "receipt_secret": SECRET}, receipt_url=url)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for text in ("name = ", "name = 'x'\nname = 'y'", "x" * (2**18 + 1)):
        file = tmp_path / "pigeon.toml"
        file.write_text(text)
        with pytest.raises(ConfigurationError, match=r"pigeon\.toml"):
            read_table(file)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_table(tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match="file"):
        build(HttpSettings())


def test_a_provider_of_a_file_delivers_codes_of_the_core(tmp_path: Path) -> None:
    file = tmp_path / "kannel.toml"
    file.write_text(preset_file("kannel").read_text())
    settings = HttpSettings.model_validate({"file": file, "secrets": '{"username": "u", "password": "p"}'})
    provider = build(settings)
    assert provider.capabilities.code_owners == {CodeOwner.CORE}
    assert provider.capabilities.channels == {"sms"}
    assert "p" not in repr(settings.secrets["password"])
    provider.close()
