"""Faults on order, met by the official SDK: which requests they spoil, and what is left of these."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests
from pydantic import ValidationError
from twilio.base.exceptions import TwilioRestException  # type: ignore[import-untyped]  # the SDK carries no types

from otpcore_twilio.emulator import Fault, Faults, Options, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.emulator.conftest import Bench

TO = "+12025550123"
OTHER = "+12025550124"
LOST = {
    Fault.HANG: requests.exceptions.ReadTimeout,
    Fault.RESET: requests.exceptions.ConnectionError,
    Fault.TRUNCATED: requests.exceptions.ChunkedEncodingError,
}
CREATE, CHECK = "create_verification", "create_check"


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def spoiled(bench: Bench, call: Callable[[], object]) -> Any:
    """What the SDK raises."""
    with pytest.raises((TwilioRestException, requests.exceptions.RequestException)) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("processed", [False, True])
@pytest.mark.parametrize("fault", list(Fault))
def test_an_answer_is_lost_before_or_after_the_request_took_effect(
    bench: Bench, fault: Fault, *, processed: bool
) -> None:
    bench.emulator.faults.add(Scenario(outcome=fault, processed=processed))
    bench.http.timeout = 0.3 if fault is Fault.HANG else 10
    error = spoiled(bench, bench.send)
    bench.http.timeout = 10
    patience = time.monotonic() + 30
    while bench.emulator.faults.pending() or len(bench.emulator.inbox()) < int(processed):
        assert time.monotonic() < patience  # a hasty client is gone before a busy machine has read its request
    if fault is Fault.GARBAGE:
        assert (error.status, error.code) == (503, 503)
    else:
        assert isinstance(error, LOST[fault])
    assert len(bench.emulator.inbox()) == int(processed)
    assert bench.send().status == "pending"  # the next request is an ordinary one


@pytest.mark.parametrize("processed", [False, True])
@pytest.mark.parametrize(("outcome", "seen"), [(20429, (429, 20429)), (20500, (500, 20500)), (502, (502, None))])
def test_an_error_is_answered_before_or_after_the_request_took_effect(
    bench: Bench, outcome: int, seen: tuple[int, int | None], *, processed: bool
) -> None:
    bench.send()
    bench.emulator.faults.add(Scenario(outcome=outcome, processed=processed, operation=CHECK))
    assert bench.refused(bench.check, bench.right()) == seen
    assert bench.status_of(bench.emulator.inbox()[0].verification_sid) == (404 if processed else 200)


@pytest.mark.parametrize("outcome", [20429, 429, 25109, 503])
@pytest.mark.parametrize("retry_after_s", [None, 0, 7])
def test_retry_after_comes_only_if_it_was_ordered(bench: Bench, outcome: int, retry_after_s: int | None) -> None:
    bench.emulator.faults.add(Scenario(outcome=outcome, retry_after_s=retry_after_s))
    bench.refused(bench.send)
    shown = bench.http.answers[-1].headers.get("Retry-After")
    assert shown == (None if retry_after_s is None else str(retry_after_s))


@pytest.mark.parametrize("status", [200, 201, 502])
def test_garbage_has_the_status_that_was_ordered(bench: Bench, status: int) -> None:
    bench.emulator.faults.add(Scenario(outcome=Fault.GARBAGE, status=status))
    answer = requests.get(f"{bench.emulator.url}/v2/Services", timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")


@pytest.mark.parametrize("processed", [False, True])
def test_a_late_answer_comes_too_late_for_a_hasty_client_and_the_request_has_its_effect(
    bench: Bench, *, processed: bool
) -> None:
    bench.emulator.faults.add(Scenario(delay_s=3600, processed=processed))
    bench.http.timeout = 0.3
    assert isinstance(spoiled(bench, bench.send), requests.exceptions.ReadTimeout)
    assert bench.emulator.wait_for_message(TO).number == 1  # who has left is no longer waited for


def test_a_patient_client_gets_the_late_answer(bench: Bench) -> None:
    bench.emulator.faults.add(Scenario(delay_s=0.05))
    assert bench.send().status == "pending"
    assert bench.http.answers[-1].status_code == 201
    assert bench.emulator.faults.pending() == ()


def test_a_scenario_acts_on_the_next_so_many_requests(bench: Bench) -> None:
    bench.emulator.faults.add(Scenario(outcome=20429, times=2))
    bench.emulator.faults.add(Scenario(outcome=503))
    assert [bench.refused(bench.send)[0] for _ in range(3)] == [429, 429, 503]
    assert bench.send().status == "pending"
    assert bench.emulator.faults.pending() == ()


def test_of_many_simultaneous_requests_so_many_are_spoiled(bench: Bench) -> None:
    bench.emulator.faults.add(Scenario(outcome=503, times=5))
    gate = threading.Barrier(16)

    def fetch(_: int) -> int:
        gate.wait()
        auth = bench.emulator.account_sid, bench.emulator.auth_token
        return requests.get(f"{bench.emulator.url}/v2/Services", auth=auth, timeout=30).status_code

    with ThreadPoolExecutor(16) as pool:
        assert Counter(pool.map(fetch, range(16))) == {503: 5, 200: 11}


def test_a_scenario_without_end_acts_until_the_faults_are_cleared(bench: Bench) -> None:
    bench.emulator.faults.add(Scenario(outcome=503, times=None))
    assert {bench.refused(bench.send)[0] for _ in range(5)} == {503}
    (pending,) = bench.emulator.faults.pending()
    assert pending.left is None
    bench.emulator.faults.clear()
    assert bench.send().status == "pending"


def test_a_scenario_acts_on_its_operation_alone(bench: Bench) -> None:
    bench.emulator.faults.add(Scenario(outcome=503, operation="fetch_verification"))
    sent = bench.send()
    assert bench.check(bench.wrong()).status == "pending"
    assert [bench.status_of(sent.sid) for _ in range(2)] == [503, 200]


def test_a_scenario_acts_on_its_paths_alone(bench: Bench) -> None:
    bench.emulator.faults.add(Scenario(outcome=503, path="/v2/Services/*/VerificationCheck"))
    bench.send()
    assert bench.refused(bench.check, bench.wrong()) == (503, None)
    assert bench.check(bench.right()).status == "approved"


def test_a_scenario_acts_on_its_number_alone_by_whatever_name(bench: Bench) -> None:
    """`To`, a verification's SID in the form, and one in the path are all about the same person."""
    sent, _ = bench.send(OTHER), bench.send(TO)
    bench.emulator.faults.add(Scenario(outcome=503, to=OTHER, times=4))
    assert bench.check(bench.wrong(TO), TO).status == "pending"
    assert bench.refused(bench.send, OTHER)[0] == 503
    assert bench.refused(bench.check, bench.wrong(OTHER), OTHER)[0] == 503
    by_sid = bench.service.verification_checks.create
    assert bench.refused(by_sid, verification_sid=sent.sid, code=bench.right(OTHER))[0] == 503
    assert [bench.status_of(sent.sid) for _ in range(2)] == [503, 200]


