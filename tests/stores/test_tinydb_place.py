"""Where the embedded store's file lies: who may read it, and what is refused in its place."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from otpcore.errors import ConfigurationError, StoreFormatError, StoreUnavailable
from otpcore.stores import log, place
from otpcore.stores.tinydb import TinyDBStore
from tests.stores.putting import put


def test_folders_and_files_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "store.otpdb"
    before = os.umask(0)
    try:
        TinyDBStore(path).close()
    finally:
        os.umask(before)
    modes = [one.stat().st_mode & 0o777 for one in (path.parent.parent, path.parent, path, Path(f"{path}.lock"))]
    assert [oct(mode) for mode in modes] == ["0o700", "0o700", "0o600", "0o600"]


def test_an_empty_file_that_somebody_made_is_begun(path: Path) -> None:
    path.touch()
    store = TinyDBStore(path)
    put(store, "key", b"{}")
    store.close()


def test_a_link_goes_on_naming_the_file(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    store = TinyDBStore(link)
    put(store, "key", b"{}")
    store.log.compact()
    store.close()
    assert link.is_symlink()
    again = TinyDBStore(path)
    assert again.load("key") is not None
    again.close()


def test_what_cannot_be_opened_is_unavailable_and_named(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreUnavailable, match=str(path)):
        TinyDBStore(path / "store.otpdb")


def make_device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root may make a device")


def make_socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


NO_FILES: dict[str, Callable[[Path], None]] = {
    "folder": Path.mkdir,
    "device": make_device,
    "pipe": os.mkfifo,
    "socket": make_socket,
}


def check_refused(path: Path, kind: str) -> None:
    """Whatever has the path keeps it, and nothing was made beside it."""
    before = path.lstat()
    with pytest.raises(ConfigurationError, match=f"is a {kind}"):
        TinyDBStore(path).close()
    after = path.lstat()
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (before.st_ino, before.st_mode, before.st_mtime_ns)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_file_is_refused_and_left_alone(kind: str, path: Path) -> None:
    NO_FILES[kind](path)
    check_refused(path, kind)


@pytest.mark.parametrize("kind", NO_FILES)
def test_a_link_to_what_is_no_file_is_refused_too(kind: str, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "target"
    target.parent.mkdir()
    NO_FILES[kind](target)
    path.symlink_to(target)
    with pytest.raises(ConfigurationError, match=f"{target} is a {kind}"):
        TinyDBStore(path)
    assert [one.name for one in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize("kind", ["device", "pipe", "socket"])
def test_a_store_that_does_not_look_what_it_replaces_fails_that(
    kind: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(_path: str, _mode: int) -> None:
        pass

    for module_ in (place, log):
        monkeypatch.setattr(module_, "require_regular", nothing)
    NO_FILES[kind](path)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check_refused(path, kind)


MOUNTS = """\
/dev/vda1 / ext4 rw 0 0
server:/export /srv/shared nfs4 rw 0 0
tmpfs /srv/shared/local tmpfs rw 0 0
//server/share /mnt/with\\040space cifs rw 0 0
me@host:/ /home/me/remote fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv", None),
        ("/srv/shared", "nfs4"),
        ("/srv/shared/app/data", "nfs4"),
        ("/srv/shared-not", None),
        ("/srv/shared/local", None),
        ("/mnt/with space/x", "cifs"),
        ("/home/me/remote", "fuse.sshfs"),
    ],
)
def test_a_network_file_system_is_known_by_the_deepest_mount(folder: str, kind: str | None) -> None:
    assert place.network_file_system(folder, MOUNTS) == kind


def test_a_network_file_system_is_refused(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/export {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(place, "MOUNTS", mounts)
    with pytest.raises(ConfigurationError, match="nfs4"):
        TinyDBStore(path)
    assert not path.exists()


# --- what is not ours ------------------------------------------------------------------------------

FOREIGN = {
    "a stock TinyDB file": (b'{"_default": {"1": {"n": 1}}}', "stock TinyDB"),
    "a stock TinyDB file with lines": (b'{\n "_default": {}\n}', "stock TinyDB"),
    "text": (b"hello\n", "another kind"),
    "an SQLite file": (b"SQLite format 3\x00" + bytes(100), "another kind"),
    "a newer schema": (b'{"format": "otpcore-tinydb-log", "schema": 2, "new": []}\n', "schema 2"),
    "a header without its id": (b'{"format": "otpcore-tinydb-log", "schema": 1}\n', "schema 1"),
    "half a header": (b'{"format": "otpcore-tinydb-log", "sch', "stock TinyDB"),
    "an array": (b"[]\n", "another kind"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_is_not_ours_is_refused_and_left_alone(name: str, path: Path) -> None:
    content, words = FOREIGN[name]
    path.write_bytes(content)
    with pytest.raises(StoreFormatError, match=words):
        TinyDBStore(path)
    assert path.read_bytes() == content
