"""What AWS's errors mean, as data: by code, and where the code has reasons, by reason.

Sources: the service models in botocore of pinpoint-sms-voice-v2 (2022-03-31) and sns (2010-03-31), and "Common errors"
of both API references, read in November 2026.

Rules of this file: tables only. Every reason of the model is in REASONS, or in UNMAPPED because no send can meet it;
then the row of its code holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from otpcore.ports import FailureKind, FailureScope

__all__ = ["BY_STATUS", "ERRORS", "OTHERWISE", "REASONS", "UNMAPPED", "Row"]


class Row(NamedTuple):
    """One meaning.

    Attributes:
        kind: INTERNAL only where nobody knows whether a message left; all others are certain that none did.
        text: for an operator.
        scope: of whom it says something: of one recipient, what a number alone can bring about.
    """

    kind: FailureKind
    text: str
    scope: FailureScope = FailureScope.ACCOUNT


_K = FailureKind
_ONE: Final = FailureScope.RECIPIENT
_DENIED: Final = Row(_K.MISCONFIGURED, "AWS does not accept these credentials, or they may not send")
_SLOW: Final = Row(_K.RATE_LIMITED, "the account sends faster than AWS lets it")
_BROKEN: Final = Row(_K.INTERNAL, "AWS failed inside")
_UNFIT: Final = Row(_K.CONTENT_REJECTED, "AWS does not take a message like this")
_SETTING: Final = Row(_K.MISCONFIGURED, "a resource that the settings name is missing or cannot send")

ERRORS: Final[Mapping[str, Row]] = MappingProxyType(
    {
        # End User Messaging
        "AccessDeniedException": _DENIED,
        "ConflictException": Row(_K.MISCONFIGURED, "the account's resources do not allow this send"),
        "InternalServerException": _BROKEN,
        "ResourceNotFoundException": _SETTING,
        "ServiceQuotaExceededException": Row(_K.QUOTA_EXHAUSTED, "a quota of the account is used up"),
        "ThrottlingException": _SLOW,
        "ValidationException": _UNFIT,
        # SNS
        "AuthorizationError": _DENIED,
        "EndpointDisabled": _SETTING,
        "InternalError": _BROKEN,
        "InvalidParameter": _UNFIT,
        "InvalidSecurity": _DENIED,
        "KMSAccessDenied": _SETTING,
        "KMSDisabled": _SETTING,
        "KMSInvalidState": _SETTING,
        "KMSNotFound": _SETTING,
        "KMSOptInRequired": _SETTING,
        "KMSThrottling": _SLOW,
        "NotFound": _SETTING,
        "OptedOut": Row(_K.OPTED_OUT, "the person has opted out of this account's messages"),
        "ParameterValueInvalid": _UNFIT,
        "PlatformApplicationDisabled": _SETTING,
        "Throttled": _SLOW,
        # common to both
        "AccessDenied": _DENIED,
        "ExpiredToken": _DENIED,
        "ExpiredTokenException": _DENIED,
        "IncompleteSignature": _DENIED,
        "IncompleteSignatureException": _DENIED,
        "InternalFailure": _BROKEN,
        "InvalidClientTokenId": _DENIED,
        "InvalidSignatureException": _DENIED,
        "MissingAuthenticationToken": _DENIED,
        "MissingAuthenticationTokenException": _DENIED,
        "NotAuthorized": _DENIED,
        "OptInRequired": _DENIED,
        "RequestExpired": Row(_K.MISCONFIGURED, "the clock of this machine is wrong"),
        "RequestLimitExceeded": _SLOW,
        "ServiceUnavailable": _BROKEN,
        "SignatureDoesNotMatch": _DENIED,
        "Throttling": _SLOW,
        "TooManyRequestsException": _SLOW,
        "UnrecognizedClientException": _DENIED,
        "UnknownOperationException": Row(_K.MISCONFIGURED, "the service in this region does not know the operation"),
    }
)
"""By the error's code."""

_COUNTRY: Final = Row(_K.DESTINATION_BLOCKED, "the account does not send to this country")
_FOREIGN: Final = Row(_K.DESTINATION_BLOCKED, "what the settings name does not send to this country")
# of one country: as a fault of the account, one number there would switch the provider off for all of them
_IDENTITY: Final = Row(_K.DESTINATION_BLOCKED, "the sender id may not be used in this country without registration")

