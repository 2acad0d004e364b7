"""Where the embedded store's file may lie, and how its folder and files are made.

Rules of this file: nothing here opens or reads the store's own file.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from otpcore.errors import ConfigurationError, StoreUnavailable

__all__ = ["network_file_system", "prepare", "require_regular", "sync_folder"]

MOUNTS: Final = Path("/proc/self/mounts")
KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}
NETWORK: Final = frozenset(
    {
        *(
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "smbfs",
            "afs",
            "9p",
            "ceph",
            "glusterfs",
            "lustre",
            "beegfs",
            "gpfs",
            "ncpfs",
        ),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.ceph", "fuse.davfs"),
    }
)
"""Types of file system on which a lock of one machine need not hold on another."""


def prepare(path: str | os.PathLike[str]) -> str:
    """Make the missing folders (mode 0700) and return the file's real path.

    Links are followed, because a compaction renames a new file into place: it must replace the file, not a
    link to it.

    Raises:
        ConfigurationError: the folder is on a network file system, or the path names something other than a file.
        StoreUnavailable: a folder cannot be made, or not be looked into.
    """
    real = Path(os.path.realpath(Path(path).expanduser()))
    try:
        for folder in reversed(real.parents):
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"cannot make the folder of {real}: {error.strerror}") from error
    try:
        require_regular(str(real), real.stat().st_mode)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StoreUnavailable(f"{real}: {error.strerror}") from error
    mounts = MOUNTS.read_text(errors="surrogateescape") if MOUNTS.exists() else ""
    if (kind := network_file_system(str(real.parent), mounts)) is not None:
        raise ConfigurationError(
            f"{real} is on a network file system ({kind}), where file locks and renames cannot be relied on:"
            " put the store on a local disk, or use a store made for several machines"
        )
    return str(real)


def require_regular(path: str, mode: int) -> None:
    """Refuse what no store can be: a rename would replace a device by a file, and a pipe would be waited for.

    Args:
        path: to name in the error.
        mode: its `st_mode`.

    Raises:
        ConfigurationError: it is a folder, a device, a pipe or a socket.
    """
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise ConfigurationError(f"{path} is {kind}: name a regular file for the store, or one to be made")


def network_file_system(folder: str, mounts: str) -> str | None:
    """The type of the network file system that holds `folder`; None: it is local, or nobody knows.

    Args:
        folder: absolute, without links.
        mounts: the text of /proc/self/mounts.
    """
    best, kind = "", None
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:  # noqa: PLR2004 - device, mount point, type
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[1])
        inside = folder == point or folder.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # a later mount on the same point hides the earlier
            best, kind = point, fields[2]
    return kind if kind in NETWORK else None


def sync_folder(path: str) -> None:
    """Make the name of `path` survive a power loss."""
    fd = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)  # noqa: PTH120 - a string in, no Path needed
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
