"""What Vonage tells of a verification, as the core's delivery events: event and summary callbacks, once judged.

A callback carries a JWT (HS256, the account's signature secret) in `Authorization`, and its claim `payload_hash` is
the SHA-256 of the body. The SDK's `verify_signature` looks at the JWT alone, so any body passes with a JWT that was
overheard: here the body must be the one that was signed, and not long ago. Sources, read in November 2026: Vonage's
"Webhooks" (signed webhooks, Verify callbacks), the API reference of Verify v2 (1.0.1), vonage-jwt 1.1.5.

A callback names a verification and no number. Whose it is stands in `client_ref`, where this provider puts the number's
digits as long as it reads callbacks; without them an event has no recipient and the core leaves it.

Rules of this file: nothing of a body is read before signature and hash fit. A refusal says what is wrong and echoes
nothing. What is about something else (another application, another kind) is no event of ours.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, cast

from otpcore.errors import ReceiptRefused
from otpcore.ports import DeliveryEvent, DeliveryState, InboundRequest
from otpcore_vonage.translate import REQUEST_ID

__all__ = ["FRESH_S", "LARGEST_BODY", "STATES", "Callbacks"]

LARGEST_BODY: Final = 65_536
"""Bytes of a callback that are judged at all."""

FRESH_S: Final = 300
"""Seconds around now in which a JWT must have been made."""

STATES: Final[Mapping[str, DeliveryState]] = MappingProxyType(
    {
        "completed": DeliveryState.DELIVERED,
        "user_rejected": DeliveryState.READ,
        "failed": DeliveryState.UNDELIVERED,
        "blocked": DeliveryState.FAILED,
        "rejected": DeliveryState.FAILED,
        "action_pending": DeliveryState.SENT,
    }
)
"""By Vonage's word; any other is UNKNOWN. Vonage tells of verifications, not of messages: a code that was typed was
delivered, and one that was not typed in time ("expired") says nothing of the message."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,2000}\.[A-Za-z0-9_-]{1,4000}\.[A-Za-z0-9_-]{43}")
_REFERENCE: Final = re.compile(r"[1-9][0-9]{6,14}")
_STATUS: Final = re.compile(r"[a-z_]{1,30}")
_MOST_STEPS: Final = 10


class Callbacks:
    """Judges and reads callbacks of one account.

    Args:
        secret: the account's signature secret; "" where callbacks are not read.
        application_id: of the application; "" where it is not known.
        api_key: of the account; "" where it is not known.
        clock: the time in seconds since 1970.
    """

    def __init__(self, secret: str, application_id: str, api_key: str, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._mine = {"application_id": application_id.lower(), "api_key": api_key.lower()}
        self._clock = clock

    def read(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        """The events of one callback; perhaps none.

        Raises:
            ReceiptRefused: Vonage did not sign it, not this body, or not now; or it is no callback of Verify.
        """
        claims = self._judged(request)
        for name, mine in self._mine.items():
            whose = claims.get(name)
            if mine and isinstance(whose, str) and whose.lower() != mine:
                return ()
        try:
            found: object = json.loads(request.body)
        except (ValueError, RecursionError):
            raise ReceiptRefused("the body is not JSON") from None
        if not isinstance(found, dict):
            raise ReceiptRefused("the body is not a JSON object")
        return _events(cast("Mapping[str, object]", found), hashlib.sha256(request.body).hexdigest())

    def _judged(self, request: InboundRequest) -> Mapping[str, object]:
        """The claims of a callback that Vonage signed, body and all, a short while ago."""
        if not self._secret:
            raise ReceiptRefused("signature_secret (VONAGE_SIGNATURE_SECRET) is not set: nothing can be judged")
        if len(request.body) > LARGEST_BODY:
            raise ReceiptRefused(f"the body is larger than {LARGEST_BODY} bytes")
        if request.method != "POST":
            raise ReceiptRefused("not a POST")
        scheme, _, token = (request.header("Authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
            raise ReceiptRefused("there is not one JWT in Authorization")
        claims = _claims(token, self._secret)
        issued = claims.get("iat")
        if isinstance(issued, bool) or not isinstance(issued, int) or abs(self._clock() - issued) > FRESH_S:
            raise ReceiptRefused(f"the JWT was not made within {FRESH_S} seconds of now, or one of the clocks is wrong")
        signed = claims.get("payload_hash")
        mine = hashlib.sha256(request.body).hexdigest()
        if not isinstance(signed, str) or not hmac.compare_digest(
            signed.lower().encode(errors="replace"), mine.encode()
        ):
            raise ReceiptRefused("the body is not the one that was signed")
        return claims


def _claims(token: str, secret: str) -> Mapping[str, object]:
    """What a JWT claims, once its signature fits. PyJWT judges it: HS256 and nothing else."""
    jwt: Any = import_module("jwt")  # heavy, and part of the SDK: at first use
    algorithms: Any = import_module("jwt.algorithms")

    class AnyLength(algorithms.HMACAlgorithm):  # type: ignore[misc]  # imported at run time
        """Vonage sets the secret's length; a warning at every callback would help nobody."""

        def check_key_length(self, key: bytes) -> None:
            """No length is remarked on."""

    judge = jwt.PyJWS(algorithms=["HS256"])
    judge.unregister_algorithm("HS256")
    judge.register_algorithm("HS256", AnyLength(algorithms.HMACAlgorithm.SHA256))
    try:
        found: object = json.loads(judge.decode(token, secret, algorithms=["HS256"]))
    except Exception:  # noqa: BLE001  # whatever a stranger's text makes the library raise, with pieces of it
        raise ReceiptRefused("the JWT's signature does not fit: not Vonage's, or signature_secret is wrong") from None
    if not isinstance(found, dict):
        raise ReceiptRefused("the JWT claims nothing")
    return cast("Mapping[str, object]", found)


def _events(body: Mapping[str, object], digest: str) -> Sequence[DeliveryEvent]:
    """Vonage repeats what it believes unheard: the same body, so an event's identity is the body's digest."""
    kind, handle = body.get("type"), body.get("request_id")
    if not isinstance(kind, str) or kind not in {"event", "summary"}:
        return ()
    if not isinstance(handle, str) or not REQUEST_ID.fullmatch(handle):
        raise ReceiptRefused("a callback of Verify names no verification")
    to = _recipient(body.get("client_ref"))
    if kind == "event":
        at = _instant(body.get("finalized_at")) or _instant(body.get("triggered_at"))
        return (DeliveryEvent(f"{handle}.{digest[:32]}", handle, to, *_state(body.get("status"), at)),)
    steps = body.get("workflow")
    found = cast("list[object]", steps) if isinstance(steps, list) else []
    return [
        DeliveryEvent(
            f"{handle}.{digest[:32]}.{place}",
            handle,
            to,
            *_state(one.get("status"), _instant(one.get("initiated_at"))),
        )
        for place, step in enumerate(found[:_MOST_STEPS])
        if isinstance(step, dict) and (one := cast("Mapping[str, object]", step)).get("status") != "unused"
    ]


def _state(word: object, at: datetime | None) -> tuple[DeliveryState, datetime | None, str | None]:
    known = word if isinstance(word, str) and _STATUS.fullmatch(word) else None
    return STATES.get(known or "", DeliveryState.UNKNOWN), at, known


def _recipient(reference: object) -> str | None:
    return f"+{reference}" if isinstance(reference, str) and _REFERENCE.fullmatch(reference) else None


def _instant(text: object) -> datetime | None:
    """ISO 8601; aware, or nothing."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
        return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
    except (ValueError, OverflowError):  # the latter at the ends of the calendar
        return None
