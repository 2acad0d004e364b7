"""An engine that is forked while it is in use: `python -m tests.storms.fork_child <colour> <entropy> <place> <log>`.

The parent has worked with it, so its file or its connections are open and its worker threads run. Parent and child
then go on with it. What each was told is printed as JSON. The entropy `copied` is the control: a generator whose state
a fork copies.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from typing import Any

from otpcore.engine import AsyncEngine, Engine
from otpcore.results import Approved, Sent
from tests.places import Place
from tests.storms.arena import PEPPER, MovedClock, phone, token_of
from tests.storms.sent_log import LoggedProvider, read_log


def main(colour: str, entropy: str, place: str, log: str) -> None:
    """Run it."""
    clock = MovedClock()
    settings: dict[str, Any] = {"pepper": PEPPER, "clock": clock}
    if entropy == "copied":
        settings["entropy"] = random.Random(1).randbytes
    store, provider = Place.parse(place).open(), LoggedProvider(log, clock)
    engine: Any = (AsyncEngine if colour == "tasks" else Engine)(store, provider, **settings)

    def call(name: str, *args: Any) -> Any:
        if colour != "tasks":
            return getattr(engine, name)(*args)

        async def one() -> Any:
            return await getattr(engine, name)(*args)

        return asyncio.run(one())

    def go_on(token: str, number: str) -> dict[str, Any]:
        """Send to a number of one's own; try the right code of the session that both know."""
        sent = call("start", number)
        assert isinstance(sent, Sent), sent
        right = next(line.code for line in read_log(log) if line.recipient == phone(0))
        code = next(line.code for line in read_log(log) if line.recipient == number)
        return {
            "nonce": sent.session.id,
            "code": code,
            "approved": isinstance(call("check", token, right), Approved),
        }

    token = token_of(call("start", phone(0)))
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, json.dumps(go_on(token, phone(1))).encode())
        finally:
            os._exit(0)
    os.close(writing)
    mine = go_on(token, phone(2))
    theirs: dict[str, Any] = json.loads(os.read(reading, 10_000) or b"{}")
    os.waitpid(pid, 0)
    print(json.dumps([mine, theirs]))


if __name__ == "__main__":
    main(*sys.argv[1:])
