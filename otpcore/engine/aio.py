"""The awaiting engine: the same flows as the blocking one, awaited.

A store or provider that blocks is served by a bounded number of threads; a store without I/O is called directly.

Rules of this file: as for `otpcore.engine.sync`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Self

from otpcore import flows
from otpcore.codes import ENTROPY_BYTES, Entropy
from otpcore.contract import NO_EXTRA, CodeOwner
from otpcore.engine import answers, closing
from otpcore.engine.awaiting import AsyncDriver
from otpcore.engine.bounding import CONCURRENCY
from otpcore.engine.providing import Providing
from otpcore.engine.terms import make_setup
from otpcore.engine.workers import awaited_provider, awaited_store
from otpcore.messages import DEFAULT_TEMPLATES, Templates
from otpcore.phone import RegionPolicy
from otpcore.policy import DEFAULT, Profile
from otpcore.ports import AsyncProvider, AsyncStore, Clock, Provider, Store
from otpcore.receipts import InboundRequest
from otpcore.recipients import Recipient
from otpcore.results import (
    ByRecipient,
    CancelResult,
    CheckResult,
    ForgetResult,
    ReceiptResult,
    SendResult,
    StatusResult,
    UnlockResult,
)
from otpcore.routing import Routing

if TYPE_CHECKING:
    from otpcore.plugins import Plugins  # pluggy is paid for by who uses plugins

__all__ = ["AsyncEngine"]


class AsyncEngine(Providing):
    """Verifies that people hold their phone numbers. Awaiting; for one event loop.

    Args:
        store: where records are kept.
        providers: one provider, or several by name in the order of preference.
        pepper: at least 32 random bytes that the store never sees; may be left out where the store keeps nothing.
        previous_peppers: peppers that are being rotated out, oldest first.
        tenant: whose recipients these are; limits, pseudonyms and tokens are the tenant's own.
        profile: the policy in force, see `otpcore.policy`.
        purposes: what may be confirmed here, such as "login" and "payment".
        destinations: which regions and line types are served.
        code_owner: who makes the codes; None: the provider where it can.
        routing: which provider a send goes through, see `otpcore.routing`; None: each in its order.
        keep_number: sessions keep their recipient, sealed, on a rule with `failover_on_undelivered`, which needs it.
        plugins: guards, routes and observers to ask and tell.
        templates: words of the codes of the core, see `otpcore.messages`.
        brand: the name in them, as people know the service; "" for none.
        timeout_s: deadline of one provider call, more than 0 and at most 10.
        provider_concurrency: sends that one provider may have under way at once, and checks; 1 to 10,000.
        clock: gives the time; the machine's own by default.
        entropy: gives random bytes; the operating system's by default.

    Raises:
        ConfigurationError: the combination cannot be, with what to do.
    """

    def __init__(
        self,
        store: Store | AsyncStore,
        providers: Provider | AsyncProvider | Mapping[str, Provider | AsyncProvider],
        *,
        pepper: bytes | None = None,
        previous_peppers: Iterable[bytes] = (),
        tenant: str = "default",
        profile: Profile = DEFAULT,
        purposes: Iterable[str] = ("login",),
        destinations: RegionPolicy | None = None,
        code_owner: CodeOwner | None = None,
        routing: Routing | None = None,
        keep_number: bool = False,
        plugins: Plugins | None = None,
        templates: Templates = DEFAULT_TEMPLATES,
        brand: str = "",
        timeout_s: float = 8.0,
        provider_concurrency: int = CONCURRENCY,
        clock: Clock = answers.wall_clock,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        super().__init__(providers)
        self._store = awaited_store(store)
        self._providers = {name: awaited_provider(one, provider_concurrency) for name, one in self._given.items()}
        self._entropy = entropy
        self._setup = make_setup(
            store=store.capabilities,
            providers=self._given,
            pepper=pepper,
            previous_peppers=previous_peppers,
            tenant=tenant,
            profile=profile,
            purposes=purposes,
            destinations=destinations or RegionPolicy(),
            code_owner=code_owner,
            routing=routing,
            keep_number=keep_number,
            timeout_s=timeout_s,
            provider_concurrency=provider_concurrency,
            plugged=plugins is not None,
            templates=templates,
            brand=brand,
        )
        self._driver = AsyncDriver(
            self._setup, self._store, self._providers, plugins=plugins, clock=clock, limit=provider_concurrency
        )

    async def start(
        self,
        recipient: str | Recipient,
        *,
        purpose: str = "login",
        channel: str = "sms",
        region: str | None = None,
        locale: str | None = None,
        source: str | None = None,
        idempotency_key: str | None = None,
        by_recipient: bool = False,
        extra: Mapping[str, str] = NO_EXTRA,
    ) -> SendResult:
        """Open a session and send its first code.

        The step of the resend ladder is taken in the store before the provider is called; it is given back
        only when the provider says that it did not send.

        Args:
            recipient: E.164, or national with `region`; for "email" an address; or what was canonicalised before.
            purpose: one of the engine's.
            channel: one that a provider serves: "sms", "call", …; "email" for an address and for nothing else.
            region: ISO 3166-1 alpha-2, for a national number.
            locale: BCP 47, of the message; one that is not known, or is no tag, is the default.
            source: the end user's address or device; kept as a pseudonym. One source can use only its share
                of a recipient's limits; without it there is no such protection.
            idempotency_key: random, at least 128 bits (a UUID does). The same call with the same key within
                24 hours sends nothing and answers with the same token.
            by_recipient: keep no token: the session is addressed by `ByRecipient`. Its code is then kept by
                the pepper alone, and a live one of the same purpose is continued.
            extra: provider-specific parameters, by the providers' documented names; each is given its own.

        Returns:
            `Sent`, `Wait` or `Refused`; `Ended` when a repeated key names a session that is over,
            or the new one was over before its send was settled.

        Raises:
            UsageError: an unknown purpose, an idempotency key that is too short.
            StoreError: nothing was sent; after CommitUnknown a step of the ladder may be taken.
        """
        flow = flows.start(
            self._setup,
            self._draw(),
            recipient,
            purpose=purpose,
            channel=channel,
            region=region,
            locale=locale,
            source=source,
            idempotency_key=idempotency_key,
            by_recipient=by_recipient,
            extra=extra,
        )
        return await self._driver.run("start", flow, recipient, purpose, region)

    async def resend(
        self,
        session: str | ByRecipient,
        recipient: str | Recipient | None = None,
        *,
        channel: str | None = None,
        region: str | None = None,
        locale: str | None = None,
        source: str | None = None,
        idempotency_key: str | None = None,
        extra: Mapping[str, str] = NO_EXTRA,
    ) -> SendResult:
        """Send a code of a live session once more.

        A code of the core is made anew, and becomes the only live one when the provider has accepted it; a
        code of the provider follows its provider. The tries that were spent stay spent.

        Args:
            session: the token, or `ByRecipient`.
            recipient: the number or address again, with a token: it is not kept, and must be the session's.
            channel: another channel than the last one.
            region: as for `start`.
            locale: as for `start`.
            source: as for `start`.
            idempotency_key: as for `start`.
            extra: as for `start`.

        Returns:
            `Sent`, `Wait`, `Refused`, `Ended` or `NotFound`.

        Raises:
            UsageError, StoreError: as for `start`.
        """
        flow = flows.resend(
            self._setup,
            self._draw(),
            session,
            recipient,
            channel=channel,
            region=region,
            locale=locale,
            source=source,
            idempotency_key=idempotency_key,
            extra=extra,
        )
        return await self._driver.run("resend", flow, session)

    async def check(
        self,
        session: str | ByRecipient,
        code: str,
        *,
        recipient: str | Recipient | None = None,
        region: str | None = None,
        source: str | None = None,
        extra: Mapping[str, str] = NO_EXTRA,
    ) -> CheckResult:
        """Try a code.

        The try is spent in the store before anything is revealed; of all callers one at most is told
        `Approved`. A code that is not made of the right number of ASCII digits costs no try.

        Args:
            session: the token, or `ByRecipient`.
            code: as the person typed it; nothing is stripped or repaired.
            recipient: the number or address, needed only when `Refused(RECIPIENT_NEEDED)` asks for it.
            region: as for `start`.
            source: as for `start`.
            extra: as for `start`, for a code of the provider's own alone (Twilio: the payment that it confirms).

        Returns:
            `Approved`, `Wrong`, `Undecided`, `Ended`, `Refused` or `NotFound`.

        Raises:
            UsageError: an unknown purpose.
            StoreError: nobody was told of a success; a try may be spent, and after CommitUnknown the session.
        """
        flow = flows.check(
            self._setup, self._draw(), session, code, recipient=recipient, region=region, source=source, extra=extra
        )
        return await self._driver.run("check", flow, session)

    async def cancel(self, session: str | ByRecipient) -> CancelResult:
        """End a live session; nothing that was sent is given back.

        Args:
            session: the token, or `ByRecipient`.

        Returns:
            `Ended` with the status that the session has now, `Refused` when it is not a recipient, or `NotFound`.

        Raises:
            UsageError: an unknown purpose.
            StoreError: the session may still be live.
        """
        return await self._driver.run("cancel", flows.cancel(self._setup, self._draw(), session), session)

    async def status(self, session: str | ByRecipient) -> StatusResult:
        """How a session stands. Never says that a code was right: only `check` does.

        Args:
            session: the token, or `ByRecipient`.

        Returns:
            `Status`, `Refused` when it is not a recipient, or `NotFound`.

        Raises:
            UsageError: an unknown purpose.
            StoreError: the store is down or in doubt.
        """
        return await self._driver.run("status", flows.status(self._setup, self._draw(), session), session)

    async def forget(self, recipient: str | Recipient, *, region: str | None = None) -> ForgetResult:
        """Erase a recipient's sessions, live or ended; the pseudonymous limits stay until their windows end.

        Args:
            recipient: as for `start`.
            region: as for `start`.

        Returns:
            `Forgotten`, or `Refused` when it is not a recipient.

        Raises:
            StoreError: the sessions may still be there.
        """
        flow = flows.forget(self._setup, self._draw(), recipient, region=region)
        return await self._driver.run("forget", flow, recipient, "", region)

    async def unlock(self, recipient: str | Recipient, *, region: str | None = None) -> UnlockResult:
        """Lift a lock that failed checks have set: an operator's command, audited. Ladder and daily cap stay.

        Args:
            recipient: as for `start`.
            region: as for `start`.

        Returns:
            `Unlocked`, or `Refused` when it is not a recipient.

        Raises:
            StoreError: the lock may still be there.
        """
        flow = flows.unlock(self._setup, self._draw(), recipient, region=region)
        return await self._driver.run("unlock", flow, recipient, "", region)

    async def receipt(self, provider: str | None, request: InboundRequest) -> ReceiptResult:
        """Take a vendor's word on what became of its messages.

        Nothing changes but what is known of a live session's send, and what a rule lets follow; replays are harmless.

        Args:
            provider: its name here; None where only one provider reads receipts.
            request: as it was received.

        Returns:
            `Received`, or `Refused` with INVALID_RECEIPT: unsigned, forged or unreadable.

        Raises:
            UsageError: no provider was named, and there is not exactly one that reads receipts.
            StoreError: the receipt may not be written down; when it comes again it does no harm.
        """
        return await self._driver.run("receipt", flows.receipt(self._setup, self._draw(), provider, request), "")

    async def close(self) -> None:
        """Close the providers and the store, each even when another fails. Calling it twice is harmless."""
        await closing.close_awaited(self._store, self._providers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _draw(self) -> Entropy:
        return Entropy.split(self._entropy(ENTROPY_BYTES))
