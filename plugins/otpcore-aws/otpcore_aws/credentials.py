"""Who we are to AWS: botocore's own chain, asked under the deadline of the call that needs it.

The chain may have to go over the network (a role, single sign-on, the metadata of a container), with timeouts and
retries of its own. So it runs in a thread, one at a time, and a call waits for it no longer than it may; what was found
serves until botocore says that it must be renewed.

Rules of this file: nothing of a credential is kept but what botocore keeps, nothing is logged. It is imported at the
first use of a provider.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from otpcore.providers.transport import Attempt, under_way
from otpcore_aws.sdk import Credentials, NoCredentialsError, RefreshableCredentials

__all__ = ["BoundedCredentials"]

METHOD = "otpcore"


class BoundedCredentials(Credentials):  # type: ignore[misc]  # the SDK carries no types
    """What botocore's signer asks for credentials, for as long as it may wait.

    Args:
        find: botocore's chain; None where it finds nothing. May take its time.
        timeout_s: for calls that come without an attempt, through the native client.
    """

    def __init__(self, find: Callable[[], Any], timeout_s: float) -> None:
        super().__init__("", "", method=METHOD)  # pyright: ignore[reportUnknownMemberType]  # as above
        self._find = find
        self._timeout_s = timeout_s
        self._locks: dict[int, threading.Lock] = {}
        self._found: Any = None
        self._frozen: Any = None
        # By process: of what was asked before a fork, the child hears no answer.
        self._asking: dict[int, Future[None]] = {}

    def get_frozen_credentials(self) -> Any:
        """Access key, secret and token.

        While credentials are renewed, a call waits half of what it has, and then takes those that it knows: they are
        renewed long before they end.

        Raises:
            NoCredentialsError: there are none.
            TimeoutError: they did not come in time.
        """
        if self._is_fresh():
            return self._frozen
        remaining_s = Attempt.current(self._timeout_s).remaining_s()
        known = self._frozen is not None
        try:
            self._ask().result(remaining_s / 2 if known else remaining_s)
        except FutureTimeoutError:
            if not known:
                raise TimeoutError("no credentials came in time") from None
        if self._frozen is None:
            raise NoCredentialsError
        return self._frozen

    def _is_fresh(self) -> bool:
        found = self._found
        if found is None or self._frozen is None:
            return False
        return not (isinstance(found, RefreshableCredentials) and found.refresh_needed())

    def _ask(self) -> Future[None]:
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            asking = self._asking.get(os.getpid())
            if asking is None or asking.done():
                asking = self._asking[os.getpid()] = Future()
                name = "otpcore-aws-credentials"
                threading.Thread(target=self._settle, args=(asking,), name=name, daemon=True).start()
            return asking

    def _settle(self, asking: Future[None]) -> None:
        try:
            # Under way, so that `quiet` holds here too: at DEBUG botocore logs whole answers, keys among them.
            with under_way(Attempt.lasting(self._timeout_s)):
                found = self._found or self._find()
                if found is not None:
                    self._found, self._frozen = found, found.get_frozen_credentials()
        except BaseException as error:  # noqa: BLE001  # whatever it is, the call that waits must hear of it
            asking.set_exception(error)
        else:
            asking.set_result(None)
