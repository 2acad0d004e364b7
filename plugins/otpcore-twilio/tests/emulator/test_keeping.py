"""An account in a file: it goes on where it was, and a death at any point leaves the old state or the new."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from otpcore_twilio.emulator import Emulator, Options, StateFileError, serve
from otpcore_twilio.emulator.keeping import Snapshot
from otpcore_twilio.emulator.records import Entropy
from otpcore_twilio.emulator.state import World

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

TO = "+12025550123"
OTHER = "+12025550124"
BROKEN = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)
BEFORE = ("begin", "opened", "half", "written", "flushed")
"""Points of the child's death at which the old file is still in its place."""

AFTER = ("replaced", "end")
"""Points at which the new one is."""

CHILD = Path(__file__).with_name("state_child.py")


@dataclass
class Caller:
    """A client over plain HTTP."""

    url: str
    account_sid: str
    auth_token: str
    service_sid: str

    @classmethod
    def of(cls, emulator: Emulator) -> Caller:
        return cls(emulator.url, emulator.account_sid, emulator.auth_token, emulator.service_sid)

    def post(self, path: str, **form: str) -> requests.Response:
        return requests.post(
            f"{self.url}/v2/Services/{self.service_sid}/{path}",
            auth=(self.account_sid, self.auth_token),
            data=form,
            timeout=30,
        )

    def send(self, to: str = TO) -> requests.Response:
        return self.post("Verifications", To=to, Channel="sms")

    def check(self, code: str, to: str = TO) -> requests.Response:
        return self.post("VerificationCheck", To=to, Code=code)

    def inbox(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = requests.get(f"{self.url}/_emulator/inbox", timeout=30).json()
        return found


@contextlib.contextmanager
def process(path: Path, point: str = "never", nth: int = 0) -> Generator[tuple[Caller, subprocess.Popen[str]]]:
    """The command with this state, which may die at a point of its n-th writing."""
    command = [sys.executable, "-W", "error", str(CHILD), point, str(nth), "--state", str(path), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            printed = json.loads(child.stdout.readline())
            env = printed["env"]
            yield (
                Caller(printed["url"], *(env[f"TWILIO_{x}"] for x in ("ACCOUNT_SID", "AUTH_TOKEN", "SERVICE_SID"))),
                child,
            )
        finally:
            child.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "twilio.json"


def test_an_account_goes_on_where_it_was(path: Path) -> None:
    with serve(state=path) as emulator:
        before = Caller.of(emulator)
        sent = before.send().json()
        assert before.check("0" * 10).json()["status"] == "pending"
        emulator.advance(60)
        held = emulator.inbox()
        now = emulator.clock.now()
    with serve(state=path) as emulator:
        after = Caller.of(emulator)
        assert (after.account_sid, after.auth_token, after.service_sid) == (
            before.account_sid,
            before.auth_token,
            before.service_sid,
        )
        assert emulator.inbox() == held
        assert emulator.clock.now() >= now
        again = after.send().json()
        assert (again["sid"], len(again["send_code_attempts"])) == (sent["sid"], 2)
        assert emulator.inbox()[-1].number == 2
        for _ in range(4):
            after.check("0" * 10)
        assert after.check("0" * 10).json()["code"] == 60202  # the try from before is counted
    with serve(state=path) as emulator:
        assert Caller.of(emulator).check(emulator.latest_code(TO)).json()["code"] == 60202


def test_a_clock_that_stood_stands_where_it_stood(path: Path) -> None:
    with serve(state=path) as emulator:
        emulator.clock.stop()
        emulator.advance(3600)
        now = emulator.clock.now()
    with serve(state=path) as emulator:
        assert (emulator.clock.now(), emulator.clock.running) == (now, False)


@pytest.mark.parametrize("seed", [None, 4])
def test_no_code_or_sid_comes_twice(path: Path, seed: int | None) -> None:
    sids: list[str] = []
    for to in (TO, OTHER):
        with serve(Options(seed=seed), state=path) as emulator:
            sids.append(Caller.of(emulator).send(to).json()["sid"])
    assert sids[0] != sids[1]


def test_a_seeded_account_goes_on_as_if_it_had_never_ended(path: Path) -> None:
    with serve(Options(seed=4)) as emulator:
        unbroken = [Caller.of(emulator).send(to).json()["sid"] for to in (TO, OTHER)]
    broken: list[str] = []
    for to in (TO, OTHER):
        with serve(Options(seed=4), state=path) as emulator:
            broken.append(Caller.of(emulator).send(to).json()["sid"])
    assert broken == unbroken


def test_every_part_of_the_world_is_kept_or_follows_from_the_others() -> None:
    derived = {"options", "_entropy", "_validity", "_shown", "_newest"}
    assert set(vars(World(Options(), Entropy(1)))) == {"held"} | derived


def test_the_file_is_its_owners_alone_and_a_link_to_it_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    with serve(state=link) as emulator:
        Caller.of(emulator).send()
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".new")] == []


