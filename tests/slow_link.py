"""The way between two machines, as a process: what is given to it arrives later, or never when it is killed.

    python -m tests.slow_link PORT MILLISECONDS

Prints the port where it listens; each connection to it leads to PORT. Bytes take so many milliseconds each way.

Rules of this file: loopback only; it knows nothing of what it carries.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

__all__ = ["SlowLink"]


class SlowLink:
    """The process, as its owner sees it."""

    def __init__(self, port: int, *, delay_ms: float) -> None:
        command = [sys.executable, "-m", "tests.slow_link", str(port), str(delay_ms)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def cut(self) -> None:
        """What is on the way is lost. Returns at once."""
        self._process.kill()

    def close(self) -> None:
        """Cut it, and wait for its end."""
        with self._process:
            self.cut()


async def carry(source: StreamReader, target: StreamWriter, delay_s: float) -> None:
    """Everything, each piece after the delay, and then the end."""
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):
        while data := await source.read(65_536):
            loop.call_later(delay_s, target.write, data)
    loop.call_later(delay_s, target.close)


async def serve(port: int, delay_s: float) -> None:
    """Until killed."""

    async def lead(reader: StreamReader, writer: StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, there_writer, delay_s), carry(there_reader, writer, delay_s))

    server = await asyncio.start_server(lead, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))
