"""Whatever is asked, in whatever order: an answer or a refusal of Twilio's, and data that stays plain. No socket."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from otpcore_twilio.emulator import Account, Options, wire
from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.operations import OPERATIONS, Call
from otpcore_twilio.emulator.records import Holdings
from otpcore_twilio.emulator.resources import absent

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENT = Path(__file__).parents[5] / "shared" / "twilio" / "twilio_verify_v2.openapi.json"
ORIGIN = "http://127.0.0.1:1"
ALL = frozenset({"sms", "call", "whatsapp", "email", "sna", "auto"})
RIGHT = {
    "create_service": {"FriendlyName": "Shop", "CodeLength": "4"},
    "update_service": {"CustomCodeEnabled": "true", "MailerSid": "MD0"},
    "create_verification": {
        "To": "+12025550123",
        "Channel": "sms",
        "RateLimits": '{"ip": 1}',
        "Amount": "1",
        "Payee": "x",
    },
    "update_verification": {"Status": "approved"},
    "create_check": {"To": "+12025550123", "Code": "<code>", "Amount": "1", "Payee": "x"},
    "create_rate_limit": {"UniqueName": "ip"},
    "create_bucket": {"Max": "2", "Interval": "60"},
    "create_configuration": {"Country": "CA", "MessagingServiceSid": "MG" + "0" * 32},
    "update_configuration": {"MessagingServiceSid": "MG" + "1" * 32},
    "create_safe_number": {"PhoneNumber": "+12025550123"},
}
"""A request that can succeed, by operation; the others need no form."""

ELSE = [
    "To", "Channel", "Code", "VerificationSid", "Status", "Amount", "Payee", "CustomCode", "CustomFriendlyName",
    "Locale", "AppHash", "TemplateSid", "Templates", "TemplateCustomSubstitutions", "RateLimits", "Tags", "DeviceIp",
    "RiskCheck", "SendDigits", "ChannelConfiguration", "EnableSnaClientToken", "SnaClientToken", "FriendlyName",
    "CodeLength", "Psd2Enabled", "LookupEnabled", "DoNotShareWarningEnabled", "DefaultTemplateSid", "MailerSid",
    "Totp.CodeLength", "UniqueName", "Description", "Max", "Interval", "Country", "MessagingServiceSid",
    "PhoneNumber",
]  # fmt: skip
QUERY = [
    "PageSize", "Page", "PageToken", "DateCreatedAfter", "DateCreatedBefore", "ChannelData.To", "Country", "Channel",
    "VerifyServiceSid", "VerificationSid", "Status", "DestinationPrefix", "FriendlyName", "code",
]  # fmt: skip
LIKELY = {
    "To": ["+12025550124", "ada@example.org"],
    "Channel": ["call", "whatsapp", "email", "sna", "auto"],
    "Status": ["canceled", "converted"],
    "RateLimits": ['{"ip": "a"}', '{"ip": 1, "session": "b"}'],
    "Psd2Enabled": ["true", "false"],
    "PageSize": ["1", "2"],
    "PageToken": ["PA1", "PB3"],
    "TemplateCustomSubstitutions": ['{"contact": 1}'],
    "EnableSnaClientToken": ["true"],
}
PREFIXES = {"RateLimits/{sid}": "RK", "Buckets/{sid}": "BL", "Verifications/{sid}": "VE", "Attempts/{sid}": "VL"}
STRANGE = [
    "", " ", "0", "-1", "1.5", "true", "None", "null", "[]", "{}", '{"a": null}', '{"a": {"b": []}}', '[{"sid": 1}]',
    "[[]]", "NaN", '{"a": "\\ud800"}', '["\\udfff"]', "9" * 5_000, "[" * 5_000,
    "1e999", '{"a": 1e999}', "+", "+1", "@", "a@b.c", "../..", "%00", "\x00", "\ud7ff", "x" * 300,
    "\uff11\uff12\uff13\uff14", "\u0661\u0662\u0663\u0664", "9" * 40, "2026-11-02", "2026-11-02T12:00:00Z",
    "9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+23:00", "PA1", "PB999", "HJ" + "0" * 31 + "1",
    "HJ" + "0" * 31 + "2", "{{code}}", "{0}", "%s", "pt_BR", "fr",
]  # fmt: skip

PLACES = [
    place
    for place, (_, _, handler) in enumerate(OPERATIONS)
    for _ in range(8 if handler.__name__ in {"create_verification", "create_check"} else 1)
    if handler is not absent.not_emulated
]
Step = tuple[int, dict[str, str], dict[str, str], list[str], int, float]


def values(names: list[str]) -> st.SearchStrategy[dict[str, str]]:
    """A few parameters, some of them likely."""

    def of(name: str) -> st.SearchStrategy[str]:
        likely = st.sampled_from(LIKELY.get(name, STRANGE))
        return st.one_of(likely, likely, st.sampled_from([*STRANGE, "<sid>", "<code>"]), st.text(max_size=12))

    return st.lists(st.sampled_from(names), max_size=2).flatmap(
        lambda chosen: st.fixed_dictionaries({name: of(name) for name in chosen})
    )


STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(PLACES),
        values(ELSE),
        values(QUERY),
        st.lists(st.sampled_from(sorted({name for form in RIGHT.values() for name in form})), max_size=1),
        st.integers(0, 100),
        st.sampled_from([0.0] * 40 + [1.0, 61.0, 601.0, 90_000.0]),
    ),
    min_size=10,
    max_size=40,
)


class Walk:
    """One account, and every SID that it has told."""

    def __init__(self, judge: Callable[[str, str, int, str], None]) -> None:
        self.account = Account(Options(seed=1, channels=ALL, fetch_when_approved="approved"))
        self.account.clock.stop()
        self.judge = judge
        self.known = ["CA", "+12025550123", "nothing", self.account.service_sid]

    def take(self, step: Step) -> None:
        number, more, query, without, place, seconds = step
        self.account.clock.advance(seconds)
        method, path, handler = OPERATIONS[number]
        form = {name: value for name, value in (RIGHT.get(handler.__name__, {}) | more).items() if name not in without}
        names = {name: self._named(path, name, place) for name in re.findall(r"\{(\w+)", path)}
        told = re.sub(r"\{(\w+)[^}]*\}", lambda match: names[match[1]], path)
        try:
            answer = handler(
                Call(
                    world=self.account.world,
                    account_sid=self.account.credentials.account_sid,
                    origin=ORIGIN,
                    path=told,
                    names=names,
                    query={name: self._meant(value, place) for name, value in query.items()},
                    form={name: self._meant(value, place) for name, value in form.items()},
                    now=self.account.now(),
                )
            )
        except Refusal as refusal:
            status, _, body = wire.error(refusal, self.account.options)
            assert 400 <= status < 500
            json.dumps(body)
            return
        text = "" if answer.body is None else json.dumps(answer.body)
        self.known += re.findall(r'"((?:V[AEL]|RK|BL|HJ)[0-9a-f]{32})"', text)
        self.known += [f"K{key}" for key in re.findall(f"{wire.SILENT_PATH}/([0-9a-f]+)", text)]
        if DOCUMENT.exists() and answer.fault is None:
            self.judge(method, f"{ORIGIN}{told}", answer.status, text)

    def _named(self, path: str, name: str, place: int) -> str:
        """What a variable of the path stands for: mostly the newest of its kind."""
        prefix = next((prefix for end, prefix in PREFIXES.items() if path.endswith(end)), "")
        prefix = {"service_sid": "VA", "rate_limit_sid": "RK", "key": "K", "country": "CA", "number": "+"}.get(
            name, prefix
        )
        fitting = [one for one in self.known if one.startswith(prefix)]
        if name == "service_sid" and self.account.service_sid in self.account.world.services:
            return self.account.service_sid
        found = fitting[-1].removeprefix("K") if fitting else ""
        return found if found and place % 5 else self.known[place % len(self.known)]

    def _meant(self, value: str, place: int) -> str:
        """A word stands for what only this account knows."""
        if value == "<sid>":
            return self.known[place % len(self.known)]
        messages = self.account.world.messages
        return messages[-1].code if value == "<code>" and messages else value


@settings(deadline=None)
@given(steps=STEPS)
def test_any_sequence_of_requests_is_answered_and_leaves_plain_data(
    judge: Callable[[str, str, int, str], None], steps: list[Step]
) -> None:
    walk = Walk(judge)
    for step in steps:
        walk.take(step)
    held: Any = walk.account.world.held
    shape = TypeAdapter(Holdings)
    assert shape.validate_json(shape.dump_json(held)) == held
