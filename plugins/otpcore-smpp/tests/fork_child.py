"""A process that sends, forks, and sends from child and parent; says what went wrong, or nothing.

Run as `python fork_child.py COLOUR PORT`. The awaited provider is used from an event loop that is not running when the
process forks, as a server's is before its workers serve.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from otpcore.ports import Accepted
from otpcore_smpp import AsyncSmppProvider, SmppProvider
from otpcore_smpp.link import Link
from otpcore_smpp.sending import Sender
from tests.smpp_lines import request_of, settings_of


def blocking(port: int) -> None:
    provider = SmppProvider(settings_of(port))
    assert isinstance(provider.send(request_of("parent")), Accepted)
    child = os.fork()
    if child == 0:
        assert isinstance(provider.send(request_of("child", timeout_s=4.0)), Accepted)
        provider.close()
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert isinstance(provider.send(request_of("parent again")), Accepted)
    provider.close()


def awaited(port: int) -> None:
    provider = AsyncSmppProvider(settings_of(port))
    loop = asyncio.new_event_loop()
    assert isinstance(loop.run_until_complete(provider.send(request_of("parent"))), Accepted)
    child = os.fork()
    if child == 0:

        async def use() -> None:
            assert isinstance(await provider.send(request_of("child", timeout_s=4.0)), Accepted)
            await provider.close()

        asyncio.run(use())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert isinstance(loop.run_until_complete(provider.send(request_of("parent again"))), Accepted)
    loop.run_until_complete(provider.close())
    loop.close()


def inherit() -> None:
    """A planted defect: nobody tells the child that the link is its parent's."""

    def nothing(_self: object) -> None: ...

    def the_same(sender: Any) -> Any:
        return next(iter(sender._links.values())) if sender._links else here(sender)

    classes: list[tuple[Any, str, object]] = [
        (SmppProvider, "forked", nothing),
        (Link, "give_up", nothing),
        (Sender, "_here", the_same),
    ]
    here = vars(Sender)["_here"]
    for kind, name, broken in classes:
        setattr(kind, name, broken)


if __name__ == "__main__":
    if sys.argv[3:] == ["inherits"]:
        inherit()
    {"blocking": blocking, "awaited": awaited}[sys.argv[1]](int(sys.argv[2]))
