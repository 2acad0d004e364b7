"""What happens to what Twilio holds: services come and go, codes are sent and checked.

Rule of this file: pure state. `now` and entropy are given; no clock, no HTTP, no form fields, no log. A
refusal is raised as `Refusal`. Not safe across threads: the caller holds one lock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from otpcore_twilio.emulator.catalogue import Refusal
from otpcore_twilio.emulator.limiting import delete_rate_limit, wait_for, whole_seconds
from otpcore_twilio.emulator.magic import Delivery
from otpcore_twilio.emulator.records import (
    Attempt,
    Entropy,
    Holdings,
    Message,
    Send,
    Service,
    SilentTry,
    Verification,
)
from otpcore_twilio.emulator.templates import Wording

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from otpcore_twilio.emulator.options import Options

__all__ = ["POLL_LIMITS", "Asked", "World"]

POLL_LIMITS: Final = ((60, 60), (3600, 180), (86_400, 250))
"""(window in seconds, fetches of one verification), Twilio's "rate limits and timeouts", 2026."""

_REMEMBERED: Final = timedelta(days=1)
"""How long an expired verification still has a meaning where the options ask for that."""

_PENDING_SILENTLY: Final = 60519


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request for a code may say beyond recipient and channel.

    Attributes:
        wording: of the message; None: the default, with the service's name.
        custom_code: for a new verification, if the service allows it; else silently ignored.
        payment: amount and payee; another payment gets another code.
        tags: kept with the attempt.
        client_token: the silent network authentication hands out a token.
    """

    wording: Wording | None = None
    custom_code: str | None = None
    payment: tuple[str, str] | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    client_token: bool = False


_NOTHING: Final = Asked()


class World:
    """All that one account holds, and what may be done to it.

    Attributes:
        options: as given.
        held: plain data; whoever puts other data in its place calls `index` then.
    """

    def __init__(self, options: Options, entropy: Entropy) -> None:
        self.options = options
        self.held = Holdings()
        self._entropy = entropy
        self._validity = timedelta(seconds=options.validity_s)
        remembered = options.fetch_when_expired == "expired" or options.create_when_expired != "fresh"
        self._shown = _REMEMBERED if remembered else timedelta(0)
        self.index()

    @property
    def services(self) -> dict[str, Service]:
        """By SID, oldest first."""
        return self.held.services

    @property
    def messages(self) -> list[Message]:
        """Oldest first, the newest `Options.inbox_size` of them."""
        return self.held.messages

    @property
    def sent(self) -> int:
        """How many messages there ever were."""
        return self.held.sent

    def sid(self, prefix: str) -> str:
        """A SID that nothing has yet."""
        return self._entropy.sid(prefix)

    # -- services

    def add_service(self, friendly_name: str, *, now: datetime) -> Service:
        """Create a service with the default settings."""
        service = Service(self.sid("VA"), friendly_name, created_at=now, updated_at=now, serial=self.held.next_serial())
        self.held.services[service.sid] = service
        return service

    def delete_service(self, service: Service) -> None:
        """Remove a service with its limits and verifications; messages and attempts stay."""
        del self.held.services[service.sid]
        for limit in [one for one in self.held.rate_limits.values() if one.service_sid == service.sid]:
            delete_rate_limit(self.held, limit.sid)
        for key in [key for key in self.held.configurations if key.startswith(service.sid)]:
            del self.held.configurations[key]
        for verification in [one for one in self.held.verifications.values() if one.service_sid == service.sid]:
            self._forget(verification)

    # -- verifications

    def send(self, service: Service, to: str, channel: str, *, now: datetime, asked: Asked = _NOTHING) -> Verification:
        """Start a verification, or send the code of the pending one again.

        Args:
            service: where it belongs; one recipient has one pending verification in each service.
            to: the recipient.
            channel: sms, call, whatsapp, email or sna, which sends no message.
            now: aware UTC.
            asked: the rest of the request.

        Returns:
            The verification, with one send more and one message more.

        Raises:
            Refusal: 60203 after the last send, `Options.create_when_locked` after the last check.
        """
        self._sweep(now)
        found = self._find(service, now, to=to)
        status = None if found is None else self.settle(found, now)
        used_up = found is not None and len(found.sends) >= self.options.max_sends
        if found is not None and status == "expired" and used_up and self.options.create_when_expired != "fresh":
            raise Refusal(60203, retry_after_s=self._remaining_s(found, now - self._shown))
        if found is None or status in {"approved", "canceled", "expired"}:
            found = Verification(self.sid("VE"), service.sid, to, "", created_at=now, updated_at=now)
            custom = asked.custom_code if service.custom_code_enabled else None
            found.code = custom or self._entropy.code(service.code_length)
            self.held.verifications[found.sid] = found
            self._newest[service.sid, to] = found
        elif status == "max_attempts_reached":
            raise Refusal(self.options.create_when_locked, retry_after_s=self._remaining_s(found, now))
        elif used_up:
            raise Refusal(60203, retry_after_s=self._remaining_s(found, now))
        elif asked.payment not in {None, (found.amount, found.payee)}:
            found.code = self._entropy.code(service.code_length)
        if asked.payment is not None:
            found.amount, found.payee = asked.payment
        found.updated_at = now
        found.looked_up = service.lookup_enabled or channel == "sna"
        send = Send(self.sid("VL"), channel, now)
        found.sends.append(send)
        self._deliver(found, send, service, asked)
        return found

    def target(self, service: Service, *, now: datetime, sid: str | None = None, to: str | None = None) -> Verification:
        """The verification that a check means: by SID, else the newest of a recipient.

        Raises:
            Refusal: 20404, there is none that can be checked.
        """
        found = self._find(service, now, sid=sid, to=to)
        if found is None or self.settle(found, now) not in {"pending", "max_attempts_reached"}:
            raise Refusal(20404)
        return found

    def check(
        self, verification: Verification, code: str, *, now: datetime, payment: tuple[str, str] | None = None
    ) -> Verification:
        """Try a code against a verification that `target` gave.

        Args:
            verification: pending, or out of tries.
            code: as typed.
            now: aware UTC.
            payment: amount and payee that were confirmed; those of another payment make the code a wrong one.

        Raises:
            Refusal: 60202 when the tries are used up, `Options.check_when_locked` from then on.
        """
        if verification.status == "max_attempts_reached":
            raise Refusal(self.options.check_when_locked, retry_after_s=self._remaining_s(verification, now))
        if verification.checks >= self.options.max_checks:
            verification.status = "max_attempts_reached"
            verification.updated_at = now
            raise Refusal(60202, retry_after_s=self._remaining_s(verification, now))
        verification.checks += 1
        verification.updated_at = now
        if code == verification.code and payment in {None, (verification.amount, verification.payee)}:
            self.end(verification, "approved", now)
        return verification

    def fetch(self, service: Service, *, now: datetime, sid: str | None = None, to: str | None = None) -> Verification:
        """Show a verification, by SID or the newest of a recipient.

        Raises:
            Refusal: 20404 when gone, `Options.poll_code` when fetched too often.
        """
        found = self._find(service, now, sid=sid, to=to)
        status = None if found is None else self.settle(found, now)
        shown = {
            "approved": self.options.fetch_when_approved == "approved",
            "expired": self.options.fetch_when_expired == "expired",
        }
        if found is None or status is None or not shown.get(status, True):
            raise Refusal(20404)
        wait = wait_for(found.polls, POLL_LIMITS, now=now)
        if wait is not None:
            raise Refusal(self.options.poll_code, retry_after_s=whole_seconds(wait))
        found.polls.append(now)
        del found.polls[: -POLL_LIMITS[-1][1]]
        return found

    def update(
        self, service: Service, status: str, *, now: datetime, sid: str | None = None, to: str | None = None
    ) -> Verification:
        """Cancel or approve a pending verification; what Twilio does to one that is not pending is not known.

        Raises:
            Refusal: 20404, there is no pending one.
        """
        found = self._find(service, now, sid=sid, to=to)
        if found is None or self.settle(found, now) != "pending":
            raise Refusal(20404)
        self.end(found, status, now)
        return found

    def end(self, verification: Verification, status: str, now: datetime) -> None:
        """Approve or cancel; an approval converts the newest attempt."""
        verification.status = status
        verification.updated_at = now
        newest = self.held.attempts.get(verification.sends[-1].attempt_sid)
        if status == "approved" and newest is not None:
            newest.converted, newest.updated_at = True, now

    def settle(self, verification: Verification, now: datetime) -> str:
        """The status at `now`; an expiry that is due is written down first."""
        if verification.status in {"pending", "max_attempts_reached"} and now >= self._expires_at(verification):
            verification.status = "expired"
        return verification.status

    def recipient_of(self, sid: str) -> str | None:
        """Whom a verification or a text is about, if there is one of this SID."""
        found = self.held.verifications.get(sid) or self.held.texts.get(sid)
        return None if found is None else found.to

    def index(self) -> None:
        """Find the newest verification of each recipient again, after the data was put back."""
        self._newest = {(each.service_sid, each.to): each for each in self.held.verifications.values()}

    # -- within

    def _deliver(self, verification: Verification, send: Send, service: Service, asked: Asked) -> None:
        """Write down what a send causes: a message and an attempt, or a silent try."""
        if send.channel == "sna":
            token = self._entropy.token() if asked.client_token else None
            verification.silent.append(SilentTry(send.attempt_sid, self._entropy.token(), token, _PENDING_SILENTLY))
            return
        wording = asked.wording or Wording(f"Your {service.friendly_name} verification code is: {{{{code}}}}")
        text = wording.say(verification.code, send.channel)
        self.held.sent += 1
        self.held.messages.append(
            Message(
                self.held.sent,
                send.attempt_sid,
                verification.sid,
                verification.to,
                send.channel,
                verification.code,
                text,
                send.at,
            )
        )
        del self.held.messages[: -self.options.inbox_size]
        delivery = self.options.deliveries.get(verification.to, Delivery())
        attempt = Attempt(
            send.attempt_sid,
            verification.service_sid,
            verification.sid,
            verification.to,
            send.channel,
            created_at=send.at,
            updated_at=send.at,
            expires_at=self._expires_at(verification),
            code_length=len(verification.code),
            locale=wording.locale,
            serial=self.held.next_serial(),
            message_status="completed" if send.channel == "call" else delivery.statuses[-1],
            error_code=None if delivery.error_code is None or send.channel == "call" else str(delivery.error_code),
            tags=dict(asked.tags),
        )
        self.held.attempts[attempt.sid] = attempt
        if len(self.held.attempts) > self.options.inbox_size:
            del self.held.attempts[next(iter(self.held.attempts))]

    def _find(
        self, service: Service, now: datetime, *, sid: str | None = None, to: str | None = None
    ) -> Verification | None:
        """By SID, else the newest of a recipient; None as well for one whose time is over."""
        if sid is not None:
            found = self.held.verifications.get(sid)
        else:
            found = None if to is None else self._newest.get((service.sid, to))
        if found is None or found.service_sid != service.sid or self._is_over(found, now):
            return None
        return found

    def _expires_at(self, verification: Verification) -> datetime:
        first = self.options.expiry_from == "first_send"
        return (verification.created_at if first else verification.sends[-1].at) + self._validity

    def _is_over(self, verification: Verification, now: datetime) -> bool:
        """Whether no request can reach it any more."""
        return now >= self._expires_at(verification) + self._shown

    def _remaining_s(self, verification: Verification, now: datetime) -> int:
        return whole_seconds(self._expires_at(verification) - now)

    def _sweep(self, now: datetime) -> None:
        """Drop the oldest verifications, as far as they are over."""
        while self.held.verifications:
            oldest = next(iter(self.held.verifications.values()))
            if not self._is_over(oldest, now):
                return
            self._forget(oldest)

    def _forget(self, verification: Verification) -> None:
        del self.held.verifications[verification.sid]
        key = (verification.service_sid, verification.to)
        if self._newest.get(key) is verification:
            del self._newest[key]
