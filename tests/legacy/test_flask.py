"""The example application of a legacy owner, over HTTP, against the emulator: every answer that it gives."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import pytest

from otpcore_twilio.emulator import Emulator, serve
from tests.legacy.flask_child import Orders
from tests.legacy.serving import ROOT, Answer, Served, ask, counters, environment_of, served
from tests.numbers import phone

EXAMPLE: Final = ROOT / "examples" / "legacy_flask"
ANNA: Final = phone(0)
USER: Final = "anna"
RETRY: Final = "Retry-After"

Serve = Callable[..., AbstractContextManager[Served]]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve() as running:
        yield running


@pytest.fixture
def serving(emulator: Emulator, tmp_path: Path) -> Serve:
    def make(orders: Orders | None = None, **more: str) -> AbstractContextManager[Served]:
        return served(environment_of(emulator.environment, tmp_path, **more), tmp_path, orders)

    return make


@pytest.fixture(scope="module")
def app(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One that many tests ask; each has a number of its own."""
    folder = tmp_path_factory.mktemp("app")
    with served(environment_of(emulator.environment, folder), folder) as running:
        yield running


def sending(number: str = ANNA, user: str = USER) -> dict[str, str]:
    return {"phone_number": number, "user_id": user}


def confirming(code: str, number: str = ANNA, user: str = USER) -> dict[str, str]:
    return {**sending(number, user), "code": code}


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def is_wait_until(answer: Answer, end: float) -> bool:
    """Whether the header names the rest of a wait, rounded up to a second: no clock is asked but the one of both."""
    return end - answer.answered_at <= int(answer.headers[RETRY]) <= end - answer.asked_at + 1


def test_a_code_is_sent_and_the_answer_tells_in_milliseconds_when_the_next_may_be(
    app: Served, emulator: Emulator
) -> None:
    number = phone(1)
    answer = app.ask("/otp", sending(number))
    assert answer.status == 201
    assert answer.json.keys() == {"expires"}
    expires = answer.json["expires"]
    assert isinstance(expires, int)
    assert answer.asked_at * 1000 + 119_000 <= expires <= answer.answered_at * 1000 + 121_000
    assert [message.channel for message in emulator.inbox(number)] == ["sms"]


def test_too_early_is_refused_for_as_long_as_the_header_says(
    serving: Serve, emulator: Emulator, tmp_path: Path
) -> None:
    number = phone(2)
    with serving(FIRST_RESEND_DURATION="2500") as app:
        assert app.ask("/otp", sending(number)).status == 201
        (record,) = counters(tmp_path)
        assert record.ladder.next_at is not None
        end = record.ladder.next_at.timestamp()
        first = answer = app.ask("/otp", sending(number))
        assert first.status == 429
        while answer.status == 429:
            assert answer.json.keys() == {"error", "description"}
            assert is_wait_until(answer, end)
            assert answer.asked_at <= min(end, first.answered_at + int(first.headers[RETRY]))
            assert len(emulator.inbox(number)) == 1
            time.sleep(0.05)
            answer = app.ask("/otp", sending(number))
        assert answer.status == 201
        assert answer.answered_at > end
    assert len(emulator.inbox(number)) == 2


def climbs(app: Served, emulator: Emulator, number: str, folder: Path) -> None:
    """Every send of a cycle and the first of the next one: each is counted, and each tells when the next may be."""
    end = 0.0
    for count in (1, 2, 3, 4, 1):
        while (answer := app.ask("/otp", sending(number))).status == 429:
            assert answer.asked_at <= end
            time.sleep(0.05)
        assert answer.status == 201
        assert answer.answered_at > end
        (record,) = counters(folder)
        assert record.ladder.count == count
        assert record.ladder.next_at is not None
        end = record.ladder.next_at.timestamp()
        assert answer.json["expires"] == int(round(end)) * 1000  # noqa: RUF046  # as the callers round
        assert end > answer.asked_at
    assert len(emulator.inbox(number)) == 5


SHORT: Final = {
    "OTPCORE_PROFILE": "demo",  # of which Twilio's window is no judge
    "FIRST_RESEND_DURATION": "400",
    "SECOND_RESEND_DURATION": "500",
    "THIRD_RESEND_DURATION": "600",
    "FOURTH_RESEND_DURATION": "700",
}


def test_after_the_last_wait_a_new_cycle_begins_with_a_wait_of_its_own(
    serving: Serve, emulator: Emulator, tmp_path: Path
) -> None:
    with serving(**SHORT) as app:
        climbs(app, emulator, phone(14), tmp_path)


def test_a_free_send_after_the_last_wait_is_caught(serving: Serve, emulator: Emulator, tmp_path: Path) -> None:
    """The old class's: of send 5 no wait was set, and its caller answered 500 after the SMS had left."""
    with serving(Orders(model="free-fifth"), **SHORT) as app, pytest.raises(AssertionError):
        climbs(app, emulator, phone(15), tmp_path)
    assert len(emulator.inbox(phone(15))) == 5


