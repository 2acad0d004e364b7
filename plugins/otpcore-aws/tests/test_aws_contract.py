"""Both AWS providers against the provider conformance kit, blocking, and awaited through the core's workers."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import ClassVar

from otpcore.conformance.provider import ProviderContract, WireAnswer, WireRequest
from otpcore.ports import DeliveryState, InboundRequest
from otpcore_aws import AwsProvider, SnsProvider
from tests.aws_vendor import (
    HANDLE,
    TOPIC,
    Signer,
    event,
    sns_answer,
    sns_refusal,
    sns_settings,
    text_answer,
    text_refusal,
    text_settings,
)

KINDS = {DeliveryState.DELIVERED: "TEXT_DELIVERED", DeliveryState.UNDELIVERED: "TEXT_UNREACHABLE"}


@cache
def signer() -> Signer:
    """Made once: the kit makes its providers where no fixture reaches."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    return Signer(Path(folder))


class TestAws(ProviderContract):
    handle: ClassVar[str] = HANDLE
    timeout_s: ClassVar[float] = 2.0

    def make(self, origin: str) -> AwsProvider:
        made = signer()
        return AwsProvider(
            text_settings(origin, message_feedback=True, receipt_topic=TOPIC, receipt_certificates=(str(made.path),))
        )

    def answer(self, request: WireRequest) -> WireAnswer:
        return text_answer(request)

    def refusal(self, status: int) -> WireAnswer:
        return text_refusal(status, "ValidationException", Reason="OTHER")

    def unauthorised(self) -> WireAnswer:
        return text_refusal(400, "UnrecognizedClientException")

    def receipt(self, state: DeliveryState, size: int = 0) -> InboundRequest:
        return signer().request(event(KINDS[state]), size)


class TestSns(ProviderContract):
    handle: ClassVar[str] = HANDLE
    timeout_s: ClassVar[float] = 2.0

    def make(self, origin: str) -> SnsProvider:
        return SnsProvider(sns_settings(origin))

    def answer(self, request: WireRequest) -> WireAnswer:
        return sns_answer(request)

    def refusal(self, status: int) -> WireAnswer:
        return sns_refusal(status, "InvalidParameter")

    def unauthorised(self) -> WireAnswer:
        return sns_refusal(403, "InvalidClientTokenId")
