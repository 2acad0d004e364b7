"""What Twilio would hold: services, verifications, and the messages that were sent.

Rule of this file: pure state. `now` and entropy are given; no clock, no HTTP, no form fields, no log. A
refusal is raised as `Refusal`. Not safe across threads: the caller holds one lock.
"""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.records import Attempt, Entropy, Message, Service, Verification

if TYPE_CHECKING:
    from datetime import datetime

    from otpcore_twilio.emulator.options import Options

__all__ = ["POLL_LIMITS", "World"]

POLL_LIMITS: Final = ((60, 60), (3600, 180), (86_400, 250))
"""(window in seconds, fetches of one verification), Twilio's "rate limits and timeouts", 2026."""

_SHOWN_WHEN_EXPIRED: Final = timedelta(days=1)
"""How long a verification is still shown after its validity where the options ask for that."""


class World:
    """All that one account holds.

    Attributes:
        services: by SID, oldest first.
        messages: oldest first, the newest `Options.inbox_size` of them.
        sent: how many messages there ever were.
    """

    def __init__(self, options: Options, entropy: Entropy) -> None:
        self.options = options
        self.services: dict[str, Service] = {}
        self.messages: deque[Message] = deque(maxlen=options.inbox_size)
        self.sent = 0
        self._entropy = entropy
        self._validity = timedelta(seconds=options.validity_s)
        self._shown = _SHOWN_WHEN_EXPIRED if options.fetch_when_expired == "expired" else timedelta(0)
        self._verifications: dict[str, Verification] = {}
        self._newest: dict[tuple[str, str], Verification] = {}

    # -- services

    def add_service(self, friendly_name: str, *, now: datetime) -> Service:
        """Create a service with the default settings."""
        service = Service(self._entropy.sid("VA"), friendly_name, created_at=now, updated_at=now)
        self.services[service.sid] = service
        return service

    def delete_service(self, service: Service) -> None:
        """Remove a service and its verifications; the messages stay."""
        del self.services[service.sid]
        for verification in [v for v in self._verifications.values() if v.service_sid == service.sid]:
            self._forget(verification)

    # -- verifications

    def send(
        self,
        service: Service,
        to: str,
        channel: str,
        *,
        now: datetime,
        custom_code: str | None = None,
        name: str | None = None,
        amount: str | None = None,
        payee: str | None = None,
    ) -> Verification:
        """Start a verification, or send the code of the pending one again.

        Args:
            service: where it belongs; one recipient has one pending verification in each service.
            to: the recipient.
            channel: sms, call, whatsapp or email.
            now: aware UTC.
            custom_code: for a new verification, if the service allows it; else silently ignored.
            name: stands in the text in place of the service's friendly name.
            amount: of a payment, kept as given.
            payee: of a payment, kept as given.

        Returns:
            The verification, with one attempt more and one message more.

        Raises:
            Refusal: 60203 after the last send, `Options.create_when_locked` after the last check.
        """
        self._sweep(now)
        found = self._find(service, now, to=to)
        if found is None or self._settle(found, now) in {"approved", "canceled", "expired"}:
            code = custom_code if custom_code and service.custom_code_enabled else None
            found = Verification(
                self._entropy.sid("VE"),
                service.sid,
                to,
                code or self._entropy.code(service.code_length),
                created_at=now,
                updated_at=now,
                amount=amount,
                payee=payee,
            )
            self._verifications[found.sid] = found
            self._newest[service.sid, to] = found
        elif found.status == "max_attempts_reached":
            raise Refusal(self.options.create_when_locked, retry_after_s=self._remaining_s(found, now))
        elif len(found.attempts) >= self.options.max_sends:
            raise Refusal(60203, retry_after_s=self._remaining_s(found, now))
        attempt = Attempt(self._entropy.sid("VL"), channel, now)
        found.attempts.append(attempt)
        found.updated_at = now
        text = _text(service, name or service.friendly_name, found.code, channel)
        self.sent += 1
        self.messages.append(Message(self.sent, attempt.sid, found.sid, to, channel, found.code, text, now))
        return found

    def target(self, service: Service, *, now: datetime, sid: str | None = None, to: str | None = None) -> Verification:
        """The verification that a check means: by SID, else the newest of a recipient.

        Raises:
            Refusal: 20404, there is none that can be checked.
        """
        found = self._find(service, now, sid=sid, to=to)
        if found is None or self._settle(found, now) not in {"pending", "max_attempts_reached"}:
            raise Refusal(20404)
        return found

    def check(self, verification: Verification, code: str, *, now: datetime) -> Verification:
        """Use up one try.

        Args:
            verification: from `target`, at the same instant.
            code: as the person typed it.
            now: aware UTC.

        Returns:
            The verification: approved, or pending after a wrong code.

        Raises:
            Refusal: 60202 beyond the last try, and from then on `Options.check_when_locked`.
        """
        if verification.status == "max_attempts_reached":
            raise Refusal(self.options.check_when_locked, retry_after_s=self._remaining_s(verification, now))
        if verification.checks >= self.options.max_checks:
            verification.status = "max_attempts_reached"
            verification.updated_at = now
            raise Refusal(60202, retry_after_s=self._remaining_s(verification, now))
        verification.checks += 1
        verification.updated_at = now
        if code == verification.code:
            verification.status = "approved"
        return verification

    def fetch(self, service: Service, *, now: datetime, sid: str | None = None, to: str | None = None) -> Verification:
        """Show a verification, by SID or the newest of a recipient.

        Raises:
            Refusal: 20404 when gone, `Options.poll_code` when fetched too often.
        """
        found = self._find(service, now, sid=sid, to=to)
        status = None if found is None else self._settle(found, now)
        shown = {
            "approved": self.options.fetch_when_approved == "approved",
            "expired": self.options.fetch_when_expired == "expired",
        }
        if found is None or status is None or not shown.get(status, True):
            raise Refusal(20404)
        for window_s, limit in POLL_LIMITS:
            recent = [at for at in found.polls if now - at < timedelta(seconds=window_s)]
            if len(recent) >= limit:
                wait = timedelta(seconds=window_s) - (now - recent[-limit])
                raise Refusal(self.options.poll_code, retry_after_s=_whole_seconds(wait))
        found.polls.append(now)
        return found

    def update(
        self, service: Service, status: str, *, now: datetime, sid: str | None = None, to: str | None = None
    ) -> Verification:
        """Cancel or approve a pending verification; what Twilio does to one that is not pending is not known.

        Raises:
            Refusal: 20404, there is no pending one.
        """
        found = self._find(service, now, sid=sid, to=to)
        if found is None or self._settle(found, now) != "pending":
            raise Refusal(20404)
        found.status = status
        found.updated_at = now
        return found

    def recipient_of(self, sid: str) -> str | None:
        """Whom a verification is about, if there is one of this SID."""
        found = self._verifications.get(sid)
        return None if found is None else found.to

    def index(self) -> None:
        """Find the newest verification of each recipient again, after the others were put back."""
        self._newest = {(each.service_sid, each.to): each for each in self._verifications.values()}

    # -- within

    def _find(
        self, service: Service, now: datetime, *, sid: str | None = None, to: str | None = None
    ) -> Verification | None:
        """By SID, else the newest of a recipient; None as well for one whose time is over."""
        if sid is not None:
            found = self._verifications.get(sid)
        else:
            found = None if to is None else self._newest.get((service.sid, to))
        if found is None or found.service_sid != service.sid or self._is_over(found, now):
            return None
        return found

    def _expires_at(self, verification: Verification) -> datetime:
        first = self.options.expiry_from == "first_send"
        return (verification.created_at if first else verification.attempts[-1].at) + self._validity

    def _is_over(self, verification: Verification, now: datetime) -> bool:
        """Whether no request can reach it any more."""
        return now >= self._expires_at(verification) + self._shown

    def _settle(self, verification: Verification, now: datetime) -> str:
        """The status at `now`; an expiry that is due is written down first."""
        if verification.status in {"pending", "max_attempts_reached"} and now >= self._expires_at(verification):
            verification.status = "expired"
        return verification.status

    def _remaining_s(self, verification: Verification, now: datetime) -> int:
        return _whole_seconds(self._expires_at(verification) - now)

    def _sweep(self, now: datetime) -> None:
        """Drop the oldest verifications, as far as they are over."""
        while self._verifications:
            oldest = next(iter(self._verifications.values()))
            if not self._is_over(oldest, now):
                return
            self._forget(oldest)

    def _forget(self, verification: Verification) -> None:
        del self._verifications[verification.sid]
        key = (verification.service_sid, verification.to)
        if self._newest.get(key) is verification:
            del self._newest[key]


def _whole_seconds(duration: timedelta) -> int:
    """Rounded up, at least 1: a client that waits this long is not early."""
    return max(1, -(-duration // timedelta(seconds=1)))


def _text(service: Service, name: str, code: str, channel: str) -> str:
    if channel == "call":
        spoken = ". ".join(code)
        return f"Your {name} verification code is: {spoken}. Again, your verification code is: {spoken}."
    text = f"Your {name} verification code is: {code}"
    if service.do_not_share_warning_enabled and channel == "sms":
        text += ". Don't share this code with anyone; our employees will never ask for the code"
    return text
