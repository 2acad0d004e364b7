"""The facade over the Twilio provider and the emulator: the SDK's own objects, and what becomes of each refusal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import pytest
from pydantic import SecretStr
from twilio.base.exceptions import TwilioRestException  # type: ignore[import-untyped]  # the SDK carries no types
from twilio.rest import Client  # type: ignore[import-untyped]  # as above
from twilio.rest.verify.v2.service.verification import VerificationInstance  # type: ignore[import-untyped]  # as above
from twilio.rest.verify.v2.service.verification_check import (  # type: ignore[import-untyped]  # as above
    VerificationCheckInstance,
)
from werkzeug import exceptions

from otpcore.contract import CodeOwner
from otpcore.legacy import Desk, InternalServerError, NotDone, OTP_Model, SMSObject, TooManyRequests, model, use
from otpcore.results import Ended, Refused, Sent, Undecided, Wait, Wrong
from otpcore.stores.memory import MemoryStore
from otpcore_twilio import TwilioProvider, TwilioSettings
from otpcore_twilio.emulator import Emulator, Fault, Scenario, serve
from tests.numbers import phone

pytestmark = pytest.mark.filterwarnings("ignore:OTP_Model is kept:DeprecationWarning")

NUMBER: Final = phone(23)
MASKED: Final = "…23"
CREATE: Final = "create_verification"
CHECK: Final = "create_check"
SHORT_S: Final = 0.25
"""A deadline that a test can wait for."""


class Open(Protocol):
    """Opens the desk of this process in front of the emulator; the arguments are of the provider's settings."""

    def __call__(self, *, code_owner: CodeOwner | None = None, **changes: Any) -> OTP_Model: ...


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Its clock stands at a whole second."""
    began = datetime.now(UTC).replace(microsecond=0)
    with serve(clock=lambda: began) as running:
        yield running


@pytest.fixture
def opened(emulator: Emulator) -> Iterator[Open]:
    def make(*, code_owner: CodeOwner | None = None, **changes: Any) -> OTP_Model:
        given: dict[str, Any] = {
            "account_sid": emulator.account_sid,
            "auth_token": SecretStr(emulator.auth_token),
            "service_sid": emulator.service_sid,
            "origin": emulator.url,
        }
        provider = TwilioProvider(TwilioSettings(**(given | changes)))
        use(lambda: Desk(MemoryStore(), provider, clock=emulator.clock.now, code_owner=code_owner))
        return OTP_Model(phone_number=NUMBER)

    yield make
    use(None)


@pytest.fixture
def otp(opened: Open) -> OTP_Model:
    return opened()


@pytest.fixture
def pending(otp: OTP_Model) -> OTP_Model:
    otp.verification()
    return otp


def strictly() -> OTP_Model:
    return OTP_Model(NUMBER, strict_legacy=True)


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def cause_of(error: BaseException) -> NotDone:
    assert isinstance(error.__cause__, NotDone)
    return error.__cause__


# --- the SDK's own objects -----------------------------------------------------------------------


def is_the_sdks_own(found: Any, kind: Any, status: str) -> None:
    assert isinstance(found, kind)
    assert (found.status, found.to, found.channel, found.valid) == (status, NUMBER, "sms", status == "approved")
    assert found.sid.startswith("VE")


def test_a_verification_is_the_sdks_own_object(otp: OTP_Model, emulator: Emulator) -> None:
    found = otp.verification()
    is_the_sdks_own(found, VerificationInstance, "pending")
    assert [each["channel"] for each in found.send_code_attempts] == ["sms"]
    assert emulator.inbox(NUMBER)[0].verification_sid == found.sid


def test_a_resend_is_the_same_verification_with_another_attempt(pending: OTP_Model, emulator: Emulator) -> None:
    first = emulator.inbox(NUMBER)[0].verification_sid
    emulator.advance(121)
    again = pending.verification()
    is_the_sdks_own(again, VerificationInstance, "pending")
    assert (again.sid, len(again.send_code_attempts)) == (first, 2)


def test_an_approval_is_the_sdks_own_object(pending: OTP_Model, emulator: Emulator) -> None:
    found = pending.verification_check(code=emulator.latest_code(NUMBER))
    is_the_sdks_own(found, VerificationCheckInstance, "approved")
    assert found.sid == emulator.inbox(NUMBER)[0].verification_sid


def test_a_wrong_code_is_the_pending_object_of_the_sdk_where_it_is_strict(
    pending: OTP_Model, emulator: Emulator
) -> None:
    found = strictly().verification_check(other_than(emulator.latest_code(NUMBER)))
    is_the_sdks_own(found, VerificationCheckInstance, "pending")
    is_the_sdks_own(strictly().verification_check(emulator.latest_code(NUMBER)), VerificationCheckInstance, "approved")


def test_another_object_with_the_same_fields_is_caught() -> None:
    with pytest.raises(AssertionError):
        is_the_sdks_own(SMSObject("VE1", NUMBER, "pending", "sms"), VerificationInstance, "pending")


def test_the_client_is_the_sdks_own_and_reaches_the_account(otp: OTP_Model, emulator: Emulator) -> None:
    assert isinstance(otp.client, Client)
    assert otp.client is OTP_Model(phone(24)).client
    assert otp.client.verify.v2.services(emulator.service_sid).fetch().sid == emulator.service_sid


# --- codes of the core's own -----------------------------------------------------------------------


def test_codes_that_the_core_makes_are_sent_and_checked(opened: Open, emulator: Emulator) -> None:
    """The vendor is not asked whether they are right, so the answer is an object with the same fields."""
    with emulator.account.lock:
        emulator.account.world.services[emulator.service_sid].custom_code_enabled = True
    otp = opened(custom_code_enabled=True, code_owner=CodeOwner.CORE)
    is_the_sdks_own(otp.verification(), VerificationInstance, "pending")
    code = emulator.latest_code(NUMBER)
    with pytest.raises(exceptions.Forbidden):
        otp.verification_check(other_than(code))
    unsure = strictly().verification_check(other_than(code))
    assert (type(unsure), unsure.status, unsure.to, unsure.valid) == (SMSObject, "pending", NUMBER, False)
    found = otp.verification_check(code)
    assert type(found) is SMSObject
    assert (found.status, found.to, found.valid) == ("approved", NUMBER, True)
    with pytest.raises(exceptions.Forbidden):
        otp.verification_check(code)


# --- what becomes of a check -----------------------------------------------------------------------


def test_a_wrong_code_is_forbidden_and_the_vendors_answer_is_the_cause(pending: OTP_Model, emulator: Emulator) -> None:
    with pytest.raises(exceptions.Forbidden) as caught:
        pending.verification_check(other_than(emulator.latest_code(NUMBER)))
    result = cause_of(caught.value).result
    assert isinstance(result, Wrong)
    is_the_sdks_own(result.native, VerificationCheckInstance, "pending")


def test_after_five_wrong_codes_the_right_one_is_forbidden_too(pending: OTP_Model, emulator: Emulator) -> None:
    code = emulator.latest_code(NUMBER)
    for tried in (*[other_than(code)] * 5, code):
        with pytest.raises(exceptions.Forbidden):
            pending.verification_check(tried)


def test_a_code_that_is_too_old_or_used_is_forbidden(pending: OTP_Model, emulator: Emulator) -> None:
    emulator.advance(601)
    with pytest.raises(exceptions.Forbidden):
        pending.verification_check(emulator.latest_code(NUMBER))
    pending.verification()
    code = emulator.latest_code(NUMBER)
    assert pending.verification_check(code).status == "approved"
    with pytest.raises(exceptions.Forbidden):
        pending.verification_check(code)


REFUSALS: Final[dict[str, tuple[int, Any, str | None, int | None]]] = {
    "403": (403, Refused, None, None),
    "403, API key": (20008, Refused, "20008", None),
    "404": (404, Ended, None, None),
    "404, gone": (20404, Ended, "20404", None),
    "429": (429, Refused, None, None),
    "429, come back later": (20429, Refused, "20429", 7),
    "429, checks used up": (60202, Ended, "60202", None),
}
"""Of a check: what is answered, what the core makes of it, Twilio's code, and when to come back."""

