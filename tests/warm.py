"""Modules run in processes of their own that are forked from one which has imported them before.

A new interpreter takes a second or two to import what most of these modules need; a fork takes milliseconds, and what
it opens, plants or kills is its own all the same.

Rules of this file: the process that is forked has one thread, has opened nothing, and runs nothing itself.
"""

from __future__ import annotations

import atexit
import importlib
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, cast

__all__ = ["run"]

ROOT = Path(__file__).parents[1]


def run(module: str, *args: object) -> subprocess.CompletedProcess[str]:
    """Call the module's `main` in a fork, with these words; as `subprocess.run` of `python -m module` tells it."""
    server = _server()
    with TemporaryDirectory() as folder:
        said, complained = Path(folder) / "stdout", Path(folder) / "stderr"
        words = [module, *map(str, args)]
        cast("IO[str]", server.stdin).write(json.dumps([words, str(said), str(complained)]) + "\n")
        code = cast("IO[str]", server.stdout).readline()
        assert code, f"nobody is left to run {module}"
        return subprocess.CompletedProcess(words, int(code), said.read_text(), complained.read_text())


@cache
def _server() -> subprocess.Popen[str]:
    """The process that is forked; it ends with this one."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    server = subprocess.Popen([sys.executable, "-m", "tests.warm"], cwd=ROOT, **pipes)
    atexit.register(server.communicate)
    return server


def _serve() -> None:
    """Fork for each order, one after the other, and tell the exit status of each."""
    context = multiprocessing.get_context("fork")
    for line in sys.stdin:
        (module, *args), said, complained = json.loads(line)
        main = importlib.import_module(module).main
        process = context.Process(target=_work, args=(main, args, said, complained))
        process.start()
        process.join()
        print(process.exitcode, flush=True)


def _work(main: Callable[..., None], args: list[str], said: str, complained: str) -> None:
    for fd, path in ((1, said), (2, complained)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, fd)
        os.close(file)
    main(*args)


if __name__ == "__main__":
    _serve()
