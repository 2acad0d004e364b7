"""No failure that one recipient can bring about opens a breaker: every row of every plugin's table is judged.

A row that is new is in none of the lists below, and fails until somebody has said of whom it is. What opens only where
it goes on (5 of the last 10) is in none either: there, nobody knows whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Final

import pytest
from pydantic import SecretStr

from otpcore.contract import CodeOwner, Failure, FailureScope
from otpcore.engine import Engine
from otpcore.engine.breaking import Breakers, Scope, rule_of
from otpcore.providers.fake import FakeProvider
from otpcore.results import Sent
from otpcore.stores.memory import MemoryStore
from otpcore_vonage import VonageProvider, VonageSettings
from otpcore_vonage.fake import FakeVonage
from tests.providers.vendor_tables import ROWS

Named = frozenset[tuple[str, str]]


def _named(codes: Mapping[str, str]) -> Named:
    return frozenset((plugin, code) for plugin, listed in codes.items() for code in listed.split())


OF_ONE_RECIPIENT: Final = _named(
    {
        "twilio": """
            21211 21215 21216 21608 21610 21612 21614 30450 60001 60006 60008 60200 60202 60203 60205 60212
            60308 60310 60410 60413 60550
        """,
        "messaging": """
            21211 21214 21217 21265 21266 21608 21610 21612 21614 21635 21703 30003 30004 30005 30006 30007
            30024 30032 30034 30450
        """,
        "vonage": "409 422",
        "aws": """
            OptedOut DESTINATION_PHONE_NUMBER_BLOCKED_BY_PROTECT_NUMBER_OVERRIDE
            DESTINATION_PHONE_NUMBER_NOT_VERIFIED DESTINATION_PHONE_NUMBER_OPTED_OUT PRICE_OVER_THRESHOLD
        """,
        "smpp": """
            ESME_RINVDSTADR ESME_RMSGQFUL ESME_RSUBMITFAIL ESME_RX_T_APPN ESME_RX_P_APPN ESME_RX_R_APPN
            ESME_RDELIVERYFAILURE
        """,
        "smtp": """
            RCPT-450 RCPT-450-4.2.1 RCPT-451 RCPT-451-4.7.1 RCPT-452 RCPT-452-4.2.2 RCPT-452-4.5.3 RCPT-550
            RCPT-550-5.1.1 RCPT-550-5.1.2 RCPT-550-5.1.10 RCPT-550-5.2.1 RCPT-550-5.4.1 RCPT-550-5.4.4
            RCPT-550-5.7.1 RCPT-550-5.7.17 RCPT-551 RCPT-552 RCPT-552-5.2.2 RCPT-552-5.2.3 RCPT-552-5.3.4
            RCPT-553 RCPT-554 RCPT-554-5.7.0 RCPT-554-5.7.1 RCPT-556 RCPT-556-5.1.10 RCPT-571 END-550-5.1.1
            END-550-5.2.1 END-552-5.2.2 END-552-5.2.3
        """,
        "africastalking": "401 403 404 406 407 409 502",
        "kannel": "Not-routable",
        "46elks": "failed",
    }
)
"""What a number, an address, its network or its mailbox brings about alone."""

OF_A_REGION: Final = _named(
    {
        "twilio": "21408 60220 60226 60238 60605",
        "messaging": "21408",
        "aws": """
            DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION NO_ORIGINATION_IDENTITIES_FOUND
            COUNTRY_CODE_MISMATCH COUNTRY_NOT_ENABLED DESTINATION_COUNTRY_BLOCKED
            INTERNATIONAL_SENDING_NOT_SUPPORTED INVALID_IDENTITY_FOR_DESTINATION_COUNTRY
            SENDER_ID_NOT_REGISTERED SENDER_ID_NOT_SUPPORTED SENDER_ID_REQUIRES_REGISTRATION
        """,
    }
)
"""Countries that an account, a sender or a policy excludes."""

OF_THE_ACCOUNT: Final = _named(
    {
        "twilio": """
            20003 20008 20404 20429 25109 60201 60204 60207 60208 60209 60210 60211 60213 60217 60222 60223
            60224 60227 60228 60229 60252 60408 401 402 403 404 429
        """,
        "messaging": """
            20003 20005 20008 20404 20429 21212 21267 21601 21603 21606 21609 21611 21659 21660 21661 21701
            21705 21730 30001 30002 30022 30023 30036 63038
        """,
        "vonage": """
            401 402 403 404 429 low-balance out-of-credit unprovisioned account-suspended invalid-api-key
            jwt-expired
        """,
        "aws": """
            AccessDeniedException ConflictException ResourceNotFoundException ServiceQuotaExceededException
            ThrottlingException AuthorizationError EndpointDisabled InvalidSecurity KMSAccessDenied KMSDisabled
            KMSInvalidState KMSNotFound KMSOptInRequired KMSThrottling NotFound PlatformApplicationDisabled
            Throttled AccessDenied ExpiredToken ExpiredTokenException IncompleteSignature
            IncompleteSignatureException InvalidClientTokenId InvalidSignatureException
            MissingAuthenticationToken MissingAuthenticationTokenException NotAuthorized OptInRequired
            RequestExpired RequestLimitExceeded SignatureDoesNotMatch Throttling TooManyRequestsException
            UnrecognizedClientException UnknownOperationException ACCOUNT_DISABLED
            INSUFFICIENT_ACCOUNT_REPUTATION KEYWORD_MISMATCH MESSAGE_TYPE_MISMATCH NUMBER_CAPABILITIES_MISMATCH
            PROTECT_CONFIGURATION_NOT_ASSOCIATED_WITH_CONFIGURATION_SET REGISTRATION_NOT_COMPLETE
            RESOURCE_NOT_ACTIVE MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT CHANNEL_NOT_ENABLED INVALID_ARN
            MISSING_PARAMETER PARAMETERS_CANNOT_BE_USED_TOGETHER RESOURCE_NOT_ACCESSIBLE UNKNOWN_OPERATION
            UNSPECIFIED_PARAMETER_NOT_SUPPORTED 401 403 404 429
        """,
        "smpp": """
            ESME_RINVBNDSTS ESME_RALYBND ESME_RINVPRTFLG ESME_RINVREGDLVFLG ESME_RSYSERR ESME_RINVSRCADR
            ESME_RBINDFAIL ESME_RINVPASWD ESME_RINVSYSID ESME_RINVSERTYP ESME_RINVESMCLASS ESME_RINVSRCTON
            ESME_RINVSRCNPI ESME_RINVDSTTON ESME_RINVDSTNPI ESME_RINVSYSTYP ESME_RINVREPFLAG ESME_RTHROTTLED
            ESME_RINVSCHED ESME_RINVEXPIRY ESME_RINVDFTMSGID ESME_RINVOPTPARSTREAM ESME_ROPTPARNOTALLWD
            ESME_RINVPARLEN ESME_RMISSINGOPTPARAM ESME_RINVOPTPARAMVAL
        """,
        "smtp": """
            RCPT-421 RCPT-421-4.3.2 RCPT-452-4.3.1 RCPT-530 RCPT-530-5.7.0 RCPT-550-5.1.7 RCPT-550-5.1.8
            RCPT-550-5.7.8 RCPT-550-5.7.23 RCPT-550-5.7.26 END-451 END-452-4.3.1
        """,
        "africastalking": "402 405 InvalidSenderId",
        "android-gateway": "404 429",
        "kannel": "403 503",
        "46elks": "401 403",
    }
)
"""What no choice of a recipient brings about."""


def opens(failure: Failure) -> bool:
    """Whether it opens a breaker, if it goes on."""
    breakers = Breakers(clock=lambda: 0.0)
    changes = [breakers.heard("a", "sms", "CM", failure, began=0.0, timeout_s=1.0) for _ in range(50)]
    return any(changes)


def test_every_row_is_judged_once() -> None:
    judged = (OF_ONE_RECIPIENT, OF_A_REGION, OF_THE_ACCOUNT)
    assert not [one & other for one, other in combinations(judged, 2) if one & other]
    at_once = {
        (plugin, code)
        for plugin, code, failure in ROWS
        if (rule := rule_of(failure.kind, failure.scope)) is None or rule.at_once
    }
    assert at_once == OF_ONE_RECIPIENT | OF_A_REGION | OF_THE_ACCOUNT


@pytest.mark.parametrize(("plugin", "code", "failure"), [row for row in ROWS if (row[0], row[1]) in OF_ONE_RECIPIENT])
def test_what_is_about_one_recipient_opens_nothing(plugin: str, code: str, failure: Failure) -> None:
    assert not opens(failure), (plugin, code, failure.kind)


def test_what_is_about_a_region_opens_for_that_region_alone() -> None:
    for plugin, code, failure in ROWS:
        if (plugin, code) in OF_A_REGION:
            rule = rule_of(failure.kind, failure.scope)
            assert rule is not None
            assert rule.scope is Scope.REGION, (plugin, code)
            assert opens(failure), (plugin, code)


def test_what_is_about_the_account_opens() -> None:
    for plugin, code, failure in ROWS:
        if (plugin, code) in OF_THE_ACCOUNT:
            assert opens(failure), (plugin, code)


def test_a_row_of_one_recipient_that_says_it_is_the_accounts_is_noticed() -> None:
    """The control: without the scope most of them would open."""
    told = [failure for plugin, code, failure in ROWS if (plugin, code) in OF_ONE_RECIPIENT]
    scoped = [failure for failure in told if failure.scope is FailureScope.RECIPIENT]
    assert sum(opens(replace(failure, scope=FailureScope.ACCOUNT)) for failure in scoped) > 20


def held_at(started: object) -> str:
    assert isinstance(started, Sent)
    return started.session.provider


def test_a_number_with_a_live_verification_of_somebody_else_spares_vonage_for_nobody() -> None:
    """Codes of the core: Vonage answers the number with 409, and everybody else in its region is sent to as before."""
    with FakeVonage() as vendor:
        settings = VonageSettings(
            api_key="abcd1234",
            api_secret=SecretStr("t" * 16),
            brand="Shop",
            origin=vendor.origin,
            custom_code_enabled=True,
        )
        first, stranger = VonageProvider(settings), VonageProvider(settings)
        second = FakeProvider(owner=CodeOwner.CORE)
        elsewhere = Engine(MemoryStore(), stranger, code_owner=CodeOwner.CORE)
        engine = Engine(MemoryStore(), {"vonage": first, "other": second}, code_owner=CodeOwner.CORE)
        elsewhere.start("+12025550123")
        assert held_at(engine.start("+12025550123")) == "other"
        assert held_at(engine.start("+14155550101")) == "vonage"
        elsewhere.close()
        engine.close()
