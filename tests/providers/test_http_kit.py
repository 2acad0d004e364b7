"""A provider written as pure functions keeps the whole provider contract, in both colours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

from otpcore.conformance.provider import ProviderContract, WireAnswer, WireRequest
from otpcore.errors import ReceiptRefused
from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckRequest,
    CheckVerdict,
    CodeOwner,
    DeliveryEvent,
    DeliveryState,
    Failure,
    InboundRequest,
    Outcome,
    ProviderCapabilities,
    SendRequest,
)
from otpcore.providers.http import (
    AsyncHttpProvider,
    HttpProvider,
    HttpRequest,
    HttpResponse,
    awaited,
    blocking,
    failure,
    require_hmac,
    url_of,
)

KEY = b"k" * 32


class Messages:
    """Delivers by the query of a GET, as the oldest gateways do; hears receipts and outcomes."""

    capabilities = ProviderCapabilities(frozenset({CodeOwner.CORE}), frozenset({"sms"}))

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def request(self, request: SendRequest) -> HttpRequest | Failure:
        text = request.message.text if request.message else f"Your code is {request.code}."
        fields = {"to": request.recipient, "text": text}
        return HttpRequest("GET", url_of(self.origin, "messages"), params=fields, auth=("us", "secret"))

    def parse(self, request: SendRequest, response: HttpResponse) -> Accepted | Failure:
        return Accepted(str(response.document["id"])) if response.status == 200 else failure(response)

    def outcome_request(self, handle: str, outcome: Outcome) -> HttpRequest:
        return HttpRequest("POST", url_of(self.origin, "messages", handle, "outcome"), form={"outcome": outcome})

    def parse_outcome(self, handle: str, outcome: Outcome, response: HttpResponse) -> bool:
        return response.is_success and response.document["id"] == handle

    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        require_hmac(request, [KEY], header="X-Signature", signed=request.url.encode() + b"\n" + request.body)
        try:
            told = json.loads(request.body)
            state = DeliveryState(told["state"])
            return [DeliveryEvent(f"{told['id']}-{state}", told["id"], told["to"], state)]
        except (ValueError, KeyError, TypeError):
            raise ReceiptRefused from None


class Verifications:
    """Owns the code."""

    capabilities = ProviderCapabilities(
        frozenset({CodeOwner.PROVIDER}), frozenset({"sms"}), code_lifetime=timedelta(seconds=300)
    )

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def request(self, request: SendRequest) -> HttpRequest | Failure:
        bearer = {"Authorization": "Bearer secret"}
        return HttpRequest("POST", url_of(self.origin, "verify"), headers=bearer, json={"to": request.recipient})

    def parse(self, request: SendRequest, response: HttpResponse) -> Accepted | Failure:
        return Accepted(str(response.document["id"])) if response.status == 201 else failure(response)

    def check_request(self, request: CheckRequest) -> HttpRequest:
        return HttpRequest("POST", url_of(self.origin, "verify", request.handle or ""), json={"code": request.code})

    def parse_check(self, request: CheckRequest, response: HttpResponse) -> CheckAnswer:
        approved = response.status == 200 and response.document["status"] == "approved"
        return CheckAnswer(CheckVerdict.APPROVED if approved else CheckVerdict.UNKNOWN)

    def cancel_request(self, handle: str) -> HttpRequest:
        return HttpRequest("DELETE", url_of(self.origin, "verify", handle))

    def parse_cancel(self, handle: str, response: HttpResponse) -> bool:
        return response.status == 204

    def reconcile_request(self, handle: str) -> HttpRequest:
        return HttpRequest("GET", url_of(self.origin, "verify", handle))

    def parse_reconcile(self, handle: str, response: HttpResponse) -> CheckAnswer | None:
        said = response.document
        approved = response.status == 200 and (said["id"], said["status"]) == (handle, "approved")
        return CheckAnswer(CheckVerdict.APPROVED) if approved else None


class TestMessages(ProviderContract):
    handle = "msg/0001"

    def make(self, origin: str) -> HttpProvider:
        return blocking(Messages(origin))

    def make_async(self, origin: str) -> AsyncHttpProvider:
        return awaited(Messages(origin))

    def answer(self, request: WireRequest) -> WireAnswer:
        return WireAnswer.of_json(200, {"id": self.handle})

    def receipt(self, state: DeliveryState, size: int = 0) -> InboundRequest:
        import hmac

        body = json.dumps({"id": self.handle, "to": self.recipient, "state": state}).ljust(size).encode()
        signature = hmac.digest(KEY, b"/in\n" + body, "sha256").hex()
        return InboundRequest("POST", "/in", {"X-Signature": signature}, body)


class TestVerifications(ProviderContract):
    handle = "ver_0001"

    def make(self, origin: str) -> HttpProvider:
        return blocking(Verifications(origin))

    def make_async(self, origin: str) -> AsyncHttpProvider:
        return awaited(Verifications(origin))

    def answer(self, request: WireRequest) -> WireAnswer:
        if request.path == "/verify":
            return WireAnswer.of_json(201, {"id": self.handle})
        if request.method == "DELETE":
            return WireAnswer(204, b"")
        if request.method == "GET":
            return WireAnswer.of_json(200, {"id": self.handle, "status": "approved"})
        return WireAnswer.of_json(200, {"status": "approved" if request.json["code"] == self.code else "no"})
