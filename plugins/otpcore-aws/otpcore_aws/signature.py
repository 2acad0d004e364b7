"""Judges what SNS posts to the application: RSA over SHA-256, by certificates that the operator has fetched.

A message names the address of its certificate. Fetching it would be I/O on a stranger's word, so it is not read: the
operator fetches the certificate once and names its file in the settings, and another when AWS changes it. Every account
of AWS can have messages signed with the same certificate, so the topic is judged too. Source: "Verifying the signatures
of Amazon SNS messages" of the SNS developer guide, read in November 2026.

Rules of this file: no I/O once it is made; nothing of a request that does not fit is echoed. `cryptography` is imported
only where receipts are set up.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from otpcore.errors import ConfigurationError, ReceiptRefused
from otpcore.ports import InboundRequest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

__all__ = ["NOTIFICATION", "Notification", "Signatures"]

NOTIFICATION: Final = "Notification"
LARGEST: Final = 300_000
"""Bytes of a body that are read; SNS takes messages of 256 KiB."""

_KIND_HEADER: Final = "x-amz-sns-message-type"
_CONFIRMATION: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
        "SubscriptionConfirmation": _CONFIRMATION,
        "UnsubscribeConfirmation": _CONFIRMATION,
    }
)
"""What is signed, in order; a field that is absent is left out."""

_SUBSCRIBE: Final = re.compile(r"https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/\?[0-9A-Za-z&=:%_.-]{1,1000}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Notification:
    """What SNS has signed.

    Attributes:
        text: the message; "" for what is no notification.
    """

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Certificate:
    key: RSAPublicKey
    begins_at: datetime
    ends_at: datetime


class Signatures:
    """The judge of one topic.

    Args:
        topic: its ARN; "" where receipts are not set up, and then every one is refused.
        paths: certificates in PEM, one or more in a file.

    Raises:
        ConfigurationError: a file cannot be read, holds no certificate for RSA, or `cryptography` is not installed.
    """

    def __init__(self, topic: str, paths: Sequence[str]) -> None:
        self._topic = topic
        self._certificates = [one for path in paths for one in _certificates(path)] if topic else []

    def judge(self, request: InboundRequest) -> Notification:
        """What a request says, once its signature fits.

        Raises:
            ReceiptRefused: it does not, or it is not what SNS sends.
        """
        if not self._topic:
            raise ReceiptRefused("receipts are not set up: receipt_topic and receipt_certificates")
        if len(request.body) > LARGEST:
            raise ReceiptRefused("the body is larger than any of SNS's")
        envelope = _envelope(request.body)
        kind = envelope.get("Type", "")
        if kind not in _SIGNED or request.header(_KIND_HEADER) != kind:
            raise ReceiptRefused("it is no message of SNS: header and body do not say what it is")
        if envelope.get("SignatureVersion") != "2":
            raise ReceiptRefused("SignatureVersion is not 2: set the topic's attribute SignatureVersion to 2")
        if not hmac.compare_digest(envelope.get("TopicArn", "").encode(errors="replace"), self._topic.encode()):
            raise ReceiptRefused("it comes from another topic")
        if not self._is_signed(envelope, _SIGNED[kind]):
            raise ReceiptRefused("the signature fits none of the certificates; has AWS changed its certificate?")
        if kind != NOTIFICATION:
            _tell(kind, envelope)
            return Notification("")
        return Notification(envelope.get("Message", ""))

    def _is_signed(self, envelope: Mapping[str, str], names: Sequence[str]) -> bool:
        try:
            signature = base64.b64decode(envelope.get("Signature", ""), validate=True)
            told_at = datetime.fromisoformat(envelope.get("Timestamp", ""))
            text = "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope).encode()
        except (ValueError, binascii.Error):
            return False
        told_at = told_at if told_at.tzinfo else told_at.replace(tzinfo=UTC)
        return any(
            one.begins_at <= told_at <= one.ends_at and _fits(one.key, signature, text) for one in self._certificates
        )


def _fits(key: RSAPublicKey, signature: bytes, text: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # an extra
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415  # an extra
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415  # an extra

    try:
        key.verify(signature, text, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _certificates(path: str) -> list[_Certificate]:
    try:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415  # an extra
        from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415  # an extra
    except ImportError:
        raise ConfigurationError('receipts of AWS need an extra: pip install "otpcore-aws[receipts]"') from None
    try:
        found = load_pem_x509_certificates(Path(path).read_bytes())
    except (OSError, ValueError):
        raise ConfigurationError("receipt_certificates: a file cannot be read, or is no certificate in PEM") from None
    made: list[_Certificate] = []
    for one in found:
        key: Any = one.public_key()
        if not isinstance(key, RSAPublicKey):
            raise ConfigurationError("receipt_certificates: a certificate has no RSA key, so it is not SNS's")
        made.append(_Certificate(key, one.not_valid_before_utc, one.not_valid_after_utc))
    return made


def _envelope(body: bytes) -> Mapping[str, str]:
    """The texts of the JSON object that SNS posts."""
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        raise ReceiptRefused("the body is not JSON") from None
    if not isinstance(found, dict):
        raise ReceiptRefused("the body is no message of SNS")
    document = cast("dict[str, object]", found)
    return {name: value for name, value in document.items() if isinstance(value, str)}


def _tell(kind: str, envelope: Mapping[str, str]) -> None:
    """Let the operator know of what only an operator should do."""
    url = envelope.get("SubscribeURL", "")
    if kind == "SubscriptionConfirmation" and _SUBSCRIBE.fullmatch(url):
        _log.warning("SNS asks whether receipts may come here; to confirm, open %s", url)
    else:
        _log.warning("SNS says of its subscription to receipts: %s; nothing was done", kind)