@pytest.mark.parametrize("wrong", ["another second", "an hour"])
def test_a_header_that_is_not_the_wait_is_caught(wrong: str) -> None:
    seconds = {"another second": 101, "an hour": 3700}[wrong]
    assert is_wait_until(Answer(429, {RETRY: "100"}, "", 1000.2, 1000.3), 1100.0)
    assert not is_wait_until(Answer(429, {RETRY: str(seconds)}, "", 1000.2, 1000.3), 1100.0)
    assert not is_wait_until(Answer(429, {RETRY: "99"}, "", 1000.2, 1000.3), 1100.0)


def test_a_wrong_code_is_forbidden_the_right_one_approves_and_a_second_time_is_forbidden(
    serving: Serve, emulator: Emulator, tmp_path: Path
) -> None:
    number = phone(3)
    with serving() as app:
        assert app.ask("/otp", sending(number)).status == 201
        code = emulator.latest_code(number)
        wrong = app.ask("/otp/confirm", confirming(other_than(code), number))
        assert (wrong.status, wrong.json["error"]) == (403, "Forbidden")
        assert len(counters(tmp_path)) == 1
        right = app.ask("/otp/confirm", confirming(code, number))
        assert (right.status, right.json) == (200, {"status": "approved"})
        assert counters(tmp_path) == []
        again = app.ask("/otp/confirm", confirming(code, number))
        assert (again.status, again.json) == (403, wrong.json)


def test_a_success_frees_the_way_for_the_next_code(app: Served, emulator: Emulator) -> None:
    number = phone(4)
    assert app.ask("/otp", sending(number)).status == 201
    assert app.ask("/otp", sending(number)).status == 429
    assert app.ask("/otp/confirm", confirming(emulator.latest_code(number), number)).status == 200
    assert app.ask("/otp", sending(number)).status == 201
    assert len(emulator.inbox(number)) == 2


def test_who_never_asked_for_a_code_has_none_to_confirm(app: Served) -> None:
    answer = app.ask("/otp/confirm", confirming("123456", phone(5)))
    assert answer.status == 403


@pytest.mark.parametrize(
    ("place", "code"),
    [*enumerate(("", "123", "12345678901", "abcdef", "123456 ", "\u0661\u0662\u0663\u0664\u0665\u0666"), 20)],
)
def test_what_is_no_code_is_refused_and_spends_no_try(app: Served, emulator: Emulator, place: int, code: str) -> None:
    number = phone(place)
    assert app.ask("/otp", sending(number)).status == 201
    for _ in range(6):
        assert app.ask("/otp/confirm", confirming(code, number)).status == (403 if code else 400)
    assert app.ask("/otp/confirm", confirming(emulator.latest_code(number), number)).status == 200


def one_phone_has_one_wait(app: Served, emulator: Emulator, number: str) -> None:
    assert app.ask("/otp", sending(number, "one")).status == 201
    assert app.ask("/otp", sending(number, "another")).status == 429
    assert len(emulator.inbox(number)) == 1


def test_another_user_of_the_same_phone_waits_too(app: Served, emulator: Emulator) -> None:
    one_phone_has_one_wait(app, emulator, phone(6))


def test_a_budget_of_each_user_is_caught(serving: Serve, emulator: Emulator) -> None:
    with serving(Orders(model="check-then-act")) as app, pytest.raises(AssertionError):
        one_phone_has_one_wait(app, emulator, phone(13))
    assert len(emulator.inbox(phone(13))) == 2


@pytest.mark.parametrize("number", ["671234", "+1 202 555", "+999 1234 5678", "anna", "+12025550100x9999"])
def test_a_number_that_is_none_is_500_and_is_not_repeated(app: Served, emulator: Emulator, number: str) -> None:
    before = len(emulator.inbox())
    for path, body in (("/otp", sending(number)), ("/otp/confirm", confirming("123456", number))):
        answer = app.ask(path, body)
        assert (answer.status, answer.json) == (500, {"error": "Internal Server Error"})
    assert len(emulator.inbox()) == before


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        {"phone_number": ANNA},
        {"user_id": USER},
        {**sending(), "more": "field"},
        {**sending(), "strict_legacy": True},
        {**sending(), "user_id": 7},
        {**sending(), "user_id": ""},
        {**sending(), "phone_number": None},
        {**sending(), "phone_number": [ANNA]},
    ],
)
def test_what_is_not_asked_for_is_a_bad_request_and_sends_nothing(app: Served, emulator: Emulator, body: Any) -> None:
    answer = app.ask("/otp", body)
    assert (answer.status, answer.json["error"]) == (400, "Bad Request")
    assert ANNA not in answer.body
    assert emulator.inbox(ANNA) == ()


