"""`plugins`, `doctor`, `export`, `sweep`, `emulator`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tinydb import TinyDB

from otpcore.cli.exits import Exit
from otpcore.cli.health import redacted
from otpcore.model import RecipientRecord, Send, SendState
from otpcore.ports import Conflict
from otpcore.settings import Settings, load_settings
from otpcore.stores.tinydb import TinyDBStore
from tests.cli.running import NUMBER, PEPPER, Cli, other_than

OTHER_PEPPER = "Zx9cVb7nMa1sDf3gHj5kLq2wEr4tYu6iOp8zXc0vBnM"

PLUGINS = sorted(path.name.removeprefix("otpcore-") for path in (Path(__file__).parents[2] / "plugins").iterdir())
"""Those of this repository, which `make venv` installs."""


def part(told: Any, name: str) -> dict[str, Any]:
    """The finding of one part; of two the last."""
    found: dict[str, Any] = [finding for finding in told["findings"] if finding["part"] == name][-1]
    return found


# --- plugins ------------------------------------------------------------------------------------


def test_plugins_are_listed_with_state_and_reason(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    told = otpcore("plugins", "--json").json
    states = {each["name"]: each["state"] for each in told["plugins"]}
    assert states | {"tinydb": "active", "console": "active", "twilio": "installed"} == states
    twilio = next(each for each in told["plugins"] if each["name"] == "twilio")
    assert "OTPCORE_PLUGINS" in twilio["why"]
    assert twilio["version"]
    assert {"kind": "store", "name": "memory"}.items() <= told["types"][0].items()

    monkeypatch.setenv("OTPCORE_PLUGINS", "twilio")
    monkeypatch.setenv("OTPCORE_PLUGINS_BLOCKED", "fake")
    ran = otpcore("plugins")
    assert ran.code is Exit.OK
    assert re.search(r"^twilio +otpcore-twilio [0-9.]+ +active +commands, providers", ran.out, re.MULTILINE)
    assert re.search(r"^fake .* blocked +The block list names it", ran.out, re.MULTILINE)
    assert max(len(line) for line in ran.out.splitlines()) <= 80


# --- doctor -------------------------------------------------------------------------------------


def test_the_doctor_makes_nothing_where_nothing_is(otpcore: Cli, tmp_path: Path) -> None:
    ran = otpcore("doctor")
    assert ran.code is Exit.OK
    assert "not there yet; the first use makes it" in " ".join(ran.out.split())
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_finds_a_healthy_store_good(otpcore: Cli) -> None:
    otpcore("start", NUMBER)
    ran = otpcore("doctor", "--json")
    assert (ran.code, ran.json["ok"]) == (Exit.OK, True)
    levels = {finding["part"]: finding["level"] for finding in ran.json["findings"]}
    assert {name for name, level in levels.items() if level == "note"} == {"provider"}  # the console sends nothing
    assert part(ran.json, "records")["facts"] == {
        "records": 1,
        "resend records": 0,
        "live sessions": 1,
        "stuck sends": 0,
        "sends of unknown outcome": 0,
        "locked recipients": 0,
        "damaged records": 0,
    }
    assert part(ran.json, "software")["facts"]["number metadata"].startswith("9.")
    assert "mode 0600" in part(ran.json, "pepper")["text"]


def test_the_doctor_shows_no_secret(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPCORE_PEPPER", PEPPER)
    monkeypatch.setenv("OTPCORE_PREVIOUS_PEPPERS", OTHER_PEPPER)
    monkeypatch.setenv("OTPCORE_PLUGINS", "twilio")
    monkeypatch.setenv("OTPCORE_PROVIDER", "twilio")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "0123456789abcdef0123456789abcdef")
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC" + "0" * 32)
    monkeypatch.setenv("TWILIO_SERVICE_SID", "VA" + "0" * 32)
    for arguments in (["doctor"], ["doctor", "--json"], ["--debug", "doctor"]):
        ran = otpcore(*arguments)
        assert ran.code is Exit.OK
        shown = re.sub(r"\s", "", ran.out + ran.err)
        assert [secret for secret in (PEPPER, OTHER_PEPPER, "0123456789abcdef") if secret in shown] == []
    told = otpcore("doctor", "--json").json
    assert part(told, "configuration")["facts"]["pepper"] == "set"
    assert part(told, "configuration")["facts"]["previous_peppers"] == ["set"]
    assert part(told, "provider")["facts"]["auth_token"] == "set"


def test_the_redaction_is_what_keeps_a_secret_out() -> None:
    settings = load_settings(pepper=PEPPER, tenant="redis://user:word@host/0")
    assert PEPPER not in str(redacted(settings))
    assert redacted(settings)["tenant"] == "redis://…@host/0"
    planted = {name: getattr(settings, name) for name in Settings.model_fields}  # without the redaction
    assert planted["pepper"].get_secret_value() == PEPPER


def test_the_doctor_finds_stuck_sends_and_locked_recipients(otpcore: Cli, tmp_path: Path) -> None:
    otpcore("start", NUMBER)
    now = datetime.now(UTC)
    store = TinyDBStore(tmp_path / "store" / "codes.otpdb")
    ((key, found),) = store.scan("", 10)
    record = RecipientRecord.decode(found.data)
    stuck = Send(id="lost", at=now - timedelta(minutes=1), state=SendState.RESERVED)
    fresh = Send(id="under way", at=now, state=SendState.RESERVED)
    unknown = Send(id="unknown", at=now, state=SendState.UNKNOWN)
    record = record.but(sends=(*record.sends, stuck, fresh, unknown), consecutive=100)
    for name, data in ((key, record.encode()), (f"{key[:-1]}!", b'{"v":1,"sends":"none"}')):
        expect = found.version if name == key else None
        assert not isinstance(store.commit(name, data, expect=expect, gc_at=now + timedelta(days=1)), Conflict)
    store.close()
    ran = otpcore("doctor", "--json")
    facts = part(ran.json, "records")["facts"]
    assert (facts["stuck sends"], facts["sends of unknown outcome"], facts["locked recipients"]) == (1, 1, 1)
    assert (facts["damaged records"], ran.code) == (1, Exit.NO)


@pytest.mark.parametrize(
    ("variables", "bad", "told"),
    [
        ({"OTPCORE_CODE_LIFETIME_S": "601"}, "configuration", "OTPCORE_CODE_LIFETIME_S"),
        ({"OTPCORE_STORE": "pigeonhole"}, "configuration", "No active plugin brings a store"),
        ({"OTPCORE_PRODUCTION": "1"}, "provider", "sends nothing"),
        ({"OTPCORE_PROVIDER": "twilio", "OTPCORE_PLUGINS": "twilio"}, "provider", "TWILIO_AUTH_TOKEN"),
        ({"OTPCORE_PLUGINS": "pigeon"}, "plugins", "no installed distribution"),
        ({"OTPCORE_CODE_OWNER": "provider"}, "engine", "codes owned by core"),
        ({"OTPCORE_TINYDB_PATH": "{folder}"}, "store", "tinydb: "),
    ],
)
def test_the_doctor_names_what_is_wrong(
    variables: dict[str, str], bad: str, told: str, otpcore: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    otpcore("start", NUMBER)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(folder=tmp_path / "store"))
    ran = otpcore("doctor", "--json")
    finding = part(ran.json, bad)
    assert (ran.code, ran.json["ok"], finding["level"]) == (Exit.NO, False, "bad")
    assert told in finding["text"]
    text = otpcore("doctor")
    assert text.out.rstrip().splitlines()[-1].startswith("Not as it should be: ")
    assert bad in text.out.rstrip().splitlines()[-1]


def test_the_doctor_misses_a_pepper_that_is_gone(otpcore: Cli, tmp_path: Path) -> None:
    otpcore("start", NUMBER)
    (tmp_path / "store" / "pepper").unlink()
    ran = otpcore("doctor", "--json")
    assert (ran.code, part(ran.json, "pepper")["level"]) == (Exit.NO, "bad")
    assert not (tmp_path / "store" / "pepper").exists()


def test_the_doctor_knows_a_strange_pepper(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    otpcore("start", NUMBER)
    monkeypatch.setenv("OTPCORE_PEPPER", PEPPER)
    ran = otpcore("doctor", "--json")
    assert (ran.code, part(ran.json, "pepper")["level"]) == (Exit.NO, "bad")
    assert "OTPCORE_PREVIOUS_PEPPERS" in part(ran.json, "pepper")["text"]


# --- export and sweep ---------------------------------------------------------------------------


def test_an_export_opens_as_stock_tinydb_and_holds_no_secret(otpcore: Cli, tmp_path: Path) -> None:
    started = otpcore("start", NUMBER, "--json")
    out = tmp_path / "out.json"
    assert otpcore("export", str(out)).out.startswith("Wrote 1 document to ")
    with TinyDB(out, access_mode="r") as exported:
        table: Any = exported.table("records")  # pyright: ignore[reportUnknownMemberType]  # TinyDB's options have no types
        (document,) = table.all()
    assert document["record"]["ladder"]["count"] == 1
    text = out.read_text()
    assert [each for each in (NUMBER[1:], started.sent_code, started.json["token"]) if each in text] == []
    assert otpcore("export", str(out), "--json").json == {"documents": 1, "file": str(out)}


def test_only_the_embedded_store_is_exported(otpcore: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert otpcore("export", str(tmp_path / "out.json")).code is Exit.USAGE  # there is no store yet
    monkeypatch.setenv("OTPCORE_STORE", "memory")
    ran = otpcore("export", str(tmp_path / "out.json"))
    assert (ran.code, "Only the embedded store" in ran.err) == (Exit.USAGE, True)


def test_a_sweep_deletes_what_no_longer_counts_and_nothing_else(otpcore: Cli, tmp_path: Path) -> None:
    otpcore("start", NUMBER)
    store = TinyDBStore(tmp_path / "store" / "codes.otpdb")
    for number in range(1_500):
        store.commit(f"old/r/{number}", b'{"v":1}', expect=None, gc_at=datetime(2020, 1, 1, tzinfo=UTC))
    store.close()
    assert otpcore("sweep", "--json").json == {"deleted": 1_500}
    assert otpcore("sweep").out == "Deleted 0 records.\n"
    assert otpcore("start", NUMBER).code is Exit.WAIT


# --- emulator -----------------------------------------------------------------------------------


def test_an_emulator_that_nobody_brings_is_said(otpcore: Cli) -> None:
    ran = otpcore("emulator", "pigeon")
    assert (ran.code, ran.out, ran.err.count("\n")) == (Exit.CONFIGURATION, "", 1)
    assert f"'emulator pigeon'. Installed, and may bring one: {', '.join(PLUGINS)}." in ran.err


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_emulators_are_listed(arguments: list[str], otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = otpcore("emulator", *arguments)
    assert (installed.code, installed.err) == (Exit.OK, "")
    assert re.search(r"loaded when they are named here:\n(  .*\n)*  twilio +otpcore-twilio [0-9.]+\n", installed.out)
    monkeypatch.setenv("OTPCORE_PLUGINS", "twilio")
    active = otpcore("emulator", *arguments)
    assert (active.code, active.err) == (Exit.OK, "")
    assert re.search(
        r"^Emulators:\n  twilio +Twilio Verify v2 and Messages on this machine\n", active.out, re.MULTILINE
    )
    monkeypatch.setenv("OTPCORE_PLUGINS_BLOCKED", ",".join(PLUGINS))
    blocked = otpcore("emulator", *arguments)
    assert (blocked.code, "pip install 'otpcore-twilio[emulator]'" in blocked.out) == (Exit.OK, True)


def test_a_blocked_plugin_stays_blocked(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPCORE_PLUGINS_BLOCKED", "twilio")
    assert otpcore("emulator", "twilio", "--help").code is Exit.CONFIGURATION


def test_options_reach_the_emulator(otpcore: Cli) -> None:
    assert "--seed" in otpcore("emulator", "twilio", "--help").out
    assert otpcore("emulator", "twilio", "--port", "70000").code is Exit.USAGE


def test_an_application_finds_the_emulator_by_what_it_prints(tmp_path: Path) -> None:
    start = [sys.executable, "-W", "error", "-c", "from otpcore.cli import main; main()"]
    bare = {"PATH": os.environ["PATH"], "OTPCORE_TINYDB_PATH": str(tmp_path / "codes.otpdb")}
    with subprocess.Popen([*start, "emulator", "twilio", "--json"], stdout=subprocess.PIPE, env=bare) as emulator:
        try:
            assert emulator.stdout is not None
            printed = json.loads(emulator.stdout.readline())
            given = {**bare, **printed["env"], "OTPCORE_PLUGINS": "twilio", "OTPCORE_PROVIDER": "twilio"}
            begun = subprocess.run([*start, "start", NUMBER, "--json"], capture_output=True, check=True, env=given)
            given["OTPCORE_TOKEN"] = json.loads(begun.stdout)["token"]
            check = [*start, "check", "--json"]
            wrong = subprocess.run(check, input=b"0000000000\n", capture_output=True, check=False, env=given)
            assert (wrong.returncode, json.loads(wrong.stdout)["result"]) == (Exit.NO, "wrong")
        finally:
            emulator.send_signal(signal.SIGTERM)
        assert emulator.wait(timeout=30) == 0
    assert other_than("999999") == "000000"