def test_all_conditions_of_a_scenario_have_to_fit(bench: Bench) -> None:
    bench.emulator.faults.add(Scenario(outcome=503, to=TO, operation=CHECK))
    bench.send(OTHER)
    bench.send(TO)
    assert bench.check(bench.wrong(OTHER), OTHER).status == "pending"
    assert bench.refused(bench.check, bench.wrong(TO))[0] == 503


def test_the_options_hold_what_is_spoiled_from_the_start(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(Options(faults=(Scenario(outcome=60410, times=2), Scenario(outcome=Fault.RESET))))
    assert [bench.refused(bench.send) for _ in range(2)] == [(403, 60410)] * 2
    assert isinstance(spoiled(bench, bench.send), requests.exceptions.ConnectionError)
    assert bench.send().status == "pending"


def test_faults_are_ordered_listed_and_cleared_over_http(bench: Bench, browser: requests.Session) -> None:
    faults = f"{bench.emulator.url}/_emulator/faults"
    assert browser.get(faults).json() == []
    ordered = {"outcome": "reset", "processed": True, "to": TO, "times": 3}
    assert browser.post(faults, json=ordered).json() == [ordered | {"left": 3}]
    spoiled(bench, bench.send)
    assert browser.get(faults).json() == [ordered | {"left": 2}]
    assert browser.post(faults, json={"outcome": 60203}).json()[1:] == [{"outcome": 60203, "left": 1}]
    assert browser.delete(faults).status_code == 204
    assert browser.get(faults).json() == []
    assert bench.send().send_code_attempts[1:]  # the one whose answer was lost, and this one


SENSELESS: list[dict[str, Any]] = [
    {},
    {"delay_s": 0},
    {"outcome": "explode"},
    {"outcome": 399},
    {"outcome": 99999},
    {"outcome": True},
    {"outcome": 503, "times": 0},
    {"outcome": "reset", "retry_after_s": 1},
    {"outcome": 429, "retry_after_s": -1},
    {"outcome": 503, "status": 201},
    {"delay_s": -1},
    {"delay_s": 3601},
    {"delay_s": float("nan")},
    {"outcome": 503, "more": 1},
]


@pytest.mark.parametrize("ordered", SENSELESS, ids=str)
def test_a_scenario_that_makes_no_sense_is_refused(
    bench: Bench, browser: requests.Session, ordered: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        Scenario(**ordered)
    answer = browser.post(
        f"{bench.emulator.url}/_emulator/faults",
        data=json.dumps(ordered).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, bool(answer.json()["message"])) == (422, True)
    assert bench.emulator.faults.pending() == ()


def test_an_unknown_operation_is_refused_and_the_known_ones_are_named(bench: Bench, browser: requests.Session) -> None:
    with pytest.raises(ValueError, match=CREATE):
        bench.emulator.faults.add(Scenario(outcome=503, operation="nothing"))
    answer = browser.post(f"{bench.emulator.url}/_emulator/faults", json={"outcome": 503, "operation": "nothing"})
    assert answer.status_code == 422
    assert CREATE in answer.json()["message"]


def test_no_more_scenarios_wait_than_the_limit() -> None:
    faults = Faults({CREATE}, [Scenario(outcome=503)] * 1000)
    with pytest.raises(ValueError, match="1000"):
        faults.add(Scenario(outcome=503))


def test_a_form_of_a_foreign_page_cannot_order_a_fault(bench: Bench, browser: requests.Session) -> None:
    answer = browser.post(
        f"{bench.emulator.url}/_emulator/faults", data=b'{"outcome": 503}', headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 422
    assert bench.send().status == "pending"
