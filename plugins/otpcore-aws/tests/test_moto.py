"""SNS as moto plays it, and a whole engine over it, on the embedded store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

from otpcore import Approved, Engine, Sent, Wrong
from otpcore.ports import Accepted, Failure, FailureKind, SendEffect
from otpcore.stores.tinydb import TinyDBStore
from otpcore_aws import SnsProvider
from tests.aws_vendor import PHONE, TEXT, a_send, sns_settings

PEPPER = b"a pepper of at least thirty-two bytes"


@pytest.fixture
def sns() -> Iterator[Any]:
    """moto's SNS of the region."""
    with mock_aws():
        yield sns_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"]


@pytest.fixture
def provider(sns: Any) -> Iterator[SnsProvider]:
    """Made while moto plays."""
    made = SnsProvider(sns_settings())
    yield made
    made.close()


def test_a_message_is_recorded_under_the_id_that_was_given_out(sns: Any, provider: SnsProvider) -> None:
    outcome = provider.send(a_send())
    assert isinstance(outcome, Accepted)
    assert sns.sms_messages[outcome.handle] == (PHONE, TEXT)


def test_what_sns_takes_for_no_number_is_an_invalid_recipient(sns: Any, provider: SnsProvider) -> None:
    """The number passes the rule of this plugin and not that of SNS."""

    def none(_number: str) -> bool:
        return False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moto.sns.responses.is_e164", none)
        outcome = provider.send(a_send())
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.effect) == (FailureKind.INVALID_RECIPIENT, SendEffect.NOT_SENT)
    assert sns.sms_messages == {}


def test_the_native_client_asks_who_has_opted_out(sns: Any, provider: SnsProvider) -> None:
    """A number that ends in 99 has opted out, as moto plays it."""
    client = provider.native_client
    asked = {
        number: client.check_if_phone_number_is_opted_out(phoneNumber=number) for number in (PHONE, "+12025550199")
    }
    assert [answer["isOptedOut"] for answer in asked.values()] == [False, True]
    assert client.list_phone_numbers_opted_out()["phoneNumbers"] == sns.opt_out_numbers


def test_a_person_is_verified_over_sns(sns: Any, provider: SnsProvider, tmp_path: Path) -> None:
    with Engine(TinyDBStore(tmp_path / "records.json"), provider, pepper=PEPPER) as engine:
        sent = engine.start(PHONE)
        assert isinstance(sent, Sent)
        token = sent.session.token
        assert token is not None
        ((number, text),) = sns.sms_messages.values()
        found = re.search(r"\d{4,10}", text)
        assert number == PHONE
        assert found is not None
        wrong = f"{(int(found[0]) + 1) % 10 ** len(found[0]):0{len(found[0])}}"
        assert isinstance(engine.check(token, wrong), Wrong)
        assert isinstance(engine.check(token, found[0]), Approved)
        assert len(sns.sms_messages) == 1
