"""The provider kit's checks of cancelling, of reconciling and of what shows: each broken one fails exactly its own.

The doubles are the kit's other ones, each with one thing changed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from otpcore.ports import (
    Accepted,
    CheckAnswer,
    CheckVerdict,
    DeliveryEvent,
    Failure,
    InboundRequest,
    Outcome,
    SendRequest,
)
from tests.conformance.provider_doubles import AsyncDouble, DoubleContract, red_checks
from tests.conformance.test_provider_kit_afterwards import AsyncMessenger, MessengerContract

pytest_plugins = ["pytester"]

APPROVED = CheckAnswer(CheckVerdict.APPROVED)


# --- cancelling ---


class CancelsNothing(AsyncDouble):
    async def cancel(self, handle: str, timeout_s: float) -> bool:
        await super().cancel(handle, timeout_s)
        return False


class CancelsAgainAfterAnError(AsyncDouble):
    async def cancel(self, handle: str, timeout_s: float) -> bool:
        status = (await self.ask("/cancel", {"handle": handle}, timeout_s))[1]
        return await super().cancel(handle, timeout_s) if status == 500 else status == 200


class BoundsEachReadOfACancel(AsyncDouble):
    """A timeout for each read in place of a deadline for the call."""

    async def cancel(self, handle: str, timeout_s: float) -> bool:
        self.read_s = timeout_s
        return await super().cancel(handle, 3600)

    async def read(self, reader: asyncio.StreamReader) -> tuple[bool, int, Any]:
        return await super().read(await read_whole(reader, vars(self).get("read_s")))


class TakesAnErrorForCancelled(AsyncDouble):
    async def cancel(self, handle: str, timeout_s: float) -> bool:
        return (await self.ask("/cancel", {"handle": handle}, timeout_s))[1] in {200, 500}


# --- reconciling ---


class NeverKnows(AsyncDouble):
    def sort_reconciled(self, handle: str, status: int, document: Any) -> CheckAnswer | None:
        return None


class ReconcilesAgainAfterAnError(AsyncDouble):
    async def reconcile_check(self, handle: str, timeout_s: float) -> CheckAnswer | None:
        form = {"handle": handle}
        _, status, document = await self.ask("/reconcile", form, timeout_s)
        if status == 500:
            _, status, document = await self.ask("/reconcile", form, timeout_s)
        return self.sort_reconciled(handle, status, document)


class BoundsEachReadOfAReconciliation(AsyncDouble):
    """A timeout for each read in place of a deadline for the call."""

    async def reconcile_check(self, handle: str, timeout_s: float) -> CheckAnswer | None:
        self.read_s = timeout_s
        return await super().reconcile_check(handle, 3600)

    async def read(self, reader: asyncio.StreamReader) -> tuple[bool, int, Any]:
        return await super().read(await read_whole(reader, vars(self).get("read_s")))


class ApprovesHalfAnAnswer(AsyncDouble):
    """Takes an answer that was cut for the one that it would have become."""

    async def read(self, reader: asyncio.StreamReader) -> tuple[bool, int, Any]:
        try:
            return await super().read(reader)
        except asyncio.IncompleteReadError:
            return True, 299, None

    def sort_reconciled(self, handle: str, status: int, document: Any) -> CheckAnswer | None:
        return APPROVED if status == 299 else super().sort_reconciled(handle, status, document)


class ApprovesARefusal(AsyncDouble):
    def sort_reconciled(self, handle: str, status: int, document: Any) -> CheckAnswer | None:
        return APPROVED if status == 422 else super().sort_reconciled(handle, status, document)


class ApprovesLaterInAnyCase(AsyncDouble):
    def sort_reconciled(self, handle: str, status: int, document: Any) -> CheckAnswer | None:
        if isinstance(document, dict):
            document = {name: str(value).lower() for name, value in document.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
        return super().sort_reconciled(handle, status, document)


class ApprovesByTheWordOnAnother(AsyncDouble):
    def sort_reconciled(self, handle: str, status: int, document: Any) -> CheckAnswer | None:
        known = {"id": handle, "status": "approved"}
        found = document.get("status") == "approved" if hasattr(document, "get") else False
        return super().sort_reconciled(handle, status, known if found else document)


class LeavesAReconciliationBehind(AsyncDouble):
    async def reconcile_check(self, handle: str, timeout_s: float) -> CheckAnswer | None:
        return await asyncio.shield(super().reconcile_check(handle, timeout_s))


# --- reporting ---


class BoundsEachReadOfAnOutcome(AsyncMessenger):
    """A timeout for each read in place of a deadline for the call."""

    async def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        self.read_s = timeout_s
        return await super().report_outcome(handle, outcome, 3600)

    async def read(self, reader: asyncio.StreamReader) -> tuple[bool, int, Any]:
        return await super().read(await read_whole(reader, vars(self).get("read_s")))


# --- showing ---


class RemembersTheNumber(AsyncDouble):
    remembered = ""

    async def send(self, request: SendRequest) -> Accepted | Failure:
        self.remembered = request.recipient
        return await super().send(request)


class LogsACancel(RemembersTheNumber):
    async def cancel(self, handle: str, timeout_s: float) -> bool:
        logging.getLogger("double").debug("cancelling %s", {"of": self.remembered})
        return await super().cancel(handle, timeout_s)


class RaisesInACancel(RemembersTheNumber):
    async def cancel(self, handle: str, timeout_s: float) -> bool:
        status = (await self.ask("/cancel", {"handle": handle}, timeout_s))[1]
        if status == 400:
            raise RuntimeError(f"cannot cancel what {self.remembered} has")
        return status == 200


class LogsAReconciliation(AsyncDouble):
    """What the vendor says, too."""

    def sort_reconciled(self, handle: str, status: int, document: Any) -> CheckAnswer | None:
        logging.getLogger("double").info("reconciled %s: %s", handle, document)
        return super().sort_reconciled(handle, status, document)


class ShowsWhatWasReconciled(AsyncDouble):
    def sort_reconciled(self, handle: str, status: int, document: Any) -> CheckAnswer | None:
        found = super().sort_reconciled(handle, status, document)
        return found or CheckAnswer(CheckVerdict.UNKNOWN, detail=f"{status}: {document}")


class LogsAnOutcome(AsyncMessenger):
    async def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        logging.getLogger("double").warning("outcome of +12025550123")
        return await super().report_outcome(handle, outcome, timeout_s)


class ShowsWhoseOutcome(AsyncMessenger):
    async def report_outcome(self, handle: str, outcome: Outcome, timeout_s: float) -> bool:
        self.told = "code 918273"
        return await super().report_outcome(handle, outcome, timeout_s)

    def __repr__(self) -> str:
        return f"AsyncMessenger({vars(self).get('told')})"


class LogsAReceipt(AsyncMessenger):
    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        logging.getLogger("double").debug("receipt %r", request.body)
        return super().parse_receipt(request)


class RaisesAReceipt(AsyncMessenger):
    def claimed(self, request: InboundRequest) -> str:
        if not request.headers:
            raise RuntimeError(f"unsigned: {request.body!r}")
        return super().claimed(request)


class ShownEvent(DeliveryEvent):
    def __repr__(self) -> str:
        return f"ShownEvent({self.recipient})"


class ReadsEventsThatShow(AsyncMessenger):
    def read_receipt(self, body: bytes) -> Sequence[DeliveryEvent]:
        return [ShownEvent(e.id, e.handle, e.recipient, e.state, e.at) for e in super().read_receipt(body)]


async def read_whole(reader: asyncio.StreamReader, read_s: float | None) -> asyncio.StreamReader:
    whole = asyncio.StreamReader()
    while chunk := await asyncio.wait_for(reader.read(4096), read_s):
        whole.feed_data(chunk)
    whole.feed_eof()
    return whole


ENDED = "what_the_vendor_ended_is_ended"
CANCELLED_ONCE = "a_cancel_is_made_once_on_the_wire"
CANCELLED_IN_TIME = "a_cancel_returns_within_its_deadline"
NOT_ENDED = "a_cancel_without_a_usable_answer_ended_nothing"
LATER = "what_the_vendor_approved_is_approved_later"
RECONCILED_ONCE = "a_check_is_reconciled_once_on_the_wire"
RECONCILED_IN_TIME = "a_check_is_reconciled_within_its_deadline"
NOBODY = "a_check_that_cannot_be_reconciled_approves_nobody"
LITERAL = "only_the_literal_word_about_this_handle_approves_later"
LET_GO = "a_cancelled_reconciliation_closes_cleanly"
REPORTED_IN_TIME = "an_outcome_is_reported_within_its_deadline"
SHOWN = "no_code_and_no_number_is_shown"
RECEIPT_SHOWN = "no_receipt_is_shown"
CANCELLING = "cancel and not reconcil and not process or ended"
RECONCILING = "later or reconcil or closing"
REPORTING = "outcome or closing"
SHOWING = "shown or accepted or ended or later or outcome_is or vendor_says or sign"
"""The checks that are run on each double: those around the one that it breaks."""

BROKEN: list[tuple[type[AsyncDouble], set[str], str]] = [
    (CancelsNothing, {ENDED}, CANCELLING),
    (CancelsAgainAfterAnError, {CANCELLED_ONCE}, CANCELLING),
    (BoundsEachReadOfACancel, {CANCELLED_IN_TIME}, CANCELLING),
    (TakesAnErrorForCancelled, {NOT_ENDED}, CANCELLING),
    (NeverKnows, {LATER}, RECONCILING),
    (ReconcilesAgainAfterAnError, {RECONCILED_ONCE}, RECONCILING),
    (BoundsEachReadOfAReconciliation, {RECONCILED_IN_TIME}, RECONCILING),
    (ApprovesHalfAnAnswer, {NOBODY}, RECONCILING),
    (ApprovesARefusal, {NOBODY}, RECONCILING),
    (ApprovesLaterInAnyCase, {LITERAL}, RECONCILING),
    (ApprovesByTheWordOnAnother, {LITERAL}, RECONCILING),
    (LeavesAReconciliationBehind, {LET_GO}, RECONCILING),
    (BoundsEachReadOfAnOutcome, {REPORTED_IN_TIME}, REPORTING),
    (LogsACancel, {SHOWN}, SHOWING),
    (RaisesInACancel, {SHOWN}, SHOWING),
    (LogsAReconciliation, {SHOWN}, SHOWING),
    (ShowsWhatWasReconciled, {SHOWN}, SHOWING),
    (LogsAnOutcome, {SHOWN}, SHOWING),
    (ShowsWhoseOutcome, {SHOWN}, SHOWING),
    (LogsAReceipt, {RECEIPT_SHOWN}, SHOWING),
    (RaisesAReceipt, {RECEIPT_SHOWN, "what_the_vendor_did_not_sign_is_refused"}, SHOWING),
    (ReadsEventsThatShow, {RECEIPT_SHOWN, "what_the_vendor_says_of_a_message_is_read"}, SHOWING),
]
HANGING: tuple[type[AsyncDouble], ...] = (
    BoundsEachReadOfACancel,
    BoundsEachReadOfAReconciliation,
    BoundsEachReadOfAnOutcome,
    LeavesAReconciliationBehind,
)


@pytest.mark.parametrize(("broken", "checks", "selected"), BROKEN)
def test_a_broken_provider_fails_exactly_the_checks_that_it_breaks(
    broken: type[AsyncDouble],
    checks: set[str],
    selected: str,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    contract: type[DoubleContract] = MessengerContract if issubclass(broken, AsyncMessenger) else DoubleContract
    members: dict[str, Any] = {
        "awaited": broken,
        "colours": ("awaited" if broken is LeavesAReconciliationBehind else "blocking",),
        "patience_s": 6.0 if broken in HANGING else contract.patience_s,
    }
    red = red_checks(type("TestBroken", (contract,), members), selected, pytester, monkeypatch)
    assert red == {f"test_{check}" for check in checks}


class ApprovesWhateverItIsAsked(AsyncDouble):
    """Three times, and without a deadline."""

    async def reconcile_check(self, handle: str, timeout_s: float) -> CheckAnswer | None:
        for _ in range(3):
            await self.ask("/reconcile", {"handle": handle}, 3600)
        return APPROVED


class WildContract(DoubleContract):
    awaited: ClassVar[type[AsyncDouble]] = ApprovesWhateverItIsAsked
    colours = ("blocking",)
    patience_s = 4.0


def test_who_approves_whatever_it_is_asked_is_seen_by_each_of_them(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    red = red_checks(WildContract, RECONCILING, pytester, monkeypatch)
    assert red == {f"test_{check}" for check in (RECONCILED_ONCE, RECONCILED_IN_TIME, NOBODY, LITERAL)}
