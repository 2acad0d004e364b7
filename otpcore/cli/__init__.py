"""The command line, `otpcore …`; it needs the extra `otpcore[cli]`.

Rules of this package: a code, a token or a secret comes by prompt, standard input, file or environment, never as an
argument, because every user of a machine can read its processes' arguments. Nothing here decides: it asks the
engine and says what the engine answered.
"""

from __future__ import annotations

import sys

from otpcore.cli.exits import Exit

__all__ = ["main"]

NEEDED = frozenset({"typer", "rich"})


def main() -> None:
    """Run the command line on `sys.argv` and leave with one of the codes of `Exit`."""
    try:
        from otpcore.cli.app import run  # noqa: PLC0415  # what it needs may not be installed
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDED:
            raise
        sys.stderr.write(f"otpcore: the command line needs {error.name}: pip install 'otpcore[cli]'\n")
        sys.exit(Exit.CONFIGURATION)
    sys.exit(run())
