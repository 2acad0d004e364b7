"""A process that sends, forks, and sends from child and parent; says what went wrong, or nothing.

Run as `python fork_child.py COLOUR PORT`. The awaited provider is used from an event loop that is not running when the
process forks, as a server's is before its workers serve.
"""

from __future__ import annotations

import asyncio
import os
import sys

from otpcore.ports import Accepted
from otpcore_smpp import AsyncSmppProvider, SmppProvider
from tests.smpp_lines import request_of, settings_of


def blocking(port: int) -> None:
    provider = SmppProvider(settings_of(port))
    assert isinstance(provider.send(request_of("parent")), Accepted)
    child = os.fork()
    if child == 0:
        assert isinstance(provider.send(request_of("child")), Accepted)
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
            assert isinstance(await provider.send(request_of("child")), Accepted)
            await provider.close()

        asyncio.run(use())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert isinstance(loop.run_until_complete(provider.send(request_of("parent again"))), Accepted)
    loop.run_until_complete(provider.close())
    loop.close()


if __name__ == "__main__":
    {"blocking": blocking, "awaited": awaited}[sys.argv[1]](int(sys.argv[2]))
