"""Defects planted in the Twilio provider, against what it must never believe and never send.

Rules of this file: P with a number; a body needs no fixture, and where it needs Twilio it has the emulator.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

import pytest
from pydantic import SecretStr

from otpcore import Approved, CodeOwner, Engine, SendState, Sent
from otpcore.errors import ReceiptRefused
from otpcore.flows import finding
from otpcore.ports import CheckRequest, CheckVerdict, InboundRequest, Outcome
from otpcore.stores.memory import MemoryStore
from otpcore_twilio import TwilioProvider, TwilioSettings, parameters, signature, translate
from otpcore_twilio.emulator import Emulator, Fault, Scenario, serve
from tests.defects.planting import Defect, reworded

__all__ = ["DEFECTS"]

PHONE: Final = "+12025550123"
TOKEN: Final = "t" * 32
HOST: Final = "https://otp.example.com"
SID, OTHER = "VE" + "a" * 32, "VE" + "b" * 32
PAYMENT: Final = {"Amount": "€39.99", "Payee": "Acme"}
BY_HOST: Final = '"https://" + request.headers.get("Host", self._prefix[8:]) +'
HANDLE: Final = finding.live_handle
JUDGE: Final = signature.Signatures(HOST, TOKEN, "")


def signed(host: str = HOST) -> InboundRequest:
    """A status callback, signed for a host."""
    value = base64.b64encode(hmac.digest(TOKEN.encode(), f"{host}/statusTo{PHONE}".encode(), "sha1")).decode()
    headers = {"X-Twilio-Signature": value, "Content-Type": "application/x-www-form-urlencoded"}
    return InboundRequest("POST", "/status", headers, b"To=%2B" + PHONE[1:].encode())


def refused(request: InboundRequest) -> None:
    assert JUDGE.judge(signed()).fields == {"To": PHONE}
    with pytest.raises(ReceiptRefused):
        JUDGE.judge(request)


def a_changed_body_is_refused() -> None:
    refused(replace(signed(), body=b"To=%2B12025550199"))


def another_place_is_refused_whatever_the_headers_say() -> None:
    forged = signed("https://evil.example")
    refused(replace(forged, headers={**forged.headers, "Host": "evil.example"}))


def a_url_that_would_be_tidied_up_is_refused() -> None:
    refused(replace(signed(), url="/status?"))


def a_body_is_judged_up_to_a_size() -> None:
    body = b"To=" + b"1" * signature.LARGEST_BODY
    with pytest.raises(ReceiptRefused, match="larger"):
        JUDGE.judge(replace(signed(), body=body))


def only_this_verification_is_looked_up() -> None:
    log = [SimpleNamespace(verification_sid=OTHER, service_sid="VA", conversion_status="converted")]
    assert translate.converted(log, SID, "VA") is None


def only_this_payment_is_approved() -> None:
    answer = SimpleNamespace(sid=SID, status="approved", valid=True, amount="€1", payee=PAYMENT["Payee"])
    asked = CheckRequest(SID, None, "123456", 5.0, PAYMENT)
    assert translate.check_answer(answer, asked).verdict is not CheckVerdict.APPROVED


def no_line_is_broken() -> None:
    assert parameters.problem_of({"Payee": "a\r\nb"}, parameters.OF_SENDS)


@contextmanager
def twilio(**flags: bool) -> Generator[tuple[Emulator, TwilioProvider, Engine]]:
    """An emulator whose service has these flags, a provider that knows of them, and an engine."""
    with serve() as emulator:
        with emulator.account.lock:
            for name, value in flags.items():
                setattr(emulator.account.world.services[emulator.service_sid], name, value)
        given: dict[str, Any] = {
            "account_sid": emulator.account_sid,
            "auth_token": SecretStr(emulator.auth_token),
            "service_sid": emulator.service_sid,
            "origin": emulator.url,
        }
        provider = TwilioProvider(TwilioSettings.model_validate(given | flags))
        with Engine(MemoryStore(), provider, pepper=b"p" * 32) as engine:
            yield emulator, provider, engine


def a_lost_answer_approves_no_payment() -> None:
    with twilio(psd2_enabled=True) as (emulator, _, engine):
        sent = engine.start(PHONE, extra=PAYMENT)
        assert isinstance(sent, Sent)
        emulator.faults.add(Scenario(outcome=Fault.RESET, operation="create_check", processed=True))
        answer = engine.check(sent.session.token or "", emulator.latest_code(PHONE), extra=PAYMENT)
        assert not isinstance(answer, Approved)


def a_code_of_twilios_is_not_approved_by_hand() -> None:
    with twilio() as (emulator, provider, engine):
        engine.start(PHONE)
        assert not provider.report_outcome(emulator.inbox(PHONE)[0].verification_sid, Outcome.APPROVED, 5.0)


def own_codes(emulator: Emulator, provider: TwilioProvider) -> Engine:
    store, clock = MemoryStore(), emulator.clock.now
    return Engine(store, provider, pepper=b"p" * 32, clock=clock, code_owner=CodeOwner.CORE)


def a_resend_carries_the_new_code() -> None:
    with twilio(custom_code_enabled=True) as (emulator, provider, _):
        engine = own_codes(emulator, provider)
        token = started(engine)
        emulator.advance(120)
        engine.resend(token, PHONE)
        assert len({message.code for message in emulator.inbox(PHONE)}) == 2
        assert isinstance(engine.check(token, emulator.latest_code(PHONE)), Approved)


def a_session_beside_another_gets_its_own_code() -> None:
    with twilio(custom_code_enabled=True) as (emulator, provider, _):
        engine = own_codes(emulator, provider)
        started(engine)
        emulator.advance(120)
        assert isinstance(engine.check(started(engine), emulator.latest_code(PHONE)), Approved)


def an_earlier_code_is_not_taken_for_ours() -> None:
    with twilio(custom_code_enabled=True) as (emulator, provider, _):
        verify: Any = provider.native_client.verify
        verify.v2.services(emulator.service_sid).verifications.create(to=PHONE, channel="sms")
        sent = own_codes(emulator, provider).start(PHONE)
        assert isinstance(sent, Sent)
        assert sent.state is SendState.UNKNOWN


def started(engine: Engine) -> str:
    sent = engine.start(PHONE)
    assert isinstance(sent, Sent)
    return sent.session.token or ""


DEFECTS: Final = (
    Defect(
        "P1",
        "a receipt is believed whatever its signature",
        reworded((signature.Signatures.judge, "is not True", "is None")),
        a_changed_body_is_refused,
    ),
    Defect(
        "P2",
        "the public URL is read from a header",
        reworded((signature.Signatures.judge, "self._prefix +", BY_HOST)),
        another_place_is_refused_whatever_the_headers_say,
    ),
    Defect(
        "P3",
        "a URL is judged as the SDK tidies it up",
        reworded((signature.Signatures.judge, "if urlsplit(url).geturl() != url:", "if False:")),
        a_url_that_would_be_tidied_up_is_refused,
    ),
    Defect(
        "P4",
        "a receipt of any size is read",
        reworded((signature.Signatures.judge, "if len(request.body) > LARGEST_BODY:", "if False:")),
        a_body_is_judged_up_to_a_size,
    ),
    Defect(
        "P5",
        "the log of another verification approves",
        reworded((translate.converted, "whose == (handle, service_sid) and ", "")),
        only_this_verification_is_looked_up,
    ),
    Defect(
        "P6",
        "an approval of another payment is believed",
        reworded((translate.check_answer, " and _is_bound(check, request.extra)", "")),
        only_this_payment_is_approved,
    ),
    Defect(
        "P7",
        "a lost answer approves a payment that nobody compared",
        reworded((TwilioProvider.reconcile_check, " or self._settings.psd2_enabled", "")),
        a_lost_answer_approves_no_payment,
    ),
    Defect(
        "P8",
        "a control character goes out in a parameter",
        reworded((parameters.problem_of, "if not is_clean(value):", "if False:")),
        no_line_is_broken,
    ),
    Defect(
        "P9",
        "a code of Twilio's is approved by hand",
        reworded((TwilioProvider.report_outcome, "self._settings.custom_code_enabled and ", "")),
        a_code_of_twilios_is_not_approved_by_hand,
    ),
    Defect(
        "P10",
        "a resend leaves the verification before it alive",
        reworded((TwilioProvider.send, "self.cancel(request.handle, attempt.left_s / 2)", "pass")),
        a_resend_carries_the_new_code,
    ),
    Defect(
        "P11",
        "a provider is not told of another session's message",
        reworded((HANDLE, "for handle in reversed(sent) if handle", "for handle in [session.handle]")),
        a_session_beside_another_gets_its_own_code,
    ),
    Defect(
        "P12",
        "an earlier code that went out again is taken for the new one",
        reworded((translate.accepted, "if older_verification(verification, request):", "if False:")),
        an_earlier_code_is_not_taken_for_ours,
    ),
)
