"""Status callbacks: what becomes of each message is told to a URL of this machine, signed as Twilio signs.

Verify has no such parameter. The requests are those of Twilio's messaging layer underneath, and of Programmable
Messaging itself: one form for each status, with the signature of the public URL and the form under the account's auth
token; none for the status with which a message begins. A message that names its own URL is told of there, if this
machine is its host; else at `Options.callback_url`, under the signature of the URL that it named.

One is sent after the other, each has `PATIENCE_S`, a redirect is not followed and nothing is sent again. At most
`MOST` wait; beyond that they are dropped and counted.

Rule of this file: the API never waits for a receiver. Nothing is logged.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import threading
from collections import deque
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from otpcore.providers.transport import is_loopback
from otpcore_twilio.emulator.magic import Delivery

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp

    from otpcore_twilio.emulator.access import Credentials
    from otpcore_twilio.emulator.options import Options
    from otpcore_twilio.emulator.records import Message, Text

__all__ = ["MOST", "PATIENCE_S", "Callback", "Callbacks", "signature"]

MOST: Final = 1000
PATIENCE_S: Final = 5.0

_ARRIVES: Final = Delivery()
_SENDER: Final = "+12025550100"
_PREFIXES: Final = {"sms": "", "whatsapp": "whatsapp:"}
"""The channels that have a message status, and what stands before their numbers."""


@dataclass(frozen=True, slots=True)
class Callback:
    """One that was sent, or could not be.

    Attributes:
        message_sid: SM…; of a verification's message with the digits of the attempt's VL….
        to: the recipient.
        status: as Twilio's message status.
        error_code: of an undelivered or failed message.
        answer: HTTP status of the receiver; None: it did not answer in time, or not at all.
    """

    message_sid: str
    to: str
    status: str
    error_code: int | None
    answer: int | None


@dataclass(frozen=True, slots=True)
class _Telling:
    """One that waits: where it goes, the URL that is signed, and what is told."""

    url: str
    signed_url: str
    message: Message
    text: Text | None
    status: str
    error_code: int | None


class Callbacks:
    """Tells each message's status, from the event loop that serves the account.

    Args:
        options: receiver and deliveries.
        credentials: sign.
    """

    def __init__(self, options: Options, credentials: Credentials) -> None:
        self._url = options.callback_url
        self._public_url = options.callback_public_url
        self._deliveries = options.deliveries
        self._credentials = credentials
        self._waiting: asyncio.Queue[_Telling] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None
        self._turn = threading.Condition()
        self._unfinished = 0
        self._dropped = 0
        self._sent: deque[Callback] = deque(maxlen=MOST)
        if self._url is not None:
            import_module("aiohttp")  # a tenth of a second that the API shall not wait for at its first message

    def announce(self, message: Message, text: Text | None = None) -> None:
        """Put the statuses of a message in line; on the event loop alone.

        Args:
            message: as the inbox has it.
            text: of Programmable Messaging, what was asked for.
        """
        target = self._target(text)
        if target is None or message.channel not in _PREFIXES:
            return
        delivery = self._deliveries.get(message.to, _ARRIVES)
        for status in delivery.statuses:
            with self._turn:
                if self._unfinished >= MOST:
                    self._dropped += 1
                    continue
                self._unfinished += 1
            ended = status in {"undelivered", "failed"}
            code = delivery.error_code if ended else None
            self._waiting.put_nowait(_Telling(*target, message, text, status, code))
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._work())

    def _target(self, text: Text | None) -> tuple[str, str] | None:
        """Where the statuses of a message go, and the URL that is signed; None: nowhere.

        A service may have a URL for all of its messages, which here is the emulator's own; a sender has none.
        """
        named = None if text is None else text.callback
        if named is not None:
            here = named.startswith("http://") and is_loopback(urlsplit(named).hostname or "")
            if here:
                return named, named
            return None if self._url is None else (self._url, named)
        if self._url is None or (text is not None and text.service_sid is None):
            return None
        return self._url, self._public_url or self._url

    def sent(self) -> tuple[Callback, ...]:
        """The newest ones, oldest first, whether or not anybody answered."""
        with self._turn:
            return tuple(self._sent)

    @property
    def waiting(self) -> int:
        """How many are in line or under way."""
        return self._unfinished

    @property
    def dropped(self) -> int:
        """How many found no room."""
        return self._dropped

    def wait(self, timeout_s: float = 10) -> None:
        """Wait until every callback so far is answered or given up; not on the event loop.

        Raises:
            TimeoutError: some are not.
        """
        with self._turn:
            if not self._turn.wait_for(lambda: not self._unfinished, timeout_s):
                raise TimeoutError(f"{self._unfinished} callbacks still wait")

    async def _work(self) -> None:
        import aiohttp  # noqa: PLC0415  # only where there is a receiver

        one_by_one = aiohttp.TCPConnector(force_close=True)
        patience = aiohttp.ClientTimeout(total=PATIENCE_S)
        async with aiohttp.ClientSession(connector=one_by_one, timeout=patience) as session:
            while True:
                telling = await self._waiting.get()
                form = self._form(telling)
                answer = await self._post(session, telling, form)
                told = telling.message.to, telling.status, telling.error_code
                with self._turn:
                    self._sent.append(Callback(form["MessageSid"], *told, answer))
                    self._unfinished -= 1
                    self._turn.notify_all()

    async def _post(self, session: aiohttp.ClientSession, telling: _Telling, form: Mapping[str, str]) -> int | None:
        signed = signature(self._credentials.auth_token, telling.signed_url, form)
        headers = {"X-Twilio-Signature": signed, "User-Agent": "TwilioProxy/1.1"}
        import aiohttp  # noqa: PLC0415  # as above

        try:
            async with session.post(telling.url, data=form, headers=headers, allow_redirects=False) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return None

    def _form(self, telling: _Telling) -> dict[str, str]:
        message, text = telling.message, telling.text
        sid, prefix = f"SM{message.sid[2:]}", _PREFIXES[message.channel]
        form = {
            "AccountSid": self._credentials.account_sid,
            "ApiVersion": "2010-04-01",
            "From": prefix + (text.sender if text is not None and text.sender else _SENDER),
            "MessageSid": sid,
            "MessageStatus": telling.status,
            "SmsSid": sid,
            "SmsStatus": telling.status,
            "To": prefix + message.to,
        }
        if text is not None and text.service_sid is not None:
            form["MessagingServiceSid"] = text.service_sid
        return form if telling.error_code is None else form | {"ErrorCode": str(telling.error_code)}


def signature(auth_token: str, url: str, form: Mapping[str, str]) -> str:
    """X-Twilio-Signature: HMAC-SHA1 of the URL and the sorted form, in base64.

    Source: Twilio's "Webhooks security", read in November 2026.
    """
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.digest(auth_token.encode(), text.encode(), "sha1")).decode()
