"""One desk for each process, whatever threads and forks do; what importing the facade does, and how often it warns."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from otpcore.legacy import OTP_Model, desk, use
from otpcore.providers.transport import requests
from otpcore_twilio import TwilioProvider
from tests.legacy.process_child import PARTIES, PATIENCE_S, phones
from tests.legacy.recorder import ENVIRONMENT, Recorder, recording
from tests.legacy.serving import ROOT, environment_of
from tests.numbers import phone

Session = requests._Session  # pyright: ignore[reportPrivateUsage]  # the pool of connections

pytestmark = pytest.mark.filterwarnings("ignore:OTP_Model is kept:DeprecationWarning")


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as running:
        yield running


def child(what: str, variant: str, environment: dict[str, str], *options: str) -> Any:
    command = [sys.executable, "-B", *options, "-m", "tests.legacy.process_child", what, variant]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


# --- many objects and threads, one desk ------------------------------------------------------------


@pytest.fixture
def counted(recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """The desk of the environment; every desk, provider and session of requests that is made is in the list."""
    for name, value in environment_of(recorder.environment, tmp_path).items():
        monkeypatch.setenv(name, value)
    made: list[object] = []

    def count(kind: Any) -> None:
        begin: Any = kind.__init__

        def noted(self: object, *args: Any, **named: Any) -> None:
            made.append(self)
            begin(self, *args, **named)

        monkeypatch.setattr(kind, "__init__", noted)

    for kind in (desk.Desk, TwilioProvider, Session):
        count(kind)
    use(None)
    yield made
    use(None)


def kinds(made: list[object]) -> list[str]:
    return sorted(type(each).__name__ for each in made)


ONE_OF_EACH = ["Desk", "TwilioProvider", "_Session"]


def over_one_connection(recorder: Recorder, made: list[object], between: Callable[[], object]) -> None:
    for place in range(10):
        assert OTP_Model(phone(place)).verification().status == "pending"
        between()
    assert len(recorder.sends) == 10
    assert len(recorder.accepted) == 1
    assert kinds(made) == ONE_OF_EACH


def test_many_objects_send_over_one_connection(recorder: Recorder, counted: list[object]) -> None:
    over_one_connection(recorder, counted, lambda: None)


def test_a_desk_for_each_object_is_caught(recorder: Recorder, counted: list[object]) -> None:
    with pytest.raises(AssertionError):
        over_one_connection(recorder, counted, lambda: use(None))
    assert len(recorder.accepted) == 10


def at_first_use(made: list[object], call: Callable[[str], object]) -> None:
    latch, failed = threading.Barrier(PARTIES), list[BaseException]()

    def party(number: str) -> None:
        latch.wait(PATIENCE_S)
        try:
            call(number)
        except BaseException as error:  # noqa: BLE001  # told below
            failed.append(error)

    parties = [threading.Thread(target=party, args=(phone(place),)) for place in range(PARTIES)]
    for each in parties:
        each.start()
    for each in parties:
        each.join()
    assert failed == []
    assert kinds(made)[:2] == ONE_OF_EACH[:2]


def test_threads_that_race_to_the_first_use_share_one_desk(recorder: Recorder, counted: list[object]) -> None:
    at_first_use(counted, lambda number: OTP_Model(number).verification())
    assert len(recorder.sends) == PARTIES
    assert len(recorder.accepted) <= PARTIES


def test_threads_that_share_one_client_make_one_client(counted: list[object]) -> None:
    clients: list[object] = []
    at_first_use(counted, lambda number: clients.append(OTP_Model(number).client))
    assert len({id(each) for each in clients}) == 1


def test_a_desk_that_is_opened_without_a_lock_is_caught(
    recorder: Recorder, counted: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = threading.Barrier(PARTIES)
    opened: list[desk.Desk] = []

    def met() -> desk.Desk:
        meeting.wait(PATIENCE_S)
        opened.append(desk.open_desk())
        return opened[-1]

    use(met)
    monkeypatch.setattr(desk._process, "lock", nullcontext())  # pyright: ignore[reportPrivateUsage]  # the defect
    with pytest.raises(AssertionError):
        at_first_use(counted, lambda number: OTP_Model(number).verification())
    for each in opened:
        each.close()


# --- forks -------------------------------------------------------------------------------------------


def apart(recorder: Recorder, folder: Path, variant: str) -> None:
    assert child("forked", variant, environment_of(recorder.environment, folder)) == "done"
    mine, theirs, mine_again = (recorder.ports(number) for number in phones(3))
    assert [len(mine), len(theirs), len(mine_again)] == [1, 1, 1]
    assert theirs != mine, "the child used a connection of its parent"
    assert mine_again == mine, "the connection of the parent is gone"
    assert sorted(recorder.accepted) == sorted({*mine, *theirs})


def test_a_child_opens_its_own_connection_and_the_parents_goes_on(recorder: Recorder, tmp_path: Path) -> None:
    apart(recorder, tmp_path, "facade")


def test_a_connection_that_two_processes_share_is_caught(recorder: Recorder, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="the child used a connection of its parent"):
        apart(recorder, tmp_path, "shared")


def test_a_fork_while_another_thread_opens_the_desk_does_not_hang_the_child(tmp_path: Path) -> None:
    assert child("opening", "facade", environment_of(ENVIRONMENT, tmp_path)) == "done"


def test_a_fork_while_another_thread_imports_what_the_desk_needs_does_not_hang_the_child(tmp_path: Path) -> None:
    assert child("opening", "importing", environment_of(ENVIRONMENT, tmp_path)) == "done"


def test_a_lock_that_a_fork_copies_is_caught(tmp_path: Path) -> None:
    for variant in ("not watching", "not watching, importing"):
        assert child("opening", variant, environment_of(ENVIRONMENT, tmp_path)) == "hung"


# --- import and warning ------------------------------------------------------------------------------


OURS = re.compile(r"^(OTPCORE_|TWILIO_|ENABLE_OTP|.*_RESEND_DURATION)|^\*$", re.IGNORECASE)
"""What the facade is set by, and the reading of all there is; Python and its libraries ask for names of their own."""


def test_importing_reads_no_environment_and_makes_nothing(tmp_path: Path) -> None:
    found = child("imported", "facade", environment_of(ENVIRONMENT, tmp_path))
    assert (found["done"], found["by_us"], found["threads"], found["loaded"]) == ([], [], 1, [])
    assert [name for name in found["asked"] if OURS.search(name)] == []
    assert list(tmp_path.iterdir()) == []


def test_a_use_in_the_place_of_an_import_is_caught(recorder: Recorder, tmp_path: Path) -> None:
    found = child("imported", "used", environment_of(recorder.environment, tmp_path))
    assert {"open records.otpdb.lock", "socket.connect"} <= set(found["done"])
    assert [name for name in found["asked"] if OURS.search(name)] != []
    assert {"twilio", "tinydb"} <= set(found["loaded"])


def test_a_process_is_warned_once_whoever_comes_first(tmp_path: Path) -> None:
    (heard,) = child("warned", "facade", environment_of(ENVIRONMENT, tmp_path))
    category, message, file = heard
    assert category == "DeprecationWarning"
    assert "docs/howto/migrate-from-legacy.md" in message
    assert (ROOT / "docs/howto/migrate-from-legacy.md").exists()
    assert file == "process_child.py", "it names another place than the caller's"


def test_a_warning_for_each_thread_is_caught(tmp_path: Path) -> None:
    assert len(child("warned", "not locked", environment_of(ENVIRONMENT, tmp_path))) == PARTIES


def test_a_filter_silences_the_warning(tmp_path: Path) -> None:
    assert child("warned", "filtered", environment_of(ENVIRONMENT, tmp_path)) == []
