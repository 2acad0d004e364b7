"""Status callbacks: a real receiver on this machine, judged by the SDK's own validator; the API never waits for it."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
import requests
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK carries no types

from otpcore_twilio.emulator import DELIVERIES, Callbacks, Delivery, Message, Options, app, callbacks
from otpcore_twilio.emulator.callbacks import signature

if TYPE_CHECKING:
    from tests.emulator.conftest import Bench

TO = "+12025550123"
PUBLIC = "https://shop.example/hooks/twilio?tenant=7"


@dataclass
class Told:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    form: dict[str, str]

    @property
    def status(self) -> str:
        return self.form["MessageStatus"]


@dataclass
class Receiver:
    """An application that listens."""

    url: str
    came: queue.Queue[Told] = field(default_factory=queue.Queue[Told])
    answer: int = 204

    def next(self) -> Told:
        return self.came.get(timeout=30)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = dict(parse_qsl(body, strict_parsing=True))
            here.came.put(Told(self.path, dict(self.headers.items()), form))
            self.send_response(here.answer)
            self.send_header("Location", f"{here.url}/moved")
            self.end_headers()

        def log_message(self, *args: Any, **kwargs: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here = Receiver(f"http://127.0.0.1:{server.server_port}/status")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield here
        server.shutdown()
        thread.join()


@pytest.fixture
def told_bench(bench_of: Callable[..., Bench], receiver: Receiver) -> Bench:
    """An emulator that tells the receiver, which knows itself by another URL."""
    return bench_of(Options(callback_url=receiver.url, callback_public_url=PUBLIC))


def judge(auth_token: str) -> Any:
    """The SDK's own validator."""
    return RequestValidator(auth_token)


@contextlib.contextmanager
def deaf() -> Generator[str]:
    """A receiver that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_a_message_that_arrives_is_told_sent_and_delivered(told_bench: Bench, receiver: Receiver) -> None:
    sent = told_bench.send()
    first, second = receiver.next(), receiver.next()
    sid = f"SM{sent.send_code_attempts[0]['attempt_sid'][2:]}"
    assert first.form == {
        "AccountSid": told_bench.emulator.account_sid,
        "ApiVersion": "2010-04-01",
        "From": "+12025550100",
        "MessageSid": sid,
        "MessageStatus": "sent",
        "SmsSid": sid,
        "SmsStatus": "sent",
        "To": TO,
    }
    assert second.form == first.form | {"MessageStatus": "delivered", "SmsStatus": "delivered"}
    assert first.path == "/status"


def test_the_sdk_accepts_the_signature_of_the_public_url_and_of_nothing_else(
    told_bench: Bench, receiver: Receiver
) -> None:
    told_bench.send()
    told = receiver.next()
    shown = told.headers["X-Twilio-Signature"]
    validator = judge(told_bench.emulator.auth_token)
    assert validator.validate(PUBLIC, told.form, shown)
    for url in (receiver.url, PUBLIC.replace("https", "http"), f"{PUBLIC}8", PUBLIC.partition("?")[0]):
        assert not validator.validate(url, told.form, shown)
    for name in told.form:
        assert not validator.validate(PUBLIC, told.form | {name: told.form[name] + "0"}, shown)
        assert not validator.validate(PUBLIC, {key: told.form[key] for key in told.form if key != name}, shown)
    assert not validator.validate(PUBLIC, told.form | {"More": "1"}, shown)
    assert not judge("0" * 32).validate(PUBLIC, told.form, shown)


def test_without_a_public_url_the_receivers_own_is_signed(bench_of: Callable[..., Bench], receiver: Receiver) -> None:
    bench = bench_of(Options(callback_url=receiver.url))
    bench.send()
    told = receiver.next()
    validator = judge(bench.emulator.auth_token)
    assert validator.validate(receiver.url, told.form, told.headers["X-Twilio-Signature"])


def test_the_signature_is_that_of_the_sdks_own_computation() -> None:
    form = {"b": "2", "a": "\u00e9 &=+", "B": ""}
    assert signature("token", PUBLIC, form) == judge("token").compute_signature(PUBLIC, form)


@pytest.mark.parametrize("number", DELIVERIES)
def test_a_number_has_the_delivery_of_its_row(told_bench: Bench, receiver: Receiver, number: str) -> None:
    delivery = DELIVERIES[number]
    assert told_bench.send(number).status == "pending"
    told_bench.emulator.callbacks.wait()
    told = [receiver.next() for _ in delivery.statuses]
    assert [each.status for each in told] == list(delivery.statuses)
    assert receiver.came.empty()
    codes = [each.form.get("ErrorCode") for each in told]
    assert codes == [None] * (len(told) - 1) + [delivery.error_code and str(delivery.error_code)]
    if delivery.error_code:
        assert str(delivery.error_code).endswith(number[-3:])
    assert (
        told_bench.check(told_bench.right(number), number).status == "approved"
    )  # the person may have it all the same


def test_the_options_say_what_becomes_of_other_numbers(bench_of: Callable[..., Bench], receiver: Receiver) -> None:
    lost = Delivery(("queued", "failed"), 30002)
    bench = bench_of(Options(callback_url=receiver.url, deliveries={TO: lost}))
    bench.send()
    assert [receiver.next().status for _ in range(2)] == ["queued", "failed"]


def test_a_whatsapp_message_is_told_and_a_call_is_not(told_bench: Bench, receiver: Receiver) -> None:
    told_bench.send(channel="call")
    told_bench.send(channel="whatsapp")
    told = receiver.next()
    assert (told.form["To"], told.form["From"]) == (f"whatsapp:{TO}", "whatsapp:+12025550100")
    validator = judge(told_bench.emulator.auth_token)
    assert validator.validate(PUBLIC, told.form, told.headers["X-Twilio-Signature"])
    receiver.next()
    told_bench.emulator.callbacks.wait()
    assert receiver.came.empty()


@pytest.mark.parametrize("answer", [200, 302, 307, 404, 500])
def test_every_answer_is_noted_none_is_followed_and_nothing_is_sent_again(
    told_bench: Bench, receiver: Receiver, answer: int
) -> None:
    receiver.answer = answer
    told_bench.send()
    told_bench.emulator.callbacks.wait()
    assert [(each.to, each.status, each.answer) for each in told_bench.emulator.callbacks.sent()] == [
        (TO, "sent", answer),
        (TO, "delivered", answer),
    ]
    assert [receiver.next().path for _ in range(2)] == ["/status"] * 2
    assert receiver.came.empty()


def test_a_receiver_that_is_not_there_is_noted(bench_of: Callable[..., Bench]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    bench = bench_of(Options(callback_url=f"http://127.0.0.1:{port}/"))
    bench.send()
    bench.emulator.callbacks.wait()
    assert [each.answer for each in bench.emulator.callbacks.sent()] == [None, None]


@pytest.fixture
def for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callbacks have all the time in the world."""
    monkeypatch.setattr(callbacks, "PATIENCE_S", 3600)


