"""Twilio's own parameters reach the wire as they were meant, or are refused before it by name and without a value."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otpcore.conformance.provider import MisbehavingServer, WireAnswer, WireRequest
from otpcore.errors import ConfigurationError
from otpcore.ports import Accepted, CheckAnswer, CheckRequest, CheckVerdict, Failure, FailureKind, SendEffect
from otpcore.ports import SendRequest as Send
from otpcore_twilio import TwilioProvider, TwilioSettings
from otpcore_twilio.parameters import OF_CHECKS, OF_SENDS

SID = "VE" + "a" * 32
HJ = "HJ" + "0" * 32
PHONE = "+12025550123"
NOWHERE = "http://127.0.0.1:9"
MakeSend = Callable[..., Send]
MakeSettings = Callable[..., TwilioSettings]


class Ask(Protocol):
    def __call__(self, settings: TwilioSettings, *requests: Send | CheckRequest | str) -> list[Any]: ...


GOOD: dict[str, list[str]] = {
    "Amount": ["€39.99", "1"],
    "AppHash": ["FA+9qCX9VSu", "He42w354ol9"],
    "ChannelConfiguration": [
        *('{"from": "a@example.com", "from_name": "A"}', '{"from_name": "é"}'),
        '{"from": "a@example.com", "template_id": "d-1", "substitutions": {"name": "Ann", "n": 1}}',
    ],
    "CustomFriendlyName": ["Acme", "é" * 32],
    "DeviceIp": ["192.0.2.1", "2001:db8::1"],
    "EnableSnaClientToken": ["true", "false"],
    "Payee": ["Acme & Söhne", "x" * 128],
    "RateLimits": ['{"end_user": "192.0.2.1"}', '{"a": 1, "b": "2"}'],
    "RiskCheck": ["enable", "disable"],
    "SendDigits": ["1234", "w*#W9"],
    "Tags": ['{"k": "v"}', json.dumps({f"{n}": "v" * 128 for n in range(10)}), '{"é": "\\u00e9"}'],
    "TemplateCustomSubstitutions": ['{"name": "Ann"}', "{}"],
    "TemplateSid": [HJ, "HJ" + "aF" * 16],
    "Templates": [json.dumps([{"sid": HJ, "substitutions": {"a": "b"}}]), json.dumps([{"sid": HJ}] * 10)],
    "SnaClientToken": ["abc-DEF.123_=", "x" * 1000],
}

BAD: dict[str, list[str]] = {
    "Amount": ["", " ", "1" * 129],
    "AppHash": ["", "FA+9qCX9VS", "FA+9qCX9VSu=", "FA 9qCX9VSu"],
    "ChannelConfiguration": [
        *("", "x", "[]", '{"from": "no address"}', '{"from": null}', '{"a": {}}'),
        *('{"substitutions": []}', '{"substitutions": {"a": {}}}', '{"substitutions": "a"}'),
    ],
    "CustomFriendlyName": ["", "  ", "é" * 33],
    "DeviceIp": ["", "1.2.3", "1.2.3.256", "localhost", "192.0.2.1, 10.0.0.1", "fe80::1%eth0", "192.0.2.0/24"],
    "EnableSnaClientToken": ["", "True", "1", "yes"],
    "Payee": ["", "\u2003", "x" * 129],
    "RateLimits": ["", "{}", "[]", "null", '{"a": []}', '{"a": true}', '{"a": null}', '{"a": "b"', "{'a': 'b'}"],
    "RiskCheck": ["", "Enable", "off"],
    "SendDigits": ["", "12 34", "p", "1" * 33, "\N{ARABIC-INDIC DIGIT ONE}"],
    "Tags": [
        *("", "{}", "[]", '"x"', "NaN", '{"a": NaN}', '{"a": {"b": "c"}}', "[" * 50_000),
        json.dumps({f"{n}": "v" for n in range(11)}),
        json.dumps({"k": "v" * 129}),
        json.dumps({"k" * 129: "v"}),
    ],
    "TemplateCustomSubstitutions": ["", "[]", "x", '{"a": {}}', '{"a": Infinity}'],
    "TemplateSid": ["", "HJ", HJ + "0", "VE" + "0" * 32, "HJ" + "g" * 32, f"{HJ}/.."],
    "Templates": [
        *("", "[]", "{}", "[1]", "[{}]", '[{"sid": 1}]', "[" * 50_000, json.dumps([{"sid": HJ}] * 11)),
        json.dumps([{"sid": HJ, "substitutions": []}]),
        json.dumps([{"sid": HJ, "substitutions": {"a": {}}}]),
        json.dumps([{"sid": HJ, "url": "x"}]),
    ],
    "SnaClientToken": ["", "a b", "é", "x" * 1001],
}
PAYMENT = {"Amount": "€39.99", "Payee": "Acme"}


def cases(table: dict[str, list[str]], names: Any) -> list[tuple[str, str]]:
    return [(name, value) for name, values in table.items() if name in names for value in values]


def echo(request: WireRequest) -> WireAnswer:
    """What Twilio says: the verification, and the payment that it is bound to."""
    bound = {"amount": request.form.get("Amount"), "payee": request.form.get("Payee")}
    if request.path.endswith("/Verifications"):
        return WireAnswer.of_json(201, {"sid": SID, "status": "pending", "valid": False, "to": PHONE, **bound})
    return WireAnswer.of_json(200, {"sid": SID, "status": "approved", "valid": True, "to": PHONE, **bound})


@pytest.fixture(scope="module")
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer(echo) as server:
        yield server


def for_payment(name: str) -> dict[str, Any]:
    return {"psd2_enabled": name in PAYMENT}


def test_every_parameter_has_cases_of_both_kinds() -> None:
    assert set(GOOD) == set(BAD) == set(OF_SENDS) | set(OF_CHECKS)


@pytest.mark.parametrize(("name", "value"), cases(GOOD, OF_SENDS))
def test_a_parameter_of_a_send_reaches_the_wire_as_it_was_given(
    name: str, value: str, server: MisbehavingServer, settings_for: MakeSettings, a_send: MakeSend, ask: Ask
) -> None:
    extra = {name: value} | ({one: PAYMENT[one] for one in PAYMENT.keys() - {name}} if name in PAYMENT else {})
    (outcome,) = ask(settings_for(server.origin, **for_payment(name)), a_send(extra=extra))
    assert isinstance(outcome, Accepted), outcome
    assert server.requests[-1].form == {"To": PHONE, "Channel": "sms", **extra}


@pytest.mark.parametrize(("name", "value"), cases(BAD, OF_SENDS))
def test_a_misshapen_parameter_of_a_send_is_refused_by_name_and_never_shown(
    name: str, value: str, settings_for: MakeSettings, a_send: MakeSend
) -> None:
    extra = (PAYMENT if name in PAYMENT else {}) | {name: value}
    outcome = TwilioProvider(settings_for(NOWHERE, **for_payment(name))).send(a_send(extra=extra))
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.CONTENT_REJECTED, SendEffect.NOT_SENT)
    assert outcome.detail == f"{name} must be {OF_SENDS[name].rule}"


@pytest.mark.parametrize(("name", "value"), cases(GOOD, OF_CHECKS))
def test_a_parameter_of_a_check_reaches_the_wire_as_it_was_given(
    name: str, value: str, server: MisbehavingServer, settings_for: MakeSettings, ask: Ask
) -> None:
    extra = {name: value} | ({one: PAYMENT[one] for one in PAYMENT.keys() - {name}} if name in PAYMENT else {})
    (answer,) = ask(settings_for(server.origin, **for_payment(name)), CheckRequest(SID, None, "123456", 5.0, extra))
    assert answer.verdict is CheckVerdict.APPROVED
    code = {} if name == "SnaClientToken" else {"Code": "123456"}
    assert server.requests[-1].form == {"VerificationSid": SID, **code, **extra}


@pytest.mark.parametrize(
    ("name", "value"), [*cases(BAD, OF_CHECKS), ("Payee", "a\r\nb"), ("Channel", "sms"), ("To", PHONE)]
)
def test_a_misshapen_parameter_of_a_check_is_denied_without_asking(
    name: str, value: str, settings_for: MakeSettings
) -> None:
    extra = (PAYMENT if name in PAYMENT else {}) | {name: value}
    provider = TwilioProvider(settings_for(NOWHERE, **for_payment(name)))
    answer = provider.check(CheckRequest(SID, None, "123456", 5.0, extra))
    assert isinstance(answer, CheckAnswer)
    assert answer.verdict is CheckVerdict.DENIED
    assert not value.strip() or len(value) < 4 or value not in answer.detail


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tags=st.dictionaries(
        st.text(max_size=128), st.text(max_size=128) | st.integers(-(10**9), 10**9), min_size=1, max_size=10
    ),
    escaped=st.booleans(),
)
def test_whatever_tags_hold_they_arrive_whole_or_not_at_all(
    tags: dict[str, str | int], escaped: bool, server: MisbehavingServer, settings_for: MakeSettings, a_send: MakeSend
) -> None:
    before = len(server.requests)
    provider = TwilioProvider(settings_for(server.origin))
    outcome = provider.send(a_send(extra={"Tags": json.dumps(tags, ensure_ascii=escaped)}))
    provider.close()
    if isinstance(outcome, Failure):
        assert outcome.effect is SendEffect.NOT_SENT
        assert len(server.requests) == before
    else:
        assert json.loads(server.requests[-1].form["Tags"]) == tags


DEFAULTS: dict[str, Any] = {
    "channels": ("sms", "call", "whatsapp", "email", "sna", "auto"),
    "locale": "fr",
    "template_sid": HJ,
    "friendly_name": "Acme",
    "risk_check": "disable",
    "rate_limits": ("by_source", "by_session"),
}
COUNTED = {"RateLimits": '{"by_source": "ps", "by_session": "ps"}'}


@pytest.mark.parametrize(
    ("channel", "wanted"),
    [
        ("sms", {"Locale": "fr", "TemplateSid": HJ, "CustomFriendlyName": "Acme", "RiskCheck": "disable"}),
        ("call", {"Locale": "fr", "TemplateSid": HJ, "CustomFriendlyName": "Acme"}),
        ("whatsapp", {"Locale": "fr", "CustomFriendlyName": "Acme"}),
        ("email", {"CustomFriendlyName": "Acme"}),
        ("auto", {"CustomFriendlyName": "Acme", "EnableSnaClientToken": "true"}),
        ("sna", {"EnableSnaClientToken": "true"}),
    ],
)
def test_the_settings_fill_what_a_call_leaves_open_where_the_channel_has_it(
    channel: str,
    wanted: dict[str, str],
    server: MisbehavingServer,
    settings_for: MakeSettings,
    a_send: MakeSend,
    ask: Ask,
) -> None:
    to = "ann@example.com" if channel == "email" else PHONE
    given = settings_for(server.origin, **DEFAULTS)
    assert isinstance(ask(given, a_send(to, channel=channel, source="ps"))[0], Accepted)
    assert server.requests[-1].form == {"To": to, "Channel": channel, **wanted, **COUNTED}


def test_what_the_call_says_wins_over_the_settings(
    server: MisbehavingServer, settings_for: MakeSettings, a_send: MakeSend, ask: Ask
) -> None:
    given = settings_for(server.origin, **DEFAULTS)
    other = "HJ" + "1" * 32
    extra = {"TemplateSid": other, "CustomFriendlyName": "Other", "RiskCheck": "enable"}
    extra["RateLimits"] = '{"by_session": "mine", "third": 3}'
    ask(given, a_send(locale="de", extra=extra, source="ps"))
    form = dict(server.requests[-1].form)
    assert json.loads(form.pop("RateLimits")) == {"by_source": "ps", "by_session": "mine", "third": 3}
    del extra["RateLimits"]
    assert form == {"To": PHONE, "Channel": "sms", "Locale": "de", **extra}
    several = json.dumps([{"sid": other}])
    ask(given, a_send(extra={"Templates": several}))
    form = dict(server.requests[-1].form)
    assert (form["Templates"], "TemplateSid" in form, "RateLimits" in form) == (several, False, False)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"template_sid": "HJ"}, "template_sid"),
        ({"locale": "fr&Channel=call"}, "locale"),
        ({"friendly_name": "a\nb"}, "friendly_name"),
        ({"friendly_name": "x" * 33}, "friendly_name"),
        ({"rate_limits": ("a b",)}, "rate_limits"),
        ({"webhook_secret": "a\nb"}, "webhook_secret"),
    ],
)
def test_defaults_that_no_message_could_have_are_refused_when_the_provider_is_built(
    changes: dict[str, Any], named: str, settings_for: MakeSettings
) -> None:
    with pytest.raises(ConfigurationError, match=named) as caught:
        TwilioProvider(settings_for(NOWHERE, **changes))
    assert not any(str(value) in str(caught.value) for value in changes.values() if str(value) != "HJ")


@pytest.mark.parametrize(
    ("channel", "to", "kind"),
    [
        ("email", PHONE, FailureKind.INVALID_RECIPIENT),
        ("email", "ann@example.com\r\nX: y", FailureKind.INVALID_RECIPIENT),
        ("sms", "ann@example.com", FailureKind.INVALID_RECIPIENT),
        ("rcs", PHONE, FailureKind.CHANNEL_UNREACHABLE),
        ("voice", PHONE, FailureKind.CHANNEL_UNREACHABLE),
    ],
)
def test_a_channel_takes_its_own_kind_of_recipient(
    channel: str, to: str, kind: FailureKind, settings_for: MakeSettings, a_send: MakeSend
) -> None:
    outcome = TwilioProvider(settings_for(NOWHERE, **DEFAULTS)).send(a_send(to, channel=channel))
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (kind, SendEffect.NOT_SENT)


def test_the_channels_are_those_of_the_setting(settings_for: MakeSettings) -> None:
    assert TwilioProvider(settings_for(NOWHERE)).capabilities.channels == {"sms", "call", "whatsapp"}
    given = TwilioSettings.model_validate({"channels": "sms, email", "rate_limits": "a,b"})
    assert (given.channels, given.rate_limits) == (("sms", "email"), ("a", "b"))
    for wrong in ("", "voice", "sms,rcs"):
        with pytest.raises(ValueError, match="channels"):
            TwilioSettings.model_validate({"channels": wrong})


def test_a_code_of_the_core_goes_with_neither_a_payment_nor_a_silent_authentication(
    settings_for: MakeSettings, a_send: MakeSend
) -> None:
    all_four = ("sms", "sna", "auto", "call")
    own = TwilioProvider(settings_for(NOWHERE, custom_code_enabled=True, channels=all_four))
    payments = TwilioProvider(settings_for(NOWHERE, custom_code_enabled=True, psd2_enabled=True, channels=all_four))
    refused = [
        *(own.send(a_send(code="123456", channel=channel)) for channel in ("sna", "auto")),
        *(payments.send(a_send(extra=PAYMENT, channel=channel)) for channel in ("sna", "auto", "call")),
        payments.send(a_send(code="123456", extra=PAYMENT)),
    ]
    for outcome in refused:
        assert isinstance(outcome, Failure)
        assert (outcome.kind, outcome.effect) == (FailureKind.CONTENT_REJECTED, SendEffect.NOT_SENT)