REASONS: Final[Mapping[tuple[str, str], Row]] = MappingProxyType(
    {
        ("AccessDeniedException", "ACCOUNT_DISABLED"): Row(_K.MISCONFIGURED, "AWS has disabled the account"),
        ("AccessDeniedException", "INSUFFICIENT_ACCOUNT_REPUTATION"): Row(
            _K.MISCONFIGURED, "AWS does not trust the account enough"
        ),
        ("ConflictException", "DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION"): Row(
            _K.DESTINATION_BLOCKED, "a protect configuration blocks this country"
        ),
        # The operator's own word about one number: another provider would be the way past it.
        ("ConflictException", "DESTINATION_PHONE_NUMBER_BLOCKED_BY_PROTECT_NUMBER_OVERRIDE"): Row(
            _K.FRAUD_SUSPECTED, "a protect configuration blocks this number"
        ),
        ("ConflictException", "DESTINATION_PHONE_NUMBER_NOT_VERIFIED"): Row(
            _K.MISCONFIGURED, "the account is in the sandbox, and this number is not verified in it", _ONE
        ),
        ("ConflictException", "DESTINATION_PHONE_NUMBER_OPTED_OUT"): Row(
            _K.OPTED_OUT, "the person has opted out of this account's messages"
        ),
        ("ConflictException", "KEYWORD_MISMATCH"): _SETTING,
        ("ConflictException", "MESSAGE_TYPE_MISMATCH"): Row(
            _K.MISCONFIGURED, "the origination identity is not for transactional messages"
        ),
        ("ConflictException", "NO_ORIGINATION_IDENTITIES_FOUND"): Row(
            _K.DESTINATION_BLOCKED, "the account has nothing that sends to this country"
        ),
        ("ConflictException", "NUMBER_CAPABILITIES_MISMATCH"): _SETTING,
        ("ConflictException", "PROTECT_CONFIGURATION_NOT_ASSOCIATED_WITH_CONFIGURATION_SET"): _SETTING,
        ("ConflictException", "REGISTRATION_NOT_COMPLETE"): Row(_K.MISCONFIGURED, "a registration is not complete"),
        ("ConflictException", "RESOURCE_NOT_ACTIVE"): _SETTING,
        ("ServiceQuotaExceededException", "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT"): Row(
            _K.QUOTA_EXHAUSTED, "the account's spend limit of the month is reached"
        ),
        ("ValidationException", "CANNOT_PARSE"): _UNFIT,
        ("ValidationException", "CHANNEL_NOT_ENABLED"): Row(_K.MISCONFIGURED, "the account has no SMS"),
        ("ValidationException", "COUNTRY_CODE_MISMATCH"): _FOREIGN,
        ("ValidationException", "COUNTRY_NOT_ENABLED"): _COUNTRY,
        ("ValidationException", "DESTINATION_COUNTRY_BLOCKED"): _COUNTRY,
        ("ValidationException", "FIELD_VALIDATION_FAILED"): _UNFIT,
        ("ValidationException", "INTERNATIONAL_SENDING_NOT_SUPPORTED"): _COUNTRY,
        ("ValidationException", "INVALID_ARN"): _SETTING,
        ("ValidationException", "INVALID_IDENTITY_FOR_DESTINATION_COUNTRY"): _FOREIGN,
        ("ValidationException", "INVALID_PARAMETER"): _UNFIT,
        ("ValidationException", "INVALID_REQUEST"): _UNFIT,
        ("ValidationException", "MAXIMUM_SIZE_EXCEEDED"): Row(_K.CONTENT_REJECTED, "the message is too long"),
        ("ValidationException", "MISSING_PARAMETER"): _SETTING,
        ("ValidationException", "OTHER"): _UNFIT,
        ("ValidationException", "PARAMETERS_CANNOT_BE_USED_TOGETHER"): _SETTING,
        ("ValidationException", "PRICE_OVER_THRESHOLD"): Row(
            _K.DESTINATION_BLOCKED,
            "a message to this number costs more than max_price",
            _ONE,  # prices go by carrier
        ),
        ("ValidationException", "RESOURCE_NOT_ACCESSIBLE"): _SETTING,
        ("ValidationException", "SENDER_ID_NOT_REGISTERED"): _IDENTITY,
        ("ValidationException", "SENDER_ID_NOT_SUPPORTED"): _IDENTITY,
        ("ValidationException", "SENDER_ID_REQUIRES_REGISTRATION"): _IDENTITY,
        ("ValidationException", "UNKNOWN_OPERATION"): _SETTING,
        ("ValidationException", "UNSPECIFIED_PARAMETER_NOT_SUPPORTED"): _SETTING,
    }
)
"""By code and reason."""

