"""Row 10: a start through the engine and the Twilio provider against the bare SDK, both to one emulator.

The emulator is a process of its own, so that its work is not the measured process's. Both sides make the same
request over a kept connection.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from statistics import median
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]  # the SDK carries no types
from twilio.rest import Client  # type: ignore[import-untyped]  # the SDK carries no types

from otpcore.engine import Engine
from otpcore.phone import LineType, PhoneNumber
from otpcore.results import Sent
from otpcore.stores.memory import MemoryStore
from otpcore_twilio import TwilioProvider, TwilioSettings
from tests.benchmarks.cycle import ROOT, fictional
from tests.benchmarks.measuring import Figure, Sizes, figure, in_turn, spread, wall

__all__ = ["ROWS", "measure"]

ROWS: Final = ("10", "")
CONNECTIONS: Final = 4


def measure(sizes: Sizes, say: Callable[[str], None]) -> Iterator[Figure]:
    """Measure the row, and the emulator's own rate."""
    say("starts through the engine and through the bare SDK")
    with _emulator() as (url, environment):
        yield _overhead(sizes, url, environment)
        say("verifications a second of the emulator")
        yield _rate(sizes, url, environment)


@contextmanager
def _emulator() -> Generator[tuple[str, dict[str, str]]]:
    command = [sys.executable, "-c", "from otpcore.cli import main; main()", "emulator", "twilio", "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            told = json.loads(server.stdout.readline())
            yield told["url"], told["env"]
        finally:
            server.terminate()


def _overhead(sizes: Sizes, url: str, environment: dict[str, str]) -> Figure:
    account, token = environment["TWILIO_ACCOUNT_SID"], environment["TWILIO_AUTH_TOKEN"]
    service = environment["TWILIO_SERVICE_SID"]
    settings = TwilioSettings(account_sid=account, auth_token=SecretStr(token), service_sid=service, origin=url)
    http = TwilioHttpClient()
    client: Any = Client(account, token, http_client=http)
    client.verify.base_url = url
    verifications = client.verify.v2.services(service).verifications
    people = iter(fictional())
    share = sizes.calls

    with Engine(MemoryStore(), TwilioProvider(settings)) as engine:

        def ours(_pair: int) -> float:
            recipient = PhoneNumber(next(people), "US", LineType.FIXED_LINE_OR_MOBILE)
            return wall(lambda: _start(engine, recipient), 1)

        def bare(_pair: int) -> float:
            to = next(people)
            return wall(lambda: verifications.create(to=to, channel="sms"), 1)

        in_turn(share, ours, bare)  # connections, imports, caches
        # call by call in turn; a pair is the medians of so many calls, because a call waits for another process
        pairs = [in_turn(share, ours, bare, collect=False) for _ in range(sizes.pairs)]
        engine_s, bare_s = ([median(pair[side]) for pair in pairs] for side in (0, 1))
    if http.session is not None:
        http.session.close()
    what = "start through engine and Twilio provider over the bare SDK's call, emulator in a process of its own"
    return figure("10", what, engine_s, bare_s, ("≤", 1.1), names=("engine", "SDK"))


def _start(engine: Engine, recipient: PhoneNumber) -> None:
    sent = engine.start(recipient)
    assert isinstance(sent, Sent), sent


def _rate(sizes: Sizes, url: str, environment: dict[str, str]) -> Figure:
    """Requests as bytes over kept connections, so that the client costs next to nothing."""
    people = cycle(fictional())
    share = sizes.calls * 4
    credentials = f"{environment['TWILIO_ACCOUNT_SID']}:{environment['TWILIO_AUTH_TOKEN']}"
    path = f"/v2/Services/{environment['TWILIO_SERVICE_SID']}/Verifications"
    rates: list[float] = []
    for _ in range(sizes.pairs):
        batches = [[_request(url, path, credentials, to) for to in islice(people, share)] for _ in range(CONNECTIONS)]
        threads = [threading.Thread(target=_ask_all, args=(url, batch)) for batch in batches]
        began = perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rates.append(share * CONNECTIONS / (perf_counter() - began))
    what = f"emulator: verifications a second, one process, {CONNECTIONS} connections (information)"
    return Figure("", what, spread(rates), "/s")


def _request(url: str, path: str, credentials: str, to: str) -> bytes:
    body = f"To=%2B{to[1:]}&Channel=sms"
    head = (
        f"POST {path} HTTP/1.1",
        f"Host: {urlsplit(url).netloc}",
        f"Authorization: Basic {base64.b64encode(credentials.encode()).decode()}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    )
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def _ask_all(url: str, requests: list[bytes]) -> None:
    place = urlsplit(url)
    with socket.create_connection((place.hostname or "", place.port or 0)) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = wire.makefile("rb")
        for request in requests:
            wire.sendall(request)
            status = answers.readline()
            assert status.split()[1] == b"201", status
            length = 0
            while (line := answers.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            answers.read(length)
