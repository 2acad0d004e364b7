"""The pepper: how one is written, and the file that keeps the one that was made on this machine.

Rules of this file: a pepper is never shown and its file never overwritten; `otpcore.settings` decides which pepper
is in force. Nothing here reads the environment.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from base64 import urlsafe_b64decode
from contextlib import suppress
from pathlib import Path
from typing import Final

from otpcore.errors import PepperError

__all__ = ["MAKE_PEPPER", "load_or_create_pepper", "pepper_bytes"]

PEPPER_BYTES: Final = 32
"""Shortest pepper: 256 bits, the key size of HMAC-SHA-256 (RFC 2104 section 3)."""
PEPPER_VARIETY: Final = 8
"""Fewer distinct bytes than this are a placeholder; 32 random ones have that few once in 10^60."""
MAKE_PEPPER: Final = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'

_HEX = re.compile(r"[0-9a-fA-F]+")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{43,}={0,2}")


def pepper_bytes(text: str) -> bytes:
    """The bytes of a pepper written in hexadecimal or base64url.

    Raises:
        ValueError: says what is wrong and how to make one; holds nothing of the text.
    """
    raw = b""
    with suppress(ValueError):  # an odd number of digits, or a length that no base64 has
        if _HEX.fullmatch(text):  # first: 62 digits are 31 bytes, though base64url would make 46 of them
            raw = bytes.fromhex(text)
        elif _BASE64URL.fullmatch(text):
            bare = text.rstrip("=")
            raw = urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    if len(raw) < PEPPER_BYTES or len(set(raw)) < PEPPER_VARIETY:
        raise ValueError(
            f"must be {PEPPER_BYTES} or more random bytes as 43 or more base64url characters, "
            f"or 64 or more hexadecimal digits; {MAKE_PEPPER}"
        )
    return raw


def load_or_create_pepper(path: Path) -> bytes:
    """The pepper in a file, made at the first call.

    Atomic: of several processes that come at once one makes it and all get that one; a crash leaves the whole
    file or none. The file can only be read by its owner (mode 0600) and is never overwritten: without it, every
    record is out of reach and every limit starts again.

    Raises:
        PepperError: others may read the file, it is no regular file, it holds no pepper, or it cannot be made.
    """
    try:
        with suppress(FileNotFoundError):
            return _load_pepper(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create_pepper(path)
        return _load_pepper(path)
    except OSError as error:
        raise PepperError(
            f"The pepper at {path} cannot be read or made ({error.strerror}). Correct that, or set OTPCORE_PEPPER."
        ) from error


def _load_pepper(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise PepperError(f"The pepper at {path} is no regular file.")
        if mode & 0o077:
            raise PepperError(f"Others may read the pepper at {path} (mode {mode & 0o777:o}). Run: chmod 600 {path}")
        text = file.read(1024)
    try:
        return pepper_bytes(text.decode("ascii").strip())
    except ValueError:
        raise PepperError(f"The file {path} holds no pepper any more; restore it from a backup.") from None


def _create_pepper(path: Path) -> None:
    """Put a whole file in place, or leave the one that another process put there."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            os.fchmod(descriptor, 0o600)  # whatever the umask
            file.write(secrets.token_urlsafe(PEPPER_BYTES) + "\n")
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):  # unlike a rename, a link does not replace
            os.link(temporary, path)
    finally:
        temporary.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