def test_where_resends_are_not_counted_the_wait_of_the_phone_still_holds(
    serving: Serve, emulator: Emulator, tmp_path: Path
) -> None:
    number = phone(7)
    with serving(ENABLE_OTP="false") as app:
        first = app.ask("/otp", sending(number))
        assert (first.status, first.json) == (201, {"expires": None})
        answer = app.ask("/otp", sending(number))
        assert answer.status == 429
        assert 119 <= int(answer.headers[RETRY]) <= 120
        assert counters(tmp_path) == []
        assert app.ask("/otp/confirm", confirming(emulator.latest_code(number), number)).status == 200


def test_a_strict_owner_still_refuses_a_wrong_code_and_takes_the_right_one(serving: Serve, emulator: Emulator) -> None:
    """There a wrong code raises nothing; its status is another one."""
    number = phone(16)
    with serving(OTPCORE_LEGACY_STRICT="1", ENABLE_OTP="false") as app:
        assert [app.ask("/otp", sending(number)).status for _ in range(2)] == [201, 201]
        code = emulator.latest_code(number)
        assert app.ask("/otp/confirm", confirming(other_than(code), number)).status == 403
        assert app.ask("/otp/confirm", confirming(code, number)).status == 200


def test_neither_number_nor_code_is_in_what_the_server_writes(serving: Serve, emulator: Emulator) -> None:
    """The root logger is at DEBUG there, so the lines of every library are among it."""
    number = phone(8)
    with serving() as app:
        app.ask("/otp", sending(number))
        code = emulator.latest_code(number)
        statuses = [
            app.ask(path, body).status
            for path, body in (
                ("/otp", sending(number)),
                ("/otp/confirm", confirming(other_than(code), number)),
                ("/otp/confirm", confirming(code, number)),
                ("/otp/confirm", confirming(code, number)),
                ("/otp", sending(f"{number}x")),
            )
        ]
        assert statuses == [429, 403, 200, 403, 500]
    written = app.written
    assert "POST /otp/confirm HTTP" in written
    assert "verification_check for" in written
    assert leaks(written, number, code) == []
    assert leaks(f"{written}\nto {number}: {code}\n", number, code) != [], "the control finds nothing"


def leaks(written: str, number: str, code: str) -> list[str]:
    secrets = (number, number.removeprefix("+"), number[2:], code, other_than(code))
    return [secret for secret in secrets if re.search(rf"(?<![\w.-]){re.escape(secret)}(?!\w)", written)]


def test_the_warning_is_written_once_and_names_the_page(serving: Serve) -> None:
    with serving() as app:
        for place in (9, 10):
            assert app.ask("/otp", sending(phone(place))).status == 201
    assert app.written.count("DeprecationWarning") == 1
    assert "docs/howto/migrate-from-legacy.md" in app.written
    assert "examples/legacy_flask/app.py" in app.written


def test_it_runs_under_the_server_of_the_standard_library_by_the_letter_of_wsgi(
    serving: Serve, emulator: Emulator
) -> None:
    number = phone(11)
    with serving(Orders(plain=True)) as app:
        assert app.ask("/otp", sending(number)).status == 201
        refused = app.ask("/otp", sending(number))
        assert (refused.status, int(refused.headers[RETRY]) > 100) == (429, True)
        assert app.ask("/otp/confirm", confirming(emulator.latest_code(number), number)).status == 200
        assert app.ask("/otp", "{").status == 400


def test_it_runs_as_its_page_says(emulator: Emulator, tmp_path: Path) -> None:
    (line,) = re.findall(r"^\$ (flask .+)$", (EXAMPLE / "README.md").read_text("utf-8"), re.MULTILINE)
    command = [sys.executable, "-m", *line.split(), "--port", "0"]
    environment = environment_of(emulator.environment, tmp_path, PYTHONUNBUFFERED="1")
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        try:
            assert run.stdout is not None
            port = None
            while port is None:
                written = run.stdout.readline().decode()
                assert written, "it ended"
                port = re.search(r"Running on http://127\.0\.0\.1:(\d+)", written)
            number = phone(12)
            assert ask(int(port[1]), "/otp", sending(number)).status == 201
            assert ask(int(port[1]), "/otp/confirm", confirming(emulator.latest_code(number), number)).status == 200
        finally:
            run.terminate()


def test_the_page_names_the_variables_that_the_application_reads(emulator: Emulator) -> None:
    page = (EXAMPLE / "README.md").read_text("utf-8")
    read = [name for name in emulator.environment if "MESSAGING" not in name]  # Verify alone is what it uses
    for name in (*read, "ENABLE_OTP", "OTPCORE_TINYDB_PATH", "FIRST_RESEND_DURATION"):
        assert f"`{name}`" in page
