"""Whether a request to this application was sent by Twilio: its signature, judged by the SDK's own `RequestValidator`.

Twilio signs the URL that it was given, with the fields of a form or the digest of a JSON body. The public origin is
the operator's setting: no header says where a request was meant to go. Sources: Twilio's "Webhooks security" and the
SDK 9.13, read in November 2026.

Rules of this file: nothing of a body is read before its signature fits. A refusal says what is wrong and echoes
nothing. What the validator tolerates without need (a URL that it would normalise, bytes that are no UTF-8) is refused
before it is asked. The SDK is imported at first use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, urlsplit

from otpcore.errors import ConfigurationError, ReceiptRefused
from otpcore.ports import InboundRequest
from otpcore.providers.transport import is_loopback

__all__ = ["LARGEST_BODY", "Signatures", "Signed", "public_prefix"]

LARGEST_BODY: Final = 65_536
"""Bytes of a request that are judged at all."""

_MOST_FIELDS: Final = 200
_URL: Final = re.compile(r"/[!-\"$-~]*")
"""Path and query, printable ASCII without a fragment."""

_SIGNATURE: Final = re.compile(r"[A-Za-z0-9+/]{27}=|[A-Za-z0-9+/]{43}=")
"""The base64 of a SHA-1 or a SHA-256."""

_KEY_HEADER: Final = "X-Twilio-Webhooks-Signature-Settings"
_ALGORITHMS: Final = {"HMAC_SHA1": 28, "HMAC_SHA256": 44}
"""Name, and characters of its signature."""


@dataclass(frozen=True, slots=True)
class Signed:
    """The content of a request that Twilio has signed; never shown.

    Attributes:
        fields: of a form; None for JSON.
        text: of a JSON body; None for a form.
    """

    fields: Mapping[str, str] | None
    text: str | None

    def __repr__(self) -> str:
        return "Signed(…)"


def public_prefix(text: str) -> str:
    """The setting `public_url`, judged: what stands before the path of every signed URL; "" where it is not set.

    Raises:
        ConfigurationError: not such a URL, or plain HTTP to another machine.
    """
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port  # a bad port raises here
    except ValueError:
        host, parts = None, urlsplit("")
    plain = text.isascii() and text.isprintable() and " " not in text and parts.geturl() == text
    if not plain or not host or parts.scheme not in {"https", "http"} or set("?#@;") & set(text):
        raise ConfigurationError("public_url: give scheme, host, optional port and path, nothing else")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError("public_url: plain http is allowed only to a loopback address")
    return text.rstrip("/")


class Signatures:
    """Judges requests for one account.

    Args:
        public_url: the setting.
        auth_token: of the account; "" where it is not known.
        webhook_secret: of the shared key, for requests that name one; "" where there is none.

    Raises:
        ConfigurationError: `public_url` is none.
    """

    def __init__(self, public_url: str, auth_token: str, webhook_secret: str) -> None:
        self._prefix = public_prefix(public_url)
        self._token = auth_token
        self._secret = webhook_secret

    def judge(self, request: InboundRequest) -> Signed:
        """The content of a request, once its signature fits.

        Raises:
            ReceiptRefused: it does not, or the request is none that could be judged.
        """
        if not self._prefix:
            raise ReceiptRefused("public_url is not set: without it no signature of Twilio can be judged")
        if len(request.body) > LARGEST_BODY:
            raise ReceiptRefused(f"the body is larger than {LARGEST_BODY} bytes")
        if request.method != "POST" or not _URL.fullmatch(request.url):
            raise ReceiptRefused("not a POST to a path with perhaps a query")
        sdk: Any = import_module("twilio.request_validator")  # untyped, and part of the SDK: at first use
        secret, algorithm, signature = self._terms(request, sdk.get_signature_algorithm)
        signed, params = _content(request)
        url = self._prefix + request.url
        if urlsplit(url).geturl() != url:
            raise ReceiptRefused("the URL is written in a way that Twilio's is not")
        if sdk.RequestValidator(secret).validate(url, params, signature, algorithm) is not True:
            raise ReceiptRefused("the signature does not fit: not sent by Twilio, or public_url or the secret is wrong")
        return signed

    def _terms(self, request: InboundRequest, algorithm_of: Callable[[str], str]) -> tuple[str, str, str]:
        """Secret, algorithm and signature that a request claims."""
        signature = request.header("X-Twilio-Signature")
        if signature is None or not _SIGNATURE.fullmatch(signature):
            raise ReceiptRefused("there is not one X-Twilio-Signature of the right shape")
        secret, algorithm = self._token, "HMAC_SHA1"
        if any(name.lower() == _KEY_HEADER.lower() for name in request.headers):
            algorithm = algorithm_of(request.header(_KEY_HEADER) or "")
            secret = self._secret or self._token
        if _ALGORITHMS.get(algorithm) != len(signature):
            raise ReceiptRefused("an algorithm of signatures that is not known here, or a signature of another one")
        if not secret:
            raise ReceiptRefused("auth_token (TWILIO_AUTH_TOKEN) is not set: Twilio signs with it, not with an API key")
        return secret, algorithm, signature


def _content(request: InboundRequest) -> tuple[Signed, Mapping[str, str] | str]:
    """The content, and what of it the signature covers beside the URL; nothing in it is read yet."""
    kind = (request.header("Content-Type") or "").partition(";")[0].strip().lower()
    try:
        text = request.body.decode()
    except UnicodeDecodeError:
        raise ReceiptRefused("the body is not UTF-8") from None
    if kind == "application/x-www-form-urlencoded":
        fields = _fields(text)
        return Signed(fields, None), fields
    if kind not in {"application/json", "application/cloudevents-batch+json", "application/cloudevents+json"}:
        raise ReceiptRefused("the body is neither a form nor JSON")
    digests = parse_qs(request.url.partition("?")[2]).get("bodySHA256", [])
    if len(digests) != 1:
        raise ReceiptRefused("a JSON body without one bodySHA256 in the URL is not signed")
    return Signed(None, text), text


def _fields(text: str) -> Mapping[str, str]:
    """A form as it is signed: blank values count, and a name stands once."""
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise ReceiptRefused("the body is not a form") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ReceiptRefused("a field of the form stands more than once")
    return fields
