"""The pepper: how it is written, which one is in force, and the file that a machine makes once."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest

from otpcore.contract import Durability, StoreCapabilities
from otpcore.errors import ConfigurationError, PepperError
from otpcore.pepper_file import load_or_create_pepper, pepper_bytes
from otpcore.settings import Settings, load_settings, pepper_for

RAW = bytes(range(32))
BASE64URL = urlsafe_b64encode(RAW).decode().rstrip("=")

EMBEDDED = StoreCapabilities(Durability.DISK, multi_process=True)
SHARED = StoreCapabilities(Durability.DISK, multi_process=True, shared=True)
VOLATILE = StoreCapabilities(Durability.VOLATILE, multi_process=False)


@pytest.fixture(autouse=True)
def no_pepper_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine that runs the tests may have one."""
    for name in ("OTPCORE_PEPPER", "OTPCORE_PREVIOUS_PEPPERS"):
        monkeypatch.delenv(name, raising=False)


# A process that makes or loads the pepper and stops just before its work becomes visible, until it is told to go on.
PROGRAM = """
import os, secrets, sys
from pathlib import Path
from otpcore.pepper_file import load_or_create_pepper

def stop_before(function):
    def stopped(*args):
        print("ready", flush=True)
        sys.stdin.readline()
        return function(*args)
    return stopped

def replacing(path):  # planted defect: the last one wins, the others keep a pepper that is gone
    temporary = path.with_name(secrets.token_hex(8))
    made = secrets.token_bytes(32)
    if not path.exists():
        temporary.write_bytes(made)
        os.replace(temporary, path)
    return made

def in_place(path):  # planted defect: a file that is there before it is whole
    with path.open("w") as file:
        stop_before(file.write)(secrets.token_urlsafe(32))

os.link, os.replace = stop_before(os.link), stop_before(os.replace)
make = {"atomic": load_or_create_pepper, "replacing": replacing, "in_place": in_place}[sys.argv[1]]
print(make(Path(sys.argv[2])).hex())
"""


