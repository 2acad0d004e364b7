"""What reaches nobody is no provider for production (H9), and the ids of DLT go where the gateway's file puts them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import otpcore_http
from otpcore import open_engine
from otpcore.errors import ConfigurationError
from otpcore.ports import MessageText, SendRequest
from otpcore_http import AfricasTalkingSettings, ElksSettings, KannelSettings, build, build_async, mapped, read_gateway
from otpcore_http.command import would_ask
from otpcore_http.settings import SANDBOX, AndroidGatewaySettings

TO = "+919876543210"
GIVEN: dict[str, Any] = {"username": "otp", "password": "secret", "api_key": "secret", "sender": "Example"}
LIVE = "https://api.example.com/messages"
HERE = ["http://127.0.0.1:8080/a", "http://localhost:8080/a", "http://[::1]:8080/a", "HTTP://127.1.2.3/a"]


def capable(kind: Any, **settings: Any) -> tuple[bool, bool]:
    """Whether it is simulated, and whether it stands in; the same in both colours."""
    given = kind.model_validate(GIVEN | settings)
    awaited, can = build_async(given).capabilities, build(given).capabilities
    assert can == awaited
    return can.simulated, can.stands_in


@pytest.mark.parametrize("kind", [AfricasTalkingSettings, ElksSettings])
@pytest.mark.parametrize("url", HERE)
def test_a_public_vendor_on_this_machine_is_a_stand_in(kind: Any, url: str) -> None:
    assert capable(kind, url=url) == (True, True)


@pytest.mark.parametrize("kind", [AfricasTalkingSettings, ElksSettings])
@pytest.mark.parametrize("url", ["", LIVE, "https://127.0.0.1/through-a-tunnel"])
def test_elsewhere_it_is_the_vendor(kind: Any, url: str) -> None:
    assert capable(kind, url=url) == (False, False)


@pytest.mark.parametrize(
    "settings",
    [
        {"sandbox": True},
        {"url": SANDBOX},
        {"url": SANDBOX.replace("api.sandbox", "API.Sandbox").replace(".com", ".com:443")},
        {"url": SANDBOX.replace(".com/", ".com./")},
        {"url": LIVE, "sandbox": True},
    ],
)
def test_the_sandbox_is_one_by_whatever_setting(settings: dict[str, Any]) -> None:
    """Its messages reach a simulator, and nobody's telephone."""
    assert capable(AfricasTalkingSettings, **settings) == (True, False)


@pytest.mark.parametrize("url", HERE[:2])
def test_a_gateway_of_ones_own_may_run_on_this_machine(url: str) -> None:
    assert capable(KannelSettings, url=url) == (False, False)
    assert capable(AndroidGatewaySettings, url=url) == (False, False)


def test_a_production_setting_refuses_them_at_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """H9, through the environment, as an operator would start it."""
    chosen = {
        "OTPCORE_PRODUCTION": "1",
        "OTPCORE_PLUGINS": "http",
        "OTPCORE_PROVIDER": "46elks",
        "OTPCORE_PEPPER": "QfTZ0pX9v3yK1mWc7dRb5nLs8hGj2aEu4tIo6wVxYzA",
        "OTPCORE_46ELKS_USERNAME": "otp",
        "OTPCORE_46ELKS_PASSWORD": "secret",
        "OTPCORE_46ELKS_SENDER": "Example",
        "OTPCORE_46ELKS_URL": HERE[0],
    }
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="46elks"):
        open_engine().close()


# --- DLT ---------------------------------------------------------------------------------------------

PIGEON: dict[str, Any] = {
    "name": "Pigeon",
    "url": "https://api.pigeon.example/{dlt_template_id}/messages",
    "json": {
        "to": "{recipient}",
        "text": "{text}",
        "dlt": {
            "entity": "{dlt_entity_id}",
            "template": "{dlt_template_id}",
            "both": "{dlt_entity_id}/{dlt_template_id}",
        },
    },
    "success": [{"statuses": [201]}],
    "id": {"path": "id"},
}
IDS = {"entity_id": "1101000000000000001", "template_id": "1107000000000000001"}


def asked(dlt: dict[str, str], **changes: Any) -> Any:
    words = MessageText("918273 is your code.", 1, "kit", "en", dlt=dlt)
    ends = datetime.now(UTC) + timedelta(minutes=5)
    send = SendRequest("s1", TO, "sms", "login", "918273", None, ends, 8.0, message=words)
    return mapped(read_gateway(PIGEON | changes)).request(send)


def test_the_ids_of_a_template_are_placeholders() -> None:
    found = asked(IDS)
    entity, template = IDS.values()
    assert found.json["dlt"] == {"entity": entity, "template": template, "both": f"{entity}/{template}"}
    assert found.url == f"https://api.pigeon.example/{template}/messages"


def test_without_them_a_field_of_one_alone_is_left_out() -> None:
    found = asked({}, url="https://api.pigeon.example/messages")
    assert found.json["dlt"] == {"both": "/"}
    assert asked({"entity_id": "1"}, url="https://api.pigeon.example/messages").json["dlt"] == {
        "entity": "1",
        "both": "1/",
    }


def test_check_shows_where_they_go() -> None:
    told = json.dumps(would_ask(read_gateway(PIGEON | {"url": "https://api.pigeon.example/messages"}))["json"])
    assert '"entity": "{dlt_entity_id}"' in told
    assert '"template": "{dlt_template_id}"' in told


def test_every_preset_is_a_vendor_or_ones_own() -> None:
    """Who adds one has to say which."""
    known = {"http", "africastalking", "46elks", "kannel", "android-gateway"}
    assert {each.name for each in otpcore_http.otpcore_providers()} == known
