"""What an emulator is started with: the limits, what its account may use, and every unsettled behaviour.

Rule of this file: values. A behaviour on which the sources disagree is a field here, with the better attested
variant as its default and the source beside it, never a constant elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit

from otpcore.providers.transport import is_loopback
from otpcore_twilio.emulator.catalogue import ERRORS
from otpcore_twilio.emulator.faults import Scenario
from otpcore_twilio.emulator.magic import DELIVERIES, MAGIC, MESSAGE_MAGIC, Delivery, Fault, Magic
from otpcore_twilio.emulator.templates import TEMPLATES, Template

__all__ = ["Options"]

_OFFERED = frozenset({"sms", "call", "whatsapp", "email", "sna", "auto"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How this emulator behaves.

    Attributes:
        seed: makes credentials, SIDs and codes the same on every run; None: from the operating system.
        validity_s: how long a code lives; Twilio changes it only through its support, 120 to 86,400 s.
        max_sends: sends of one verification.
        max_checks: checks of one verification.
        channels: what the account may use, of sms, call, whatsapp, email (every service has a mailer), sna and auto
            (goes out as sna if the account has it, else as sms).
        templates: the message templates of the account.
        check_status: HTTP status of a check; the specification declares both, captures show 200.
        check_when_locked: a check after the limit; a live test of 2026 saw 60202, the documentation says 404.
        create_when_locked: code of a send after the limit of checks; both were seen, the 429 is agreed.
        create_when_expired: a send after the expiry of a verification whose sends were used up: a fresh one (the
            documentation), or 60203 for another day (one report).
        expiry_from: whether validity runs from the first or the last send; captures fit the first.
        fetch_when_expired: whether an expired verification is gone (one report) or shown as `expired`.
        fetch_when_approved: whether an approved verification is gone (a live test) or shown as `approved`.
        unassignable: how a number that no plan can assign (+1 999 555 1234) is answered: as an invalid parameter
            (one live test) or like any other.
        poll_code: code of the 429 that too many fetches of one verification get, or requests to the safe list or the
            attempts; None: a body without a code. The documentation states the limits (60 a minute, 180 an hour, 250
            a day; 30 a minute; 100 a minute), no code.
        rate_limit_code: code of the 429 that a full bucket of a programmable rate limit causes; the specification's
            only example has 20429, 60203 is what limits of sending have otherwise.
        max_rate_limits: rate limits of one service; Twilio states that there is a maximum (60207), not which.
        max_buckets: buckets of one rate limit; as above (60210).
        unused_sna: `sna` and `sna_attempts_error_codes` of verifications by another channel: absent (captures of 2024),
            null (2022), or `[]` for the latter (the specification's examples).
        unsupported_locale: a language that Verify does not have: an invalid parameter (its page), or 404 (the page of
            languages).
        missing_translation: a language that the template does not have: its default one (the specification), or the
            error 60229 of the dictionary.
        template_elsewhere: a template that does not serve the channel: the default message goes out (page of the
            warning 60327, 2026), or the request is refused (60227, 60408 of the dictionary, 2023).
        message_wording: texts of 60200 and 20404 as in captures of 2025, the former with the value that was given, or
            as in those of 2019 to 2022.
        retry_after_codes: the codes that bring a Retry-After header; only that of 20429 is documented.
        http_statuses: HTTP status by error code, over the dictionary's; for codes whose page states none.
        magic: numbers whose verification fails in a chosen way.
        message_magic: numbers to which a message of Programmable Messaging does.
        faults: what is spoiled from the start; `Emulator.faults` takes more.
        callback_url: where the status of each message is told, an http URL of this machine; None: nowhere. A message
            of Programmable Messaging may name a URL of its own.
        callback_public_url: what is signed in its place, if the receiver is known by another URL.
        deliveries: recipients whose messages do not arrive.
        inbox_size: messages kept, and attempts; the oldest go first.
    """

    seed: int | None = None
    validity_s: int = 600
    max_sends: int = 5
    max_checks: int = 5
    channels: frozenset[str] = frozenset({"sms", "call", "whatsapp"})
    check_status: Literal[200, 201] = 200
    check_when_locked: Literal[60202, 20404] = 60202
    create_when_locked: Literal[60203, 60202] = 60203
    create_when_expired: Literal["fresh", 60203] = "fresh"
    expiry_from: Literal["first_send", "last_send"] = "first_send"
    fetch_when_expired: Literal["gone", "expired"] = "gone"
    fetch_when_approved: Literal["gone", "approved"] = "gone"
    unassignable: Literal["refused", "accepted"] = "refused"
    poll_code: int | None = 20429
    templates: tuple[Template, ...] = field(default_factory=lambda: TEMPLATES)
    rate_limit_code: Literal[20429, 60203] = 20429
    max_rate_limits: int = 20
    max_buckets: int = 10
    unused_sna: Literal["absent", "null", "empty"] = "absent"
    unsupported_locale: Literal[60200, 20404] = 60200
    missing_translation: Literal["default", 60229] = "default"
    template_elsewhere: Literal["default", "refused"] = "default"
    message_wording: Literal["recent", "early"] = "recent"
    retry_after_codes: frozenset[int] = frozenset({20429})
    http_statuses: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    magic: Mapping[str, Magic] = field(default_factory=lambda: MAGIC)
    message_magic: Mapping[str, Magic] = field(default_factory=lambda: MESSAGE_MAGIC)
    faults: tuple[Scenario, ...] = ()
    callback_url: str | None = None
    callback_public_url: str | None = None
    deliveries: Mapping[str, Delivery] = field(default_factory=lambda: DELIVERIES)
    inbox_size: int = 10_000

    def __post_init__(self) -> None:
        unknown = self.channels - _OFFERED
        if unknown:
            raise ValueError(f"channels that the emulator does not offer: {', '.join(sorted(unknown))}")
        sizes = ("validity_s", "max_sends", "max_checks", "inbox_size", "max_rate_limits", "max_buckets")
        small = [name for name in sizes if getattr(self, name) < 1]
        if small:
            raise ValueError(f"at least 1: {', '.join(small)}")
        told = {self.poll_code} - {None} | self.retry_after_codes | self.http_statuses.keys()
        magic = (*self.magic.items(), *self.message_magic.items())
        told |= {row.outcome for _, row in magic if not isinstance(row.outcome, Fault)}
        if told - ERRORS.keys():
            raise ValueError("an error code that the emulator cannot answer with")
        if not all(400 <= status <= 599 for status in self.http_statuses.values()):  # noqa: PLR2004  # HTTP
            raise ValueError("http_statuses are from 400 to 599")
        if any(number != row.number for number, row in magic):
            raise ValueError("magic is a table by number, and its row names the same one")
        if self.callback_url is not None:
            parts = urlsplit(self.callback_url)
            if parts.scheme != "http" or not is_loopback(parts.hostname or ""):
                raise ValueError("callback_url is an http URL of this machine; another one is only signed")
