"""A PostgreSQL primary with a streaming standby, which takes its place when the machine of the primary is lost.

Rules of this file: loopback only; what is started here is ended here. The servers refuse to run as root, and run as
`postgres` then.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from otpcore.ports import Store
from otpcore_sql import SQLSettings
from otpcore_sql.settings import build
from tests.redis_servers import DEADLINE_S, PATIENCE_S, free_port, until
from tests.slow_link import SlowLink

__all__ = ["PostgresPair", "PostgresServer", "programs"]


def programs() -> Path:
    """Where the server's programs are; the test is skipped without them, unless services are required."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return found[-1].parent
    if os.environ.get("OTPCORE_REQUIRE_SERVICES") == "1":
        pytest.fail("PostgreSQL is not installed, and services are required here")
    pytest.skip("PostgreSQL is not installed")


class PostgresServer:
    """One server of its own, in a folder of its own.

    Args:
        folder: for its data; made here.
        follows: the port of the primary that it is a standby of.
        options: of its configuration.
    """

    def __init__(self, folder: Path, *, follows: int | None = None, options: dict[str, str] | None = None) -> None:
        self.port = free_port()
        self._data = folder / "data"
        self._terms: dict[str, Any] = {}
        folder.mkdir()
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            self._terms = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        if follows is None:
            self._run("initdb", "--pgdata", self._data, "--auth=trust", "--username=postgres", "--no-sync")
        else:
            where = f"host=127.0.0.1 port={follows} user=postgres"
            self._run("pg_basebackup", "-D", self._data, "-d", where, "-R", "-c", "fast", "--no-sync")
        given = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            **(options or {}),
        }
        self._log = (folder / "log").open("ab")
        command = [str(programs() / "postgres"), "-D", str(self._data)]
        command += [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, cwd=folder, **self._terms)
        try:
            until(self._answers, "PostgreSQL answers")
        except BaseException:
            self.kill()
            raise

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def pids(self) -> list[int]:
        """Its processes: the first, and its children."""
        first = self._process.pid
        return [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]

    def ask(self, statement: str) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []

    def kill(self) -> None:
        """As if the machine had lost its power: none of its processes has a moment to say goodbye."""
        if self._process.returncode is not None:
            return
        for pid in self.pids:
            with suppress(ProcessLookupError):  # a backend whose client had left ends by itself
                os.kill(pid, signal.SIGKILL)
        self._ended()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._ended()

    def _ended(self) -> None:
        self._process.wait(DEADLINE_S)
        self._log.close()

    def _answers(self) -> bool:
        assert self._process.poll() is None, Path(self._log.name).read_text()
        try:
            return self.ask("SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            return False

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(programs() / program), *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, cwd=self._data.parent, **self._terms)


class PostgresPair:
    """A primary and its standby; `tests.redis_pairs.Pair` of PostgreSQL.

    Args:
        folder: for the servers.
        delay_ms: of the link, each way.
    """

    def __init__(self, folder: Path, *, delay_ms: float = 0) -> None:
        folder.chmod(0o755)  # the servers run as another user
        self._folder = folder
        self._delay_ms = delay_ms
        self._made = 1
        self.primary = PostgresServer(folder / "0", options={"hot_standby": "on"})
        self.attach()

    def store(self, *, wait: bool, timeout_s: float = PATIENCE_S) -> Store:
        """Of the primary; with a wait, what it acknowledges is at the standby."""
        self.primary.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{'*' if wait else ''}'")
        self.primary.ask("SELECT pg_reload_conf()")
        shown = [(("*" if wait else ""),)]
        until(lambda: self.primary.ask("SHOW synchronous_standby_names") == shown, "the setting holds")
        return build(SQLSettings(url=SecretStr(self.primary.url), connections=16, timeout_s=timeout_s))

    def cut(self) -> None:
        """From now on nothing that the primary writes reaches the standby; what it wrote before has."""
        ((written,),) = self.primary.ask("SELECT pg_current_wal_lsn()::text")
        replayed = f"SELECT pg_last_wal_replay_lsn() >= '{written}'::pg_lsn"
        until(lambda: self.standby.ask(replayed) == [(True,)], "the standby has what was written")
        self.link.cut()

    def fail_over(self) -> None:
        """The primary's machine is lost; the standby is promoted. It has no standby yet."""
        self.link.cut()
        self.primary.kill()
        self.link.close()
        self.standby.ask("SELECT pg_promote()")
        self.primary = self.standby

    def attach(self) -> None:
        """Give the primary a standby, and wait until it follows."""
        self.link = SlowLink(self.primary.port, delay_ms=self._delay_ms)
        self.standby = PostgresServer(self._folder / str(self._made), follows=self.link.port)
        self._made += 1
        until(lambda: self.primary.ask("SELECT state FROM pg_stat_replication") == [("streaming",)], "it follows")

    def empty(self) -> None:
        """Nothing to do: a large table costs the next standby nothing that matters here."""

    def stop(self) -> None:
        self.link.close()
        self.standby.kill()
        self.primary.kill()
