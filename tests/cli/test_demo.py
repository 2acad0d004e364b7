"""`otpcore demo`: that it does what it promises, and that it notices when a step differs."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from otpcore.cli import stage as staging
from otpcore.cli import timeline
from otpcore.cli.demo import STEPS, Step, play
from otpcore.cli.exits import Exit
from otpcore.cli.shell import Shell
from otpcore.cli.stage import NUMBER, Stage
from otpcore.cli.timeline import show
from otpcore.engine import Engine
from otpcore.plugins import Plugins
from otpcore.policy import DEMO
from otpcore.providers.fake import FakeProvider
from otpcore.results import Ended
from otpcore.stores.tinydb import TinyDBStore
from tests.cli.running import PEPPER, Cli

NAMES = ["emulator", *(name for name, _ in STEPS), "clean up"]
HOSTILE = {
    "TWILIO_ACCOUNT_SID": "AC" + "f" * 32,
    "TWILIO_AUTH_TOKEN": "somebody's",
    "TWILIO_API_KEY_SID": "SK" + "f" * 32,
    "TWILIO_API_KEY_SECRET": "somebody's",
    "TWILIO_SERVICE_SID": "VA" + "f" * 32,
    "TWILIO_REGION": "ie1",
    "TWILIO_EDGE": "dublin",
    "OTPCORE_TWILIO_ORIGIN": "https://verify.example",
    "OTPCORE_PROVIDER": "console",
    "OTPCORE_STORE": "memory",
    "OTPCORE_PROFILE": "signal",
    "OTPCORE_PRODUCTION": "1",
    "OTPCORE_CODE_LIFETIME_S": "601",
    "OTPCORE_PEPPER": "short",
    "OTPCORE_PLUGINS_BLOCKED": "twilio",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
}


@pytest.mark.parametrize("environment", [{}, HOSTILE], ids=["bare", "hostile"])
def test_it_succeeds_shows_every_step_and_leaves_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    program = [sys.executable, "-W", "error", "-c", "from otpcore.cli import main; main()", "demo", "--json"]
    given = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path), **environment}
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=given, start_new_session=True
    ) as process:
        out, err = process.communicate(timeout=60)
    told = json.loads(out)
    assert (process.returncode, err, told["ok"]) == (0, "", True)
    assert [step["step"] for step in told["steps"]] == NAMES
    assert 3 < told["elapsed_s"] < 20
    address = re.search(r"http://127\.0\.0\.1:[0-9]+", told["steps"][0]["found"][0])
    assert address is not None
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", urlsplit(address[0]).port or 0), timeout=5)
    assert processes_of_session(process.pid) == []
    assert list(tmp_path.iterdir()) == []


def processes_of_session(session: int) -> list[str]:
    """Command lines of the processes that still belong to a session."""
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                found.append((folder / "cmdline").read_text())
        except (OSError, ValueError):
            continue
    return found


# --- a stage without a wait, on which defects can be planted ------------------------------------


@dataclass(frozen=True)
class Text:
    """A message as the emulator gives it."""

    code: str
    text: str


class Moved:
    """The machine's clock, put forward instead of waiting."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def wait(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


Plant = Callable[[Stage], Stage]


def stage_with(plant: Plant, clock: Moved, folder: Path, **engine: Any) -> Callable[[], AbstractContextManager[Stage]]:
    """A real engine and file, the fake in place of the emulator, and one defect."""

    @contextmanager
    def opened() -> Generator[Stage]:
        path = folder / "demo" / "demo.otpdb"
        fake = FakeProvider(clock=clock)
        given: dict[str, Any] = {"profile": DEMO, "pepper": PEPPER.encode(), "clock": clock, **engine}

        def inbox(number: str) -> Sequence[Text]:
            return [Text(each.code, f"code {each.code}") for each in fake.outbox if each.recipient == number]

        with Engine(TinyDBStore(path), fake, **given) as core:
            reader = TinyDBStore(path)
            yield plant(Stage(core, inbox, reader, "http://127.0.0.1:1", path))
            reader.close()
        for each in path.parent.iterdir():
            each.unlink()
        path.parent.rmdir()

    return opened


class Differing:
    """An engine that answers one operation otherwise."""

    def __init__(self, engine: Engine, operation: str, answer: Callable[[Any, list[Any]], Any]) -> None:
        self._engine = engine
        self._operation = operation
        self._answer = answer
        self._seen: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._engine, name)
        if name != self._operation:
            return method

        def altered(*arguments: Any, **options: Any) -> Any:
            self._seen.append(method(*arguments, **options))
            return self._answer(self._seen[-1], self._seen)

        return altered


def differing(operation: str, answer: Callable[[Any, list[Any]], Any]) -> Plant:
    return lambda stage: replace(stage, engine=Differing(stage.engine, operation, answer))  # type: ignore[arg-type]  # a double


def inbox(change: Callable[[Sequence[Any]], Sequence[Any]]) -> Plant:
    def plant(stage: Stage) -> Stage:
        def changed(number: str) -> Sequence[Any]:
            return change(stage.inbox(number))

        return replace(stage, inbox=changed)

    return plant


def raising(_answer: object, _seen: object) -> Any:
    raise ConnectionError("no answer")


class Leaky(Stage):
    """A stage whose file holds the number."""

    __slots__ = ()

    def stored(self) -> bytes:
        return self.path.read_bytes() + NUMBER.encode()


