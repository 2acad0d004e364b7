"""`doctor`, on what it once overlooked: a store that cannot be written, a torn tail, a misspelt variable."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from otpcore.cli import health, places
from otpcore.cli.exits import Exit
from tests.cli.running import NUMBER, Cli


def finding(told: Any, name: str) -> dict[str, Any]:
    """The finding of one part."""
    (found,) = (each for each in told["findings"] if each["part"] == name)
    return dict(found)


@pytest.fixture
def as_nobody_special(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode of a file holds for its owner: for the superuser, who may run the tests, it does not."""

    def may(path: Path, mode: int) -> bool:
        return (stat.S_IMODE(path.stat().st_mode) >> 6) & mode == mode

    monkeypatch.setattr(places, "_may", may)


def nobody_asks(_path: Path) -> None:
    """The planted defect."""


@pytest.mark.usefixtures("as_nobody_special")
@pytest.mark.parametrize("planted", [False, True], ids=["the doctor", "the planted defect"])
@pytest.mark.parametrize("locked", ["store", "store/codes.otpdb", "."])
def test_a_store_that_cannot_be_written_is_bad(
    locked: str, planted: bool, otpcore: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if planted:
        monkeypatch.setattr(health, "obstacle", nobody_asks)
    if locked != ".":  # there the folder is still to be made
        otpcore("start", NUMBER)
    place = tmp_path / locked
    mode = place.stat().st_mode
    place.chmod(0o500)
    try:
        ran = otpcore("doctor", "--json")
        text = otpcore("doctor").out
    finally:
        place.chmod(mode)
    if planted and os.geteuid() == 0:  # the store itself fails for others than the superuser
        assert ran.code is Exit.OK
    elif not planted:
        found = finding(ran.json, "store")
        assert (ran.code, found["level"]) == (Exit.NO, "bad")
        assert "cannot be written; see OTPCORE_TINYDB_PATH" in found["text"]
        assert "Everything is as it should be" not in text


def test_a_path_below_a_file_is_bad(otpcore: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("OTPCORE_TINYDB_PATH", str(tmp_path / "a file" / "below" / "codes.otpdb"))
    ran = otpcore("doctor", "--json")
    assert (ran.code, "is no folder; see OTPCORE_TINYDB_PATH" in finding(ran.json, "store")["text"]) == (Exit.NO, True)


def test_a_torn_tail_that_the_opening_cut_is_a_note(otpcore: Cli, tmp_path: Path) -> None:
    otpcore("start", NUMBER)
    file = tmp_path / "store" / "codes.otpdb"
    whole = file.read_bytes().rstrip(b"\n") + b"\n"
    file.write_bytes(whole + b'["torn')
    ran = otpcore("doctor", "--json")
    found = finding(ran.json, "store")
    assert (ran.code, found["level"]) == (Exit.OK, "note")
    assert "cut 6 bytes of an unfinished write off its end" in found["text"]
    assert (found["facts"]["cuts"], found["facts"]["cut_bytes"]) == (1, 6)
    assert file.read_bytes() == whole
    again = finding(otpcore("doctor", "--json").json, "store")
    assert (again["level"], again["facts"]["cuts"]) == ("good", 0)


def test_a_misspelt_variable_is_noted_with_the_nearest_name(
    otpcore: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OTPCORE_PURPOSE", "OTPCORE_TINYDB_PAHT", "OTPCORE_XYZZY", "OTPCORE_TWILIO_ORIGIN"):
        monkeypatch.setenv(name, "482913")
    monkeypatch.setenv("OTPCORE_TOKEN", "otps_x")
    monkeypatch.setenv("otpcore_tenant", "here")  # case does not matter to settings
    file = tmp_path / "settings.env"
    file.write_text("OTPCORE_STOER=tinydb\nOTPCORE_STORE=tinydb\n")
    ran = otpcore("--env-file", str(file), "doctor", "--json")
    found = finding(ran.json, "variables")
    assert (ran.code, found["level"]) == (Exit.OK, "note")
    assert found["facts"] == {
        "OTPCORE_PURPOSE": "OTPCORE_PURPOSES",
        "OTPCORE_STOER": "OTPCORE_STORE",
        "OTPCORE_TINYDB_PAHT": "OTPCORE_TINYDB_PATH",
        "OTPCORE_TWILIO_ORIGIN": None,
        "OTPCORE_XYZZY": None,
    }
    assert "OTPCORE_PURPOSE (is OTPCORE_PURPOSES meant?)" in found["text"]
    assert "482913" not in ran.out
    monkeypatch.setenv("OTPCORE_PLUGINS", "twilio")
    assert "OTPCORE_TWILIO_ORIGIN" not in finding(otpcore("doctor", "--json").json, "variables")["facts"]


def test_a_misspelt_variable_is_noted_where_it_spoils_the_configuration(
    otpcore: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTPCORE_PLUGIN", "twilio")
    monkeypatch.setenv("OTPCORE_PROVIDER", "twilio")
    ran = otpcore("doctor", "--json")
    assert ran.code is Exit.NO
    assert finding(ran.json, "variables")["facts"] == {"OTPCORE_PLUGIN": "OTPCORE_PLUGINS"}