UNMAPPED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "ConflictException": frozenset(
            """
            CREATE_REGISTRATION_VERSION_NOT_ALLOWED DELETION_PROTECTION_ENABLED DISASSOCIATE_REGISTRATION_NOT_ALLOWED
            DISCARD_REGISTRATION_VERSION_NOT_ALLOWED EDIT_REGISTRATION_FIELD_VALUES_NOT_ALLOWED
            EVENT_DESTINATION_MISMATCH LAST_PHONE_NUMBER NOTIFY_CONFIGURATION_NOT_ACTIVE OPT_OUT_LIST_MISMATCH
            PHONE_NUMBER_ASSOCIATED_TO_POOL PHONE_NUMBER_ASSOCIATED_TO_REGISTRATION
            PHONE_NUMBER_NOT_ASSOCIATED_TO_POOL PHONE_NUMBER_NOT_IN_REGISTRATION_REGION
            POOL_ASSOCIATED_TO_NOTIFY_CONFIGURATION PROTECT_CONFIGURATION_ASSOCIATED_WITH_CONFIGURATION_SET
            PROTECT_CONFIGURATION_IS_ACCOUNT_DEFAULT RCS_AGENT_ALREADY_ASSOCIATED_TO_REGISTRATION_TYPE
            RCS_AGENT_ASSOCIATED_TO_POOL REGISTRATION_ALREADY_SUBMITTED RESOURCE_ALREADY_ASSOCIATED
            RESOURCE_ALREADY_EXISTS RESOURCE_DELETION_NOT_ALLOWED RESOURCE_MODIFICATION_NOT_ALLOWED RESOURCE_NOT_EMPTY
            SELF_MANAGED_OPT_OUTS_MISMATCH SENDER_ID_ASSOCIATED_TO_POOL SUBMIT_REGISTRATION_VERSION_NOT_ALLOWED
            TWO_WAY_CONFIG_MISMATCH VERIFICATION_ALREADY_COMPLETE VERIFICATION_CODE_EXPIRED
            """.split()  # noqa: SIM905  # names in a block read better than in quotes
        ),
        "ServiceQuotaExceededException": frozenset(
            """
            ASSOCIATIONS_PER_REGISTRATION CONFIGURATION_SETS_PER_ACCOUNT DAILY_DESTINATION_CALL_LIMIT
            DAILY_NOTIFY_TIER_MESSAGE_LIMIT EVENT_DESTINATIONS_PER_CONFIGURATION_SET KEYWORDS_PER_PHONE_NUMBER
            KEYWORDS_PER_POOL MONTHLY_SPEND_LIMIT_REACHED_FOR_MEDIA MONTHLY_SPEND_LIMIT_REACHED_FOR_NOTIFY
            MONTHLY_SPEND_LIMIT_REACHED_FOR_RCS MONTHLY_SPEND_LIMIT_REACHED_FOR_VOICE
            NOTIFY_CONFIGURATIONS_PER_ACCOUNT OPT_OUT_LISTS_PER_ACCOUNT ORIGINATION_IDENTITIES_PER_POOL
            PHONE_NUMBERS_PER_ACCOUNT PHONE_NUMBERS_PER_REGISTRATION POOLS_PER_ACCOUNT
            PROTECT_CONFIGURATIONS_PER_ACCOUNT RCS_AGENTS_PER_ACCOUNT REGISTRATIONS_PER_ACCOUNT
            REGISTRATION_ATTACHMENTS_CREATED_PER_DAY REGISTRATION_ATTACHMENTS_PER_ACCOUNT
            REGISTRATION_VERSIONS_CREATED_PER_DAY SENDER_IDS_PER_ACCOUNT TAGS_PER_RESOURCE
            VERIFICATION_ATTEMPTS_PER_DAY VERIFIED_DESTINATION_NUMBERS_PER_ACCOUNT
            """.split()  # noqa: SIM905  # names in a block read better than in quotes
        ),
        "ValidationException": frozenset(
            """
            ATTACHMENT_TYPE_NOT_SUPPORTED CANNOT_ADD_OPTED_OUT_NUMBER INVALID_FILTER_VALUES INVALID_NEXT_TOKEN
            INVALID_REGISTRATION_ASSOCIATION MEDIA_TYPE_NOT_SUPPORTED PHONE_NUMBER_CANNOT_BE_OPTED_IN
            PHONE_NUMBER_CANNOT_BE_RELEASED REGISTRATION_FIELD_CANNOT_BE_DELETED
            REQUESTED_SPEND_LIMIT_HIGHER_THAN_SERVICE_LIMIT TWO_WAY_CHANNEL_NOT_PRESENT TWO_WAY_NOT_ENABLED
            TWO_WAY_NOT_SUPPORTED_IN_COUNTRY TWO_WAY_NOT_SUPPORTED_IN_REGION TWO_WAY_TOPIC_NOT_PRESENT
            UNKNOWN_REGISTRATION_FIELD UNKNOWN_REGISTRATION_SECTION UNKNOWN_REGISTRATION_TYPE
            UNKNOWN_REGISTRATION_VERSION VERIFICATION_CODE_MISMATCH VOICE_CAPABILITY_NOT_AVAILABLE
            """.split()  # noqa: SIM905  # names in a block read better than in quotes
        ),
    }
)
"""Reasons of the model that belong to other operations, by code: resources, registrations, voice, media, RCS."""

BY_STATUS: Final[Mapping[int, Row]] = MappingProxyType({401: _DENIED, 403: _DENIED, 404: _SETTING, 429: _SLOW})
"""For a 4xx whose code is not in the tables."""

OTHERWISE: Final = _UNFIT
"""For any other 4xx."""
