"""AWS as the tests of its providers know it: settings, requests, answers, a certificate such as SNS signs with.

Rules of this file: no test, no fixture.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from otpcore.conformance.provider import WireAnswer, WireRequest
from otpcore.ports import InboundRequest, MessageText, SendRequest
from otpcore_aws import AwsSettings, SnsSettings

PHONE = "+12025550123"
HANDLE = "862a8790-60c0-4430-9b2b-658bd0000001"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:otp-receipts"
CODE = "918273"
TEXT = f"{CODE} is your code. It ends in 5 minutes."
KEYS: dict[str, Any] = {"access_key_id": "A" * 20, "secret_access_key": SecretStr("s" * 40)}


class Signer:
    """Signs as SNS does, with a certificate of its own.

    Args:
        folder: where the certificate is written.
    """

    def __init__(self, folder: Path) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(self.key, SHA256())
        )
        self.path = folder / "sns.pem"
        self.path.write_bytes(made.public_bytes(Encoding.PEM))

    def request(self, message: str, size: int = 0, changes: Mapping[str, str] | None = None) -> InboundRequest:
        """What SNS posts; changes to the envelope are signed too."""
        told_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        envelope = {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC,
            "Message": message,
            "Timestamp": told_at,
            "SignatureVersion": "2",
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
            "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
        } | dict(changes or {})
        names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        text = "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope)
        envelope["Signature"] = base64.b64encode(self.key.sign(text.encode(), PKCS1v15(), SHA256())).decode()
        headers = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": envelope["Type"]}
        return InboundRequest("POST", "/receipts/aws", headers, json.dumps(envelope).encode().ljust(size))


def event(kind: str = "TEXT_DELIVERED", changes: Mapping[str, object] | None = None) -> str:
    """An event of End User Messaging."""
    found: dict[str, object] = {
        "eventType": kind,
        "eventVersion": "1.0",
        "eventTimestamp": 1790000000470,
        "isFinal": True,
        "originationPhoneNumber": "+12025550100",
        "destinationPhoneNumber": PHONE,
        "isoCountryCode": "US",
        "messageId": HANDLE,
        "messageRequestTimestamp": 1790000000170,
        "messageEncoding": "GSM",
        "messageType": "TRANSACTIONAL",
        "messageStatus": kind.removeprefix("TEXT_"),
        "messageStatusDescription": "Message has been accepted by phone",
        "context": {"send_id": "s1"},
        "totalMessageParts": 1,
        "totalMessagePrice": 0.00581,
        "totalCarrierFee": 0.003,
    }
    return json.dumps(found | dict(changes or {}))


def text_answer(request: WireRequest) -> WireAnswer:
    """How End User Messaging answers when all is well."""
    if request.headers["x-amz-target"].endswith("PutMessageFeedback"):
        return WireAnswer.of_json(200, request.json)
    return WireAnswer.of_json(200, {"MessageId": HANDLE})


def text_refusal(status: int, code: str, **fields: object) -> WireAnswer:
    """How it refuses."""
    return WireAnswer.of_json(status, {"__type": code, "Message": f"{PHONE} {CODE}"} | fields)


XML = {"Content-Type": "text/xml"}


def sns_answer(_request: WireRequest) -> WireAnswer:
    """How SNS answers when all is well."""
    inner = f"<PublishResult><MessageId>{HANDLE}</MessageId></PublishResult>"
    body = f'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">{inner}</PublishResponse>'
    return WireAnswer(200, body.encode(), XML)


def sns_refusal(status: int, code: str, text: str = f"{PHONE} {CODE}") -> WireAnswer:
    """How it refuses."""
    inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error><RequestId>r</RequestId>"
    body = f'<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">{inner}</ErrorResponse>'
    return WireAnswer(status, body.encode(), XML)


def text_settings(origin: str = "", **changes: Any) -> AwsSettings:
    given: dict[str, Any] = {"region": "eu-west-1", "endpoint_url": origin, **KEYS, **changes}
    return AwsSettings(**given)


def sns_settings(origin: str = "", **changes: Any) -> SnsSettings:
    given: dict[str, Any] = {"region": "eu-west-1", "endpoint_url": origin, **KEYS, **changes}
    return SnsSettings(**given)


def a_send(recipient: str = PHONE, **changes: Any) -> SendRequest:
    """A send of a code of the core, with its words."""
    given: dict[str, Any] = {
        "send_id": "0198b5a4-4c3e-7000-8000-000000000001",
        "recipient": recipient,
        "channel": "sms",
        "purpose": "login",
        "code": CODE,
        "handle": None,
        "expires_at": datetime.now(UTC) + timedelta(seconds=300),
        "timeout_s": 5.0,
        "message": MessageText(TEXT, 1, "plain", "en"),
    }
    return SendRequest(**(given | changes))