TROUBLE: Final[dict[str, int | Fault]] = {
    "400": 60200,
    "500": 500,
    "500, Twilio's own": 20500,
    "502": 502,
    "503": 503,
    "an HTML page": Fault.GARBAGE,
    "a reset": Fault.RESET,
    "half an answer": Fault.TRUNCATED,
    "no answer in time": Fault.HANG,
}
"""Of a check, and most of a send too: nobody knows what became of it."""


def forbidden(otp: OTP_Model, emulator: Emulator, row: str) -> exceptions.Forbidden:
    outcome, kind, code, after = REFUSALS[row]
    emulator.faults.add(Scenario(operation=CHECK, outcome=outcome, retry_after_s=after))
    with pytest.raises(exceptions.Forbidden) as caught:
        otp.verification_check(emulator.latest_code(NUMBER))
    result: Any = cause_of(caught.value).result
    assert isinstance(result, kind)
    assert result.cause.provider_code == code
    assert isinstance(result.cause.native, TwilioRestException)
    return caught.value


@pytest.mark.parametrize("row", REFUSALS)
def test_a_vendors_refusal_of_a_check_is_forbidden(
    pending: OTP_Model, emulator: Emulator, row: str, caplog: pytest.LogCaptureFixture
) -> None:
    error: Any = forbidden(pending, emulator, row)
    assert error.retry_after == REFUSALS[row][3]
    assert dict(error.get_headers()).get("Retry-After") == (str(error.retry_after) if error.retry_after else None)
    is_logged(caplog, "verification_check", emulator.latest_code(NUMBER))


