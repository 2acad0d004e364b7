"""SNS as the second route: one engine over both providers, and what becomes of a send that the first does not take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

from otpcore import Approved, Engine, Refused, Sent, Wait
from otpcore.conformance.provider import MisbehavingServer, WireAnswer
from otpcore.conformance.provider.misbehaving import cut, reply
from otpcore.ports import FailureKind, Provider
from otpcore.stores.tinydb import TinyDBStore
from otpcore_aws import AwsProvider, SnsProvider
from tests.aws_vendor import PHONE, sns_settings, text_refusal, text_settings

PEPPER = b"a pepper of at least thirty-two bytes"


@pytest.fixture
def sns() -> Iterator[Any]:
    """moto's SNS of the region."""
    with mock_aws():
        yield sns_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"]


@pytest.fixture
def engine(sns: Any, text_server: MisbehavingServer, tmp_path: Path) -> Iterator[Engine]:
    """Made while moto plays: SNS is moto's, End User Messaging is the server's."""
    providers: dict[str, Provider] = {
        "aws": AwsProvider(text_settings(text_server.origin)),
        "aws-sns": SnsProvider(sns_settings()),
    }
    with Engine(TinyDBStore(tmp_path / "records.json"), providers, pepper=PEPPER) as engine:
        yield engine


def refusal(code: str, reason: str = "") -> WireAnswer:
    return text_refusal(400, code, **({"Reason": reason} if reason else {}))


def test_what_the_first_takes_the_second_never_hears_of(
    engine: Engine, sns: Any, text_server: MisbehavingServer
) -> None:
    sent = engine.start(PHONE)
    assert isinstance(sent, Sent)
    assert (sent.session.provider, len(text_server.requests), sns.sms_messages) == ("aws", 1, {})


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("ServiceQuotaExceededException", "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT"),
        ("ThrottlingException", ""),
        ("UnrecognizedClientException", ""),
        ("ConflictException", "DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION"),
    ],
)
def test_what_the_first_certainly_did_not_send_the_second_delivers_and_it_is_one_send(
    code: str, reason: str, engine: Engine, sns: Any, text_server: MisbehavingServer
) -> None:
    text_server.scenario = reply(refusal(code, reason))
    sent = engine.start(PHONE)
    assert isinstance(sent, Sent)
    assert sent.session.provider == "aws-sns"
    ((number, text),) = sns.sms_messages.values()
    found = re.search(r"\d{4,10}", text)
    assert number == PHONE
    assert found is not None
    assert len(text_server.requests) == 1
    assert isinstance(engine.start(PHONE), Wait), "one step of the ladder is taken"
    assert sent.session.token is not None
    assert isinstance(engine.check(sent.session.token, found[0]), Approved)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("DESTINATION_PHONE_NUMBER_OPTED_OUT", FailureKind.OPTED_OUT),
        ("DESTINATION_PHONE_NUMBER_BLOCKED_BY_PROTECT_NUMBER_OVERRIDE", FailureKind.FRAUD_SUSPECTED),
    ],
)
def test_the_second_is_no_way_around_a_refusal(
    reason: str, kind: FailureKind, engine: Engine, sns: Any, text_server: MisbehavingServer
) -> None:
    text_server.scenario = reply(refusal("ConflictException", reason))
    refused = engine.start(PHONE)
    assert isinstance(refused, Refused)
    assert refused.kind.value == kind.value
    assert sns.sms_messages == {}


def test_what_may_be_on_its_way_is_not_sent_again(engine: Engine, sns: Any, text_server: MisbehavingServer) -> None:
    text_server.scenario = cut
    assert isinstance(engine.start(PHONE), Sent)
    assert len(text_server.requests) == 1
    assert sns.sms_messages == {}