def _answers_while_the_receiver_is_deaf(bench_of: Callable[..., Bench]) -> None:
    """The first callback has not ended, and the API has served three more messages."""
    with deaf() as url:
        bench = bench_of(Options(callback_url=url))
        for _ in range(4):
            bench.send()
        assert bench.emulator.callbacks.sent() == ()
        assert bench.emulator.callbacks.waiting == 8


@pytest.mark.usefixtures("for_ever")
def test_the_api_does_not_wait_for_a_receiver(bench_of: Callable[..., Bench]) -> None:
    _answers_while_the_receiver_is_deaf(bench_of)


@pytest.mark.usefixtures("for_ever")
def test_callbacks_that_the_api_waits_for_are_noticed(
    bench_of: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted defect: the request that sent the message tells the receiver itself."""

    class Impatient(Callbacks):
        def announce(self, message: Message, text: object = None) -> None:  # the signature
            assert self._url is not None
            with contextlib.suppress(requests.exceptions.RequestException):
                requests.post(self._url, data={"To": message.to}, timeout=0.2)
            self._sent.append(callbacks.Callback("SM", message.to, "sent", None, None))

    monkeypatch.setattr(app, "Callbacks", Impatient)
    with pytest.raises(AssertionError):
        _answers_while_the_receiver_is_deaf(bench_of)


def test_one_callback_has_its_time_and_the_next_has_its_turn(
    bench_of: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "PATIENCE_S", 0.1)
    with deaf() as url:
        bench = bench_of(Options(callback_url=url))
        bench.send()
        bench.emulator.callbacks.wait()
    assert [each.answer for each in bench.emulator.callbacks.sent()] == [None, None]


@pytest.mark.usefixtures("for_ever")
def test_beyond_the_limit_callbacks_are_dropped_and_counted(
    bench_of: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "MOST", 5)
    with deaf() as url:
        bench = bench_of(Options(callback_url=url))
        for _ in range(4):
            bench.send()
        told = bench.emulator.callbacks
        assert (told.waiting, told.dropped) == (5, 3)
        with pytest.raises(TimeoutError):
            told.wait(0.05)


def test_the_callbacks_are_listed_over_http(told_bench: Bench) -> None:
    told_bench.send()
    told_bench.emulator.callbacks.wait()
    listed = requests.get(f"{told_bench.emulator.url}/_emulator/callbacks", timeout=10).json()
    assert (listed["waiting"], listed["dropped"]) == (0, 0)
    assert [(each["to"], each["status"], each["answer"]) for each in listed["sent"]] == [
        (TO, "sent", 204),
        (TO, "delivered", 204),
    ]


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1/", "https://127.0.0.1/", "http://example.org/", "ftp://localhost/", "/status", ""]
)
def test_nothing_is_sent_to_another_machine(url: str) -> None:
    with pytest.raises(ValueError, match="this machine"):
        Options(callback_url=url)


def test_an_emulator_without_a_receiver_tells_nobody(bench: Bench) -> None:
    bench.send()
    assert (bench.emulator.callbacks.waiting, bench.emulator.callbacks.sent()) == (0, ())
