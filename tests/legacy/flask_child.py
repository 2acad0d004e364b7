"""The example application in processes of its own: `python -m tests.legacy.flask_child <JSON of Orders>`.

What the facade is to know comes from the environment alone. The ports are printed as a line of JSON; the servers end
when standard input does. `model` is what the application has in the place of its `OTP_Model`: "facade" itself, or a
variant with a defect that a test has to notice.

Rules of this file: werkzeug's threaded server around `examples.legacy_flask.app`; nothing of it is patched but names.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import sys
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast
from wsgiref.simple_server import make_server as make_plain_server
from wsgiref.validate import validator

from werkzeug.serving import make_server

from otpcore.flows import counting
from otpcore.legacy import OTP_Model, Svretries, Timestamp, records
from tests.numbers import phone

__all__ = ["MODELS", "WARMED", "Orders"]

WARMED: Final = phone(1999)
"""Whom a parent has sent a code before it forks."""

DERIVING: Final = "counter_id"
REPLACED: Final = "OTP_Model"
LAST: Final = 4
"""Sends of a cycle."""

QUEUE: Final = 128


@dataclass(frozen=True, slots=True)
class Orders:
    """What to serve, and how.

    Attributes:
        model: one of `MODELS`.
        gate: port where each send asks for leave, after its counter was looked at; 0: none does.
        forks: so many children serve, each on a port of its own; 0: this process serves.
        used: the parent has sent a code before it forks.
        plain: by the server of the standard library, which also judges the application by the letter of WSGI.
    """

    model: str = "facade"
    gate: int = 0
    forks: int = 0
    used: bool = False
    plain: bool = False


class CheckThenAct(OTP_Model):
    """As the old class did it: no decision of one call holds for another one. The control of every storm."""

    def verification(self) -> Any:
        service = self.client.verify.v2.services(os.environ["TWILIO_SERVICE_SID"])
        return service.verifications.create(to=self.phone_number, channel="sms")

    def add_count(self, counter: Svretries) -> Timestamp:
        until = datetime.now().astimezone() + timedelta(minutes=2)
        Svretries.update(count=counter.count + 1, expires=until).where(Svretries.id == counter.id).execute()
        return Timestamp.of(until)


class FreeFifth(OTP_Model):
    """The send after the last wait is counted as none, so it sets no wait."""

    def add_count(self, counter: Svretries) -> Timestamp:
        if counter.count < LAST:
            return super().add_count(counter)
        Svretries.update(count=0, expires=None).where(Svretries.id == counter.id).execute()
        return cast("Timestamp", None)


def _draw(_unique_id: str, _user_id: str) -> int:
    return secrets.randbelow(2**62) + 1


class DrawnIds(OTP_Model):
    """A pair's record has an id that is drawn, not derived: the other control."""

    def __init__(self, phone_number: str) -> None:
        super().__init__(phone_number)
        for module in (counting, records):
            setattr(module, DERIVING, _draw)


MODELS: Final[dict[str, type[OTP_Model]]] = {
    "facade": OTP_Model,
    "check-then-act": CheckThenAct,
    "free-fifth": FreeFifth,
    "drawn-ids": DrawnIds,
}


def gated(model: type[OTP_Model], port: int) -> type[OTP_Model]:
    """The model, whose sends wait for leave."""

    class Gated(model):  # type: ignore[valid-type, misc]  # one of three
        def verification(self) -> Any:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as gate:
                gate.recv(1)
            return super().verification()

    return Gated


def application(orders: Orders) -> Any:
    """The example's, with the model that is ordered."""
    from examples.legacy_flask import app as example

    model = MODELS[orders.model]
    setattr(example, REPLACED, gated(model, orders.gate) if orders.gate else model)
    return example.app


def serve(app: Any, listener: socket.socket, alive: int, *, plain: bool) -> None:
    """Serve until the other end of `alive` is gone."""
    if plain:
        server: Any = make_plain_server("127.0.0.1", 0, validator(app))
        server.socket.close()
        server.socket = listener
    else:
        server = make_server("127.0.0.1", 0, app, threaded=True, fd=listener.fileno())
        server.daemon_threads = True

    def watch() -> None:
        while os.read(alive, 1024):
            pass
        server.shutdown()

    threading.Thread(target=watch, daemon=True).start()
    server.serve_forever()
    server.server_close()
    listener.close()


def main(orders: Orders) -> None:
    """Serve."""
    logging.basicConfig(level=logging.DEBUG)
    if orders.used:
        client = application(Orders()).test_client()
        answer = client.post("/otp", json={"phone_number": WARMED, "user_id": "first"})
        assert answer.status_code == 201, answer.text
    app = application(orders)
    listeners = [socket.create_server(("127.0.0.1", 0), backlog=QUEUE) for _ in range(orders.forks or 1)]
    ports = json.dumps([each.getsockname()[1] for each in listeners])
    if not orders.forks:
        print(ports, flush=True)
        serve(app, listeners[0], sys.stdin.fileno(), plain=orders.plain)
        return
    reading, writing = os.pipe()
    children: list[int] = []
    for listener in listeners:
        child = os.fork()
        if not child:
            os.close(writing)
            try:
                serve(app, listener, reading, plain=orders.plain)
            finally:
                os._exit(0)
        children.append(child)
    print(ports, flush=True)
    sys.stdin.read()
    os.close(writing)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(Orders(**json.loads(sys.argv[1])))
