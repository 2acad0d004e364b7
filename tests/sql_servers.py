"""PostgreSQL, MariaDB and PgBouncer of the tests' own, which they may stop, kill and cut off.

Rules of this file: loopback only; what is started here is ended here, by its process id. The servers refuse to run as
root: there they become the user whom their package made, who may not pass through pytest's folders. So their data is
in folders of `place_of`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from tests.legacy.services import PLAIN
from tests.redis_servers import free_port, needed

__all__ = ["SECRET", "MariaDB", "PgBouncer", "PostgreSQL", "Server", "place_of"]

DEADLINE_S = 60


def found(program: str) -> str:
    """The path of a program of a server, which need not be on the PATH; without it the test is skipped."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: int(path.parts[4]))
    path = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin"]))
    return str(places[-1]) if places else path or needed(program)


@contextmanager
def place_of(name: str) -> Generator[Path]:
    """A new folder that other users may pass through; removed with all that is in it."""
    with tempfile.TemporaryDirectory(prefix=f"otpcore-{name}-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o755)
        yield Path(made)


class Server:
    """A server in a folder of `place_of`.

    Attributes:
        port: where it listens.
    """

    user: ClassVar[str]

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "server.log"
        self._prepare()
        self.start()

    def _prepare(self) -> None:
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _as_user(self, command: list[str]) -> list[str]:
        if os.getuid() != 0:
            return command
        return [needed("setpriv"), "--reuid", self.user, "--regid", self.user, "--clear-groups", "--", *command]

    def _own(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        if os.getuid() == 0:
            shutil.chown(folder, self.user, self.user)

    def _run(self, *command: str) -> None:
        with self._log.open("ab") as log:
            subprocess.run(self._as_user(list(command)), stdout=log, stderr=log, check=True, cwd="/")

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._as_user(self._command()), stdout=log, stderr=log, cwd="/")
        until = time.monotonic() + DEADLINE_S
        try:
            while not self._answers():
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < until, self._log.read_text()
                time.sleep(0.02)
        except BaseException:
            self._end(signal.SIGKILL)
            raise

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def kill(self) -> None:
        """As if the machine had lost its power, but for what the system still writes."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(DEADLINE_S)
            self._process = None


class PostgreSQL(Server):
    """A cluster that trusts everybody on the loopback."""

    user = "postgres"

    @property
    def url(self) -> str:
        return f"postgresql://postgres:{SECRET}@127.0.0.1:{self.port}/postgres"

    def _prepare(self) -> None:
        data = self._folder / "data"
        self._own(data)
        self._run(found("initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "-N")

    def _command(self) -> list[str]:
        data = self._folder / "data"
        common = ["-D", str(data), "-p", str(self.port), "-h", "127.0.0.1", "-k", str(data)]
        small = ["-c", "shared_buffers=8MB", "-c", "max_connections=40"]
        return [found("postgres"), *common, *small, *self._options]

    def _answers(self) -> bool:
        import psycopg

        with suppress(psycopg.Error), psycopg.connect(self.url, connect_timeout=2):
            return True
        return False

    def start(self) -> None:
        """Again while sessions of a killed server have not seen that it has gone: they hold its memory."""
        until = time.monotonic() + DEADLINE_S
        while True:
            told = len(self._log.read_bytes())
            try:
                super().start()
            except AssertionError:
                held = b"pre-existing shared memory block" in self._log.read_bytes()[told:]
                if not held or time.monotonic() > until:
                    raise
            else:
                return

    def stop(self) -> None:
        """At once: sessions are ended, and told so."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """The postmaster, and with it its children, which see that it has gone."""
        super().kill()
        until = time.monotonic() + DEADLINE_S
        while self._answers():
            assert time.monotonic() < until
            time.sleep(0.02)


class MariaDB(Server):
    """A server whose root has no password."""

    user = "mysql"

    @property
    def url(self) -> str:
        return f"mariadb://root@127.0.0.1:{self.port}/mysql?{PLAIN}"

    def _prepare(self) -> None:
        self._own(self._folder / "mariadb")
        plain = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        self._run(found("mariadb-install-db"), "--no-defaults", f"--datadir={self._folder}/mariadb/data", *plain)

    def _command(self) -> list[str]:
        data = self._folder / "mariadb"
        place = [f"--datadir={data}/data", f"--socket={data}/s", f"--pid-file={data}/pid", f"--port={self.port}"]
        small = ["--bind-address=127.0.0.1", "--skip-log-bin", "--innodb-buffer-pool-size=16M"]
        return [found("mariadbd"), "--no-defaults", *place, *small, *self._options]

    def _answers(self) -> bool:
        """It listens before it can be stopped: a SIGTERM that comes so early is lost."""
        import pymysql  # type: ignore[import-untyped]  # it brings no types

        with suppress(pymysql.Error, OSError):
            pymysql.connect(host="127.0.0.1", port=self.port, user="root", connect_timeout=2).close()
            return True
        return False


class PgBouncer(Server):
    """In front of a database, in transaction mode, with two connections to it.

    Args:
        folder: of its own.
        target: host, port, user and database, as `name=value`.
    """

    user = "postgres"

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/pooled"

    def _prepare(self) -> None:
        self._own(self._folder / "bouncer")
        (target,) = self._options
        (self._folder / "bouncer" / "bouncer.ini").write_text(
            f"[databases]\npooled = {target}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\n"
            "unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n"
        )

    def _command(self) -> list[str]:
        return [found("pgbouncer"), str(self._folder / "bouncer" / "bouncer.ini")]


SECRET = "s3cret-of-the-tests"
