"""The pytest fixture as a stranger uses it: a fresh project, a conftest.py of one line, a run of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

CONFTEST = 'pytest_plugins = ["otpcore_twilio.testing"]\n'

SIGN_UP = '''
"""An application's own tests."""

import pytest
import requests
from twilio.base.exceptions import TwilioRestException

from otpcore_twilio.emulator import Fault, Scenario
from otpcore_twilio.testing import TwilioEmulator

TO = "+12025550123"


class App:
    def __init__(self, twilio):
        self._verify = twilio.client.verify.v2.services(twilio.service_sid)

    def send(self, to=TO):
        return self._verify.verifications.create(to=to, channel="sms")

    def check(self, code, to=TO):
        return self._verify.verification_checks.create(to=to, code=code).status == "approved"


@pytest.fixture
def app(twilio_emulator):
    return App(twilio_emulator)


def test_a_person_signs_up(app, twilio_emulator):
    app.send()
    code = twilio_emulator.wait_for_message(TO).code
    assert [message.code for message in twilio_emulator.inbox(TO)] == [code]
    assert app.check(code)


def test_each_test_has_an_emulator_of_its_own(app, twilio_emulator):
    assert isinstance(twilio_emulator, TwilioEmulator)
    assert twilio_emulator.inbox() == ()
    assert set(twilio_emulator.environment) > {"TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"}
    assert twilio_emulator.url.startswith("http://127.0.0.1:")


def test_a_code_expires(app, twilio_emulator):
    twilio_emulator.clock.stop()
    app.send()
    twilio_emulator.clock.advance(600)
    with pytest.raises(TwilioRestException) as gone:
        app.check(twilio_emulator.latest_code(TO))
    assert gone.value.code == 20404


def test_twilio_is_busy_once(app, twilio_emulator):
    twilio_emulator.faults.add(Scenario(outcome=20429, retry_after_s=1))
    with pytest.raises(TwilioRestException) as busy:
        app.send()
    assert (busy.value.status, busy.value.code) == (429, 20429)
    app.send()


def test_the_answer_is_lost(app, twilio_emulator):
    twilio_emulator.faults.add(Scenario(outcome=Fault.RESET, processed=True))
    with pytest.raises(OSError):
        app.send()
    assert app.check(twilio_emulator.latest_code(TO))


@pytest.fixture
def afterwards(monkeypatch):
    closed = []
    close = requests.Session.close
    monkeypatch.setattr(requests.Session, "close", lambda self: (closed.append(self), close(self)))
    yield
    assert len(closed) == 1


def test_the_clients_connections_are_closed_afterwards(afterwards, app):
    app.send()
'''

OTHERWISE = """
import pytest

from otpcore_twilio.emulator import Options


@pytest.fixture
def twilio_emulator_options():
    return Options(seed=4, validity_s=120)


@pytest.mark.parametrize("turn", range(2))
def test_it_is_started_with_the_projects_own_options(twilio_emulator, turn):
    assert twilio_emulator.account.options.validity_s == 120
    sids.add(twilio_emulator.account_sid)
    assert len(sids) == 1


sids = set()
"""


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Write a project's files and run its tests; its environment is nobody's, plus `more`."""

    def run(test: str, *arguments: str, conftest: str = CONFTEST, **more: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "conftest.py").write_text(conftest)
        (tmp_path / "test_app.py").write_text(test)
        command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
        return subprocess.run(
            [*command, *arguments],
            cwd=tmp_path,
            env={"PATH": os.defpath, "HOME": str(tmp_path)} | more,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    "arguments",
    [(), ("-p", "no:randomly", "-p", "no:socket", "-p", "no:xdist"), ("--allow-hosts=127.0.0.1",), ("-n2",)],
)
def test_a_project_of_one_line_tests_its_sign_up(
    project: Callable[..., subprocess.CompletedProcess[str]], arguments: tuple[str, ...]
) -> None:
    done = project(SIGN_UP, *arguments)
    assert (done.returncode, "6 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_region_edge_and_proxy_of_the_machine_do_not_reach_the_tests(
    project: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = project(
        SIGN_UP,
        TWILIO_REGION="ie1",
        TWILIO_EDGE="dublin",
        HTTP_PROXY="http://192.0.2.1:1",
        http_proxy="http://192.0.2.1:1",
        ALL_PROXY="http://192.0.2.1:1",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_project_overrides_the_options(project: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = project(OTHERWISE)
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_nothing_is_loaded_into_a_project_that_does_not_ask(
    project: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = project("def test_it(twilio_emulator): pass\n", conftest="")
    assert "fixture 'twilio_emulator' not found" in done.stdout
