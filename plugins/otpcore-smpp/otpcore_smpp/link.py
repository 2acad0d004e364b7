"""The link as it should be: one session, opened at the first send and opened again whenever it ends.

Rules of this file: nothing waits here for a better time. A send finds a session or is told at once why there is none;
only the first try to open is waited for. The task that opens is watched by itself: whatever it meets, it goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
import weakref
from concurrent.futures import Future
from typing import Final

from otpcore.ports import Failure, FailureKind, SendEffect
from otpcore_smpp.handing import Receipts
from otpcore_smpp.pdu import PduError
from otpcore_smpp.session import BindRefused, Session
from otpcore_smpp.settings import SmppSettings
from otpcore_smpp.statuses import bind_failure

__all__ = ["CLOSED", "Link"]

log = logging.getLogger("otpcore_smpp")

STEADY_S: Final = 10.0
"""Seconds after which a session counts as one that lasts, and the waits between tries begin anew."""

CLOSING_S: Final = 3.0

_live: weakref.WeakSet[Link] = weakref.WeakSet()
_left: list[object] = []
"""What belongs to a parent's loop: kept in the child, because to collect it would close what is not the child's."""


def _none(kind: FailureKind, detail: str) -> Failure:
    return Failure(kind, SendEffect.NOT_SENT, detail)


LOST: Final = _none(FailureKind.TRANSIENT, "The link to the SMSC was lost and is being opened again.")
CLOSED: Final = _none(FailureKind.INTERNAL, "The provider is closed.")
NOT_YET: Final = _none(FailureKind.TIMEOUT, "The link to the SMSC was not open in time.")


class Link:
    """Keeps a session open on the running loop.

    Args:
        settings: where, and as whom.
        tls: an `ssl.SSLContext`, or None.
        receipts: what takes those that come; closed with the link.

    Attributes:
        loop: the one that it lives on.
        given_up: it is a parent's, and this is a child.
    """

    def __init__(self, settings: SmppSettings, tls: ssl.SSLContext | None, receipts: Receipts) -> None:
        self.loop = asyncio.get_running_loop()
        self._settings = settings
        self._tls = tls
        self._receipts = receipts
        self._tried = asyncio.Event()
        self._session: Session | None = None
        self._failure = LOST
        self._closing = False
        self.given_up = False
        self._ended = Future[None]()
        self._task = self.loop.create_task(self._keep_open())
        self._task.add_done_callback(self._has_ended)
        _live.add(self)

    async def session(self, deadline: float) -> Session | Failure:
        """The session, or why there is none; only the very first try is waited for.

        Args:
            deadline: on the loop's clock.
        """
        try:
            async with asyncio.timeout_at(deadline):
                await self._tried.wait()
        except TimeoutError:
            return NOT_YET
        session = self._session
        return self._failure if session is None or session.ended else session

    async def close(self) -> None:
        """Unbind and end, from whichever loop; where nothing runs that of the link, its connection alone is ended."""
        if self.given_up:
            return
        self._closing = True
        self._failure = CLOSED
        for step in (self._leave, self._task.cancel):
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon_threadsafe(step)
            if self.loop.is_running():
                await asyncio.wait([asyncio.wrap_future(self._ended)], timeout=CLOSING_S)
            if self._ended.done():
                return
        self.cut()

    def _leave(self) -> None:
        if self._session is None:
            self._task.cancel()
        else:
            self._session.leave()

    def cut(self) -> None:
        """End the connection from outside a loop that does not run: the SMSC sees it now, the loop if it runs again."""
        self._closing = True
        if self._session is not None and not self.given_up:
            self._session.cut()

    def give_up(self) -> None:
        """After a fork, in the child: let go of the parent's connection without a word to the SMSC."""
        self.given_up = True
        _left.append((self._session, self._task, self.loop))
        descriptor = -1 if self._session is None else self._session.descriptor
        if descriptor >= 0:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, descriptor, inheritable=False)
            os.close(null)

    def _has_ended(self, _: asyncio.Task[None]) -> None:
        self._tried.set()
        self._ended.set_result(None)

    async def _keep_open(self) -> None:
        try:
            await self._open_again_and_again()
        finally:
            await self._receipts.close()

    async def _open_again_and_again(self) -> None:
        wait_s = self._settings.reconnect_first_s
        while True:
            opened_at = self.loop.time()
            self._failure = await self._one_session()
            self._session = None
            self._tried.set()
            if self._closing:
                self._failure = CLOSED
                return
            if self.loop.time() - opened_at > STEADY_S:
                wait_s = self._settings.reconnect_first_s
            log.warning("SMPP link: %s; the next try is in %.1f s", self._failure.detail, wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, self._settings.reconnect_longest_s)

    async def _one_session(self) -> Failure:
        """Open a session and keep it until it ends; then say why there is none."""
        try:
            self._session = await Session.open(self._settings, self._tls, self._receipts.delivered)
            self._tried.set()
            log.info("SMPP link: bound")
            await self._session.run()
        except BindRefused as error:
            return bind_failure(error.status)
        except ssl.SSLCertVerificationError:
            return _none(FailureKind.MISCONFIGURED, "The SMSC's certificate is not signed for it by a known authority.")
        except (OSError, EOFError, PduError) as error:
            return _none(FailureKind.TRANSIENT, f"The link to the SMSC cannot be opened ({type(error).__name__}).")
        except Exception as error:  # noqa: BLE001  # the task must go on, whatever it was
            log.error("SMPP link: %s", type(error).__name__)  # noqa: TRY400  # a traceback may hold what was sent
            return _none(FailureKind.INTERNAL, f"The link to the SMSC failed ({type(error).__name__}).")
        return LOST


def _in_child() -> None:
    for link in list(_live):
        link.give_up()
    _live.clear()


os.register_at_fork(after_in_child=_in_child)
