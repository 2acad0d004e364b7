"""Whether the file of a store can be written, or made, where the settings say.

Rules of this file: it asks the operating system and makes nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["obstacle"]

_EFFECTIVE = os.access in os.supports_effective_ids


def obstacle(file: Path) -> str | None:
    """What keeps this process from writing a file and others beside it; None: nothing that can be seen.

    Args:
        file: the store's own; its lock, its copies and the pepper lie in the same folder.
    """
    file = Path(os.path.realpath(file))  # as the store does: a link is followed
    try:
        if file.exists() and not _may(file, os.W_OK):
            return f"{file} cannot be written"
        folder = next(each for each in file.parents if each.exists())
        if not folder.is_dir():
            return f"{folder} is no folder"
    except OSError as error:
        return f"{file} cannot be looked at ({type(error).__name__})"
    return None if _may(folder, os.W_OK | os.X_OK) else f"the folder {folder} cannot be written"


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=_EFFECTIVE)