class Staying(Stage):
    """A stage whose server goes on."""

    __slots__ = ()

    def left_behind(self) -> str:
        return "a server"


def as_kind(kind: type[Stage]) -> Plant:
    return lambda stage: kind(stage.engine, stage.inbox, stage.store, stage.address, stage.path)


def first_approval_again(answer: Any, seen: list[Any]) -> Any:
    """A code that can be used twice."""
    return seen[-2] if isinstance(answer, Ended) else answer


HASTY = replace(DEMO, ladder=(timedelta(milliseconds=1), *DEMO.ladder[1:]))

DEFECTS: list[tuple[str, Plant, dict[str, Any]]] = [
    ("start", differing("start", raising), {}),
    ("start", inbox(lambda texts: texts[:0]), {}),
    ("start", differing("start", lambda answer, _: replace(answer, next=replace(answer.next, checks_left=4))), {}),
    ("in the file", as_kind(Leaky), {}),
    ("early resend", lambda stage: stage, {"profile": HASTY}),
    ("early resend", differing("resend", lambda answer, _: replace(answer, until=answer.until + DEMO.ladder[0])), {}),
    (
        "resend",
        inbox(lambda texts: [replace(text, code=f"{place}{text.code}") for place, text in enumerate(texts)]),
        {},
    ),
    ("resend", differing("resend", lambda answer, seen: answer if len(seen) == 1 else seen[0]), {}),
    ("wrong code", differing("check", lambda answer, _: replace(answer, next=replace(answer.next, checks_left=5))), {}),
    ("right code", differing("check", lambda answer, seen: seen[0]), {}),
    ("used code", differing("check", first_approval_again), {}),
    ("clean up", as_kind(Staying), {}),
]


def test_without_a_defect_every_step_is_as_promised(tmp_path: Path) -> None:
    clock = Moved()
    steps = list(play(pause=clock.wait, stage=stage_with(lambda stage: stage, clock, tmp_path)))
    assert [step.name for step in steps if not step.ok] == []
    assert [step.name for step in steps] == NAMES


@pytest.mark.parametrize(("name", "plant", "engine"), DEFECTS, ids=[f"{n}-{d[0]}" for n, d in enumerate(DEFECTS)])
def test_a_planted_defect_is_named_and_the_exit_code_says_so(
    name: str, plant: Plant, engine: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, out = Moved(), io.StringIO()
    monkeypatch.setattr("otpcore.cli.timeline.time.sleep", clock.wait)
    shell = Shell(out=Console(file=out, width=80, highlight=False, emoji=False, markup=False))
    code = show(shell, as_json=False, stage=stage_with(plant, clock, tmp_path, **engine))
    assert code is Exit.NO
    assert f"This step differs: {name} (" in out.getvalue()
    crosses = [line for line in out.getvalue().splitlines() if "✗" in line]
    assert [name in line for line in crosses] == [True]


def test_a_defect_ends_the_process_with_1(tmp_path: Path) -> None:
    program = (
        "from otpcore.engine import Engine; from otpcore.cli import main\n"
        "Engine.check = lambda *given, **more: 'approved, whatever the code'\n"
        "main()"
    )
    given = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", program, "demo"], capture_output=True, text=True, check=False, env=given
    )
    assert (ran.returncode, ran.stderr) == (Exit.NO, "")
    assert "This step differs: wrong code (" in ran.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_sees_a_timeline_in_80_columns(tmp_path: Path) -> None:
    clock, out = Moved(), io.StringIO()
    console = Console(file=out, width=80, highlight=False, emoji=False, markup=False)
    steps = play(pause=clock.wait, stage=stage_with(lambda stage: stage, clock, tmp_path))
    rows = list(timeline.rows(console, steps))
    assert all(step.ok for step in rows)
    lines = out.getvalue().splitlines()
    assert max(len(line) for line in lines) <= 80
    assert len(lines) == len(NAMES) + 2  # the text on the phone, and what the file does not hold
    assert re.fullmatch(r" +\d\.\d\d s ✓ early resend +refused; possible in 3 s \(\d\d:\d\d:\d\d\).*", lines[5])


def test_what_a_step_says_is_a_line_of_json() -> None:
    step = Step("resend", 3.21499, ("sent",), ok=False)
    assert timeline.machine_step(step) == {"step": "resend", "ok": False, "at_s": 3.215, "found": ("sent",)}


def test_without_the_plugin_it_says_what_to_install(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:

    def blocking(allow: list[str]) -> Plugins:
        return Plugins(block=allow)

    monkeypatch.setattr(staging, "Plugins", blocking)
    ran = otpcore("demo")
    assert ran.code is Exit.CONFIGURATION
    assert "pip install 'otpcore-twilio[emulator]'" in ran.err
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "otpcore_twilio.emulator", None)
    ran = otpcore("demo")
    assert ran.code is Exit.CONFIGURATION
    assert "the emulator (otpcore_twilio.emulator is missing): pip install" in ran.err


def test_where_the_emulator_cannot_be_reached_it_says_so(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: object, **_named: object) -> None:
        raise OSError("no way")

    monkeypatch.setattr("otpcore_twilio.transport.DeadlineHttpClient.request", refuse)
    ran = otpcore("demo")
    assert ran.code is Exit.CONFIGURATION
    assert "cannot be reached: has this machine a loopback interface" in ran.err
    assert "a bug" not in ran.err