@pytest.mark.parametrize(("table", "row"), [("FORBIDDEN", "403, API key"), ("FORBIDS", "429, come back later")])
def test_a_refusal_that_is_read_otherwise_is_caught(
    pending: OTP_Model, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, table: str, row: str
) -> None:
    monkeypatch.setattr(model, "FORBIDDEN", frozenset({404}))
    monkeypatch.setattr(model, table, frozenset[Any]())
    with pytest.raises(InternalServerError):
        forbidden(pending, emulator, row)


@pytest.mark.parametrize("row", TROUBLE)
def test_every_other_failure_of_a_check_is_an_error_of_the_server(
    opened: Open, emulator: Emulator, row: str, caplog: pytest.LogCaptureFixture
) -> None:
    otp = opened(timeout_s=SHORT_S if row == "no answer in time" else 8.0)
    otp.verification()
    emulator.faults.add(Scenario(operation=CHECK, outcome=TROUBLE[row]))
    with pytest.raises(exceptions.InternalServerError) as caught:
        otp.verification_check(emulator.latest_code(NUMBER))
    result = cause_of(caught.value).result
    assert isinstance(result, Undecided)
    assert result.cause is not None
    assert result.cause.native is not None
    is_logged(caplog, "verification_check", emulator.latest_code(NUMBER))


def the_servers_business(otp: OTP_Model, emulator: Emulator, outcome: int) -> None:
    emulator.faults.add(Scenario(operation=CHECK, outcome=outcome))
    with pytest.raises(exceptions.InternalServerError) as caught:
        otp.verification_check(emulator.latest_code(NUMBER))
    assert isinstance(cause_of(caught.value).result, Refused)


@pytest.mark.parametrize("outcome", [401, 20003, 402])
def test_credentials_and_money_are_the_servers_business(pending: OTP_Model, emulator: Emulator, outcome: int) -> None:
    the_servers_business(pending, emulator, outcome)


def test_credentials_that_are_laid_on_the_caller_are_caught(
    pending: OTP_Model, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "FORBIDDEN", frozenset({401, 403, 404, 429}))
    with pytest.raises(exceptions.Forbidden):
        the_servers_business(pending, emulator, 20003)


# --- what becomes of a send ------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "after"), [(20429, 7), (20429, None), (429, None), (60203, None), (60212, None)])
def test_a_vendors_limit_of_sends_is_too_many_requests(
    otp: OTP_Model, emulator: Emulator, outcome: int, after: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.faults.add(Scenario(operation=CREATE, outcome=outcome, retry_after_s=after))
    with pytest.raises(exceptions.TooManyRequests) as caught:
        otp.verification()
    assert isinstance(caught.value, TooManyRequests)
    result = cause_of(caught.value).result
    assert isinstance(result, Refused)
    assert caught.value.retry_after == after
    is_logged(caplog, "verification")


@pytest.mark.parametrize("outcome", [400, 401, 403, 404, 20003, 21211, 60200, 60205, 60410, 60605, *TROUBLE.values()])
def test_every_other_failure_of_a_send_is_an_error_of_the_server(
    opened: Open, emulator: Emulator, outcome: int | Fault, caplog: pytest.LogCaptureFixture
) -> None:
    otp = opened(timeout_s=SHORT_S if outcome is Fault.HANG else 8.0)
    emulator.faults.add(Scenario(operation=CREATE, outcome=outcome))
    with pytest.raises(exceptions.InternalServerError) as caught:
        otp.verification()
    assert isinstance(cause_of(caught.value).result, Refused | Sent)
    is_logged(caplog, "verification")


def test_too_early_says_when_to_come_back(pending: OTP_Model) -> None:
    with pytest.raises(exceptions.TooManyRequests) as caught:
        pending.verification()
    assert isinstance(cause_of(caught.value).result, Wait)
    assert dict(caught.value.get_headers())["Retry-After"] == "120"


def is_logged(caplog: pytest.LogCaptureFixture, operation: str, *secrets: str) -> None:
    """One line of the facade's names the operation, and the number by its end alone."""
    (line,) = [each.getMessage() for each in caplog.records if each.name == "otpcore.legacy"]
    assert line.startswith(f"{operation} for {MASKED!r}: ")
    assert caplog.records[0].levelno >= logging.INFO
    for secret in (NUMBER, NUMBER.removeprefix("+"), NUMBER[2:], *secrets):
        assert secret not in caplog.text


@pytest.mark.parametrize("planted", [NUMBER, "424242"])
def test_a_number_or_a_code_in_the_log_is_caught(
    pending: OTP_Model, emulator: Emulator, caplog: pytest.LogCaptureFixture, planted: str
) -> None:
    forbidden(pending, emulator, "403")
    is_logged(caplog, "verification_check", "424242")
    logging.getLogger("otpcore").warning("to %s", planted)
    with pytest.raises(AssertionError):
        is_logged(caplog, "verification_check", "424242")