def test_what_was_left_beside_the_file_is_in_nobodys_way(path: Path) -> None:
    path.with_name(f".{path.name}.new").write_bytes(b"half")
    with serve(state=path) as emulator:
        Caller.of(emulator).send()
    with serve(state=path) as emulator:
        assert len(emulator.inbox()) == 1


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "foreign": lambda _: b"[]",
    "format": lambda data: data.replace(b'"format":1', b'"format":2'),
    "newer": lambda data: data.replace(b'"sent":', b'"novelty":'),
    "type": lambda data: data.replace(b'"channel":"sms"', b'"channel":7'),
    "instant": lambda data: data.replace(b'"at":"2', b'"at":"x'),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_file_that_is_no_state_is_refused_untouched_and_not_shown(path: Path, kind: str) -> None:
    with serve(state=path) as emulator:
        Caller.of(emulator).send()
        code, token = emulator.latest_code(TO), emulator.auth_token
    damaged = DAMAGE[kind](path.read_bytes())
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    with pytest.raises(StateFileError) as refused, serve(state=path):
        pass
    assert path.name in str(refused.value)
    assert code not in str(refused.value)
    assert token not in str(refused.value)
    assert path.read_bytes() == damaged


def test_two_emulators_do_not_share_a_file(path: Path) -> None:
    with serve(state=path), pytest.raises(StateFileError, match="another emulator"), serve(state=path):
        pass
    with serve(state=path):
        pass


def test_a_change_that_cannot_be_kept_is_not_answered_as_if_it_were(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        emulator = stack.enter_context(serve(state=folder / "twilio.json"))
        shutil.rmtree(folder)
        answer = Caller.of(emulator).send()
        assert (answer.status_code, "could not be written" in answer.json()["message"]) == (500, True)
        advance = requests.post(f"{emulator.url}/_emulator/clock", json={"advance_s": 1}, timeout=30)
        assert advance.status_code == 500
        folder.mkdir()
        assert Caller.of(emulator).send().status_code == 201


def old_or_new(path: Path) -> str:
    """Which of the two messages the file holds; the first was answered before the process died."""
    found = Snapshot.read(path)
    assert found is not None
    (first, *more) = found.held.messages
    assert first.to == TO
    return "new" if more else "old"


def die_at(point: str, path: Path) -> str:
    """Kill a process while it writes its third state: at its start, after one send, after another."""
    with process(path, point, 3) as (caller, child):
        assert caller.send(TO).status_code == 201
        with pytest.raises(BROKEN):
            caller.send(OTHER)
        assert child.wait(30) == -signal.SIGKILL
    return old_or_new(path)


@pytest.mark.parametrize("point", [*BEFORE, *AFTER])
def test_a_process_that_is_killed_while_it_writes_leaves_the_old_state_or_the_new(path: Path, point: str) -> None:
    assert die_at(point, path) == ("old" if point in BEFORE else "new")
    with process(path) as (caller, _):
        (message, *_) = caller.inbox()
        assert caller.check(message["code"]).json()["status"] == "approved"


def test_a_file_that_is_written_in_its_place_is_noticed(path: Path) -> None:
    """Planted defect: no second file."""
    with pytest.raises(StateFileError):
        die_at("in place", path)


def lost_by_a_kill(path: Path, point: str) -> set[str]:
    """Numbers that were answered, from four threads at once, and are gone after a kill and a new start."""
    answered: list[str] = []

    def send_on(caller: Caller, thread: int) -> None:
        with contextlib.suppress(*BROKEN):
            for last in range(100):
                to = f"+1202555{thread}{last:03}"
                assert caller.send(to).status_code == 201
                answered.append(to)

    with process(path, point) as (caller, child):
        with ThreadPoolExecutor(4) as pool:
            sending = [pool.submit(send_on, caller, thread) for thread in range(4)]
            while len(answered) < 40:
                assert not all(one.done() for one in sending)
            child.kill()
        for one in sending:
            one.result()
    with process(path) as (caller, _):
        return set(answered) - {message["to"] for message in caller.inbox()}


def test_what_was_answered_survives_a_kill(path: Path) -> None:
    assert lost_by_a_kill(path, "never") == set()


def test_answers_that_do_not_wait_for_the_file_are_noticed(path: Path) -> None:
    """Planted defect: the file is written whenever there is time."""
    assert len(lost_by_a_kill(path, "unkept")) >= 40