def child(make: str, path: Path) -> subprocess.Popen[str]:
    """A process that has come to the point before its work becomes visible."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, make, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def peppers_of_racing_processes(make: str, path: Path) -> set[str]:
    """What each of six processes takes for the pepper, all of which found no file."""
    processes = [child(make, path) for _ in range(6)]
    return {process.communicate("go\n")[0].strip() for process in processes}


def test_processes_that_come_at_once_get_one_pepper(tmp_path: Path) -> None:
    got = peppers_of_racing_processes("atomic", tmp_path / "pepper")
    assert got == {load_or_create_pepper(tmp_path / "pepper").hex()}
    assert [file.name for file in tmp_path.iterdir()] == ["pepper"]


def test_the_race_catches_a_maker_that_replaces(tmp_path: Path) -> None:
    assert len(peppers_of_racing_processes("replacing", tmp_path / "pepper")) == 6


def kill_before_it_is_visible(make: str, path: Path) -> None:
    with child(make, path) as process:
        process.send_signal(signal.SIGKILL)


def test_a_process_killed_on_the_way_leaves_no_file_and_the_next_makes_one(tmp_path: Path) -> None:
    kill_before_it_is_visible("atomic", tmp_path / "pepper")
    assert not (tmp_path / "pepper").exists()
    assert load_or_create_pepper(tmp_path / "pepper") == load_or_create_pepper(tmp_path / "pepper")


def test_the_kill_catches_a_maker_that_writes_in_place(tmp_path: Path) -> None:
    kill_before_it_is_visible("in_place", tmp_path / "pepper")
    (tmp_path / "pepper").chmod(0o600)
    with pytest.raises(PepperError, match="holds no pepper any more"):
        load_or_create_pepper(tmp_path / "pepper")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o277])
def test_the_file_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        made = load_or_create_pepper(tmp_path / "pepper")
    finally:
        os.umask(before)
    assert (tmp_path / "pepper").stat().st_mode & 0o777 == 0o600
    assert len(made) == 32
    assert load_or_create_pepper(tmp_path / "pepper") == made


def test_a_missing_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    load_or_create_pepper(tmp_path / "data" / "pepper")
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_that_others_may_touch_is_refused_with_the_command_that_helps(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "pepper"
    load_or_create_pepper(path)
    path.chmod(mode)
    with pytest.raises(PepperError, match=f"chmod 600 {path}"):
        load_or_create_pepper(path)


@pytest.mark.parametrize(
    "content", ["", "\n", "short", BASE64URL[:42], BASE64URL + "!", "\N{PILE OF POO}" * 50, "A" * 43]
)
def test_a_damaged_file_is_refused_and_never_overwritten(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pepper"
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(PepperError, match="backup") as refused:
        load_or_create_pepper(path)
    assert path.read_text(encoding="utf-8") == content
    assert not content.strip() or content not in str(refused.value)


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    load_or_create_pepper(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for name in ("link", "fifo", "folder"):
        with pytest.raises(PepperError):
            load_or_create_pepper(tmp_path / name)


def test_a_file_system_that_cannot_link_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuses)
    with pytest.raises(PepperError, match="OTPCORE_PEPPER"):
        load_or_create_pepper(tmp_path / "pepper")
    assert not list(tmp_path.iterdir())


# --- how it is written --------------------------------------------------------------------------


@pytest.mark.parametrize("text", [BASE64URL, BASE64URL + "=", RAW.hex(), RAW.hex().upper()])
def test_base64url_and_hexadecimal_are_read(text: str) -> None:
    assert pepper_bytes(text) == RAW


def test_what_the_message_recommends_is_accepted() -> None:
    assert len(pepper_bytes(secrets.token_urlsafe(32))) == 32


SHORT = [
    "hunter2hunter2",
    BASE64URL[:42],
    RAW.hex()[:62],
    "x" * 64,
    "0" * 64,
    "correct horse battery staple " * 3,
    BASE64URL + "AA",
]


@pytest.mark.parametrize("text", SHORT)
def test_a_short_or_misshapen_pepper_is_refused_with_a_recipe_and_without_the_text(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    for name in ("OTPCORE_PREVIOUS_PEPPERS", "OTPCORE_PEPPER"):
        monkeypatch.setenv(name, text)
        with pytest.raises(PepperError) as refused:
            load_settings()
        assert f"{name}: must be 32 or more random bytes" in str(refused.value)
        assert "secrets.token_urlsafe(32)" in str(refused.value)
        assert text not in str(refused.value)
        assert refused.value.__context__ is None


def test_a_pepper_error_among_others_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPCORE_PEPPER", "short")
    with pytest.raises(ConfigurationError) as refused:
        load_settings(code_digits=5)
    assert type(refused.value) is ConfigurationError


# --- which one is in force ----------------------------------------------------------------------


def settings(tmp_path: Path, **given: Any) -> Settings:
    return load_settings(data_dir=tmp_path / "data", **given)


@pytest.mark.parametrize("store", [EMBEDDED, SHARED, VOLATILE])
def test_a_configured_pepper_is_in_force_on_every_store(tmp_path: Path, store: StoreCapabilities) -> None:
    assert pepper_for(settings(tmp_path, pepper=BASE64URL), store) == RAW
    assert not (tmp_path / "data").exists()


def test_a_shared_store_without_a_configured_pepper_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PepperError, match=r"OTPCORE_PEPPER.*token_urlsafe"):
        pepper_for(settings(tmp_path), SHARED)
    assert not (tmp_path / "data").exists()


def test_a_volatile_store_needs_none(tmp_path: Path) -> None:
    assert pepper_for(settings(tmp_path), VOLATILE) is None


def test_an_embedded_store_has_one_made_beside_it_or_in_the_data_folder(tmp_path: Path) -> None:
    beside = pepper_for(settings(tmp_path), EMBEDDED, beside=tmp_path / "store" / "otp.otpdb")
    assert beside == load_or_create_pepper(tmp_path / "store" / "pepper")
    assert pepper_for(settings(tmp_path), EMBEDDED) == load_or_create_pepper(tmp_path / "data" / "pepper")


def test_previous_peppers_come_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    old = bytes(reversed(RAW))
    monkeypatch.setenv("OTPCORE_PREVIOUS_PEPPERS", f"{old.hex()}, {BASE64URL}")
    assert load_settings().previous() == (old, RAW)
