"""The file that `start` writes the token to: it is there before a code is sent, and never overwritten."""

from __future__ import annotations

import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from otpcore.cli import verifying
from otpcore.cli.exits import Exit
from otpcore.engine import Engine
from otpcore.errors import Busy, UsageError
from tests.cli.running import NUMBER, Cli


@contextmanager
def written_afterwards(file: Path) -> Generator[Callable[[str], None]]:
    """The planted defect: the file is made when the code was sent."""

    def keep(token: str) -> None:
        file.write_text(token)

    yield keep


@pytest.mark.parametrize("place", ["no such folder/token", "a file/token", "a folder", "a link"])
@pytest.mark.parametrize("planted", [False, True], ids=["the command line", "the planted defect"])
def test_nothing_is_sent_where_the_token_would_have_no_place(
    planted: bool, place: str, otpcore: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a link").symlink_to("a folder")
    if planted:
        monkeypatch.setattr(verifying, "token_into", written_afterwards)
    ran = otpcore("start", NUMBER, "--token-file", str(tmp_path / place))
    assert ("code" in ran.err.partition("otpcore: ")[0]) is planted  # the console provider shows what it sends
    if not planted:
        assert (ran.code, ran.out, ran.err.count("\n")) == (Exit.USAGE, "", 1)
        assert otpcore("start", NUMBER).code is Exit.OK  # no limit was used


def test_a_token_file_that_holds_something_is_kept(otpcore: Cli, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("otps_of another session\n")
    ran = otpcore("start", NUMBER, "--token-file", str(file))
    assert (ran.code, "is not empty: name another, or remove it" in ran.err) == (Exit.USAGE, True)
    assert file.read_text() == "otps_of another session\n"


def test_an_empty_file_takes_the_token_and_becomes_private(otpcore: Cli, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch(mode=0o644)
    assert otpcore("start", NUMBER, "--token-file", str(file)).code is Exit.OK
    assert file.read_text().startswith("otps_")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("arguments", [("+19005550123",), ("12",), (NUMBER, "--by-recipient"), (NUMBER,)])
def test_without_a_token_the_file_is_taken_away(
    arguments: tuple[str, ...], otpcore: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_given: object, **_more: object) -> None:
        raise Busy

    if arguments == (NUMBER,):
        monkeypatch.setattr(Engine, "start", busy)
    file = tmp_path / "token"
    otpcore("start", *arguments, "--token-file", str(file))
    assert not file.exists()
    file.touch()
    otpcore("start", *arguments, "--token-file", str(file))
    assert file.read_text() == ""


def test_a_token_that_could_not_be_kept_after_all_is_shown(
    otpcore: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def full(file: Path) -> Generator[Callable[[str], None]]:
        def keep(_token: str) -> None:
            raise UsageError(f"The token file {file} cannot be written (OSError).")

        yield keep

    monkeypatch.setattr(verifying, "token_into", full)
    ran = otpcore("start", NUMBER, "--token-file", str(tmp_path / "token"), "--json")
    assert (ran.code, ran.json["token"].startswith("otps_")) == (Exit.TROUBLE, True)
    assert "otpcore: The token file" in ran.err
