"""`legacy import`: what it reads, says and leaves with; no password is seen; a dry run writes nothing."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from otpcore.cli.exits import Exit
from otpcore.cli.legacy import DATABASE_VARIABLE
from otpcore.codes import counter_id
from otpcore.stores.tinydb import TinyDBStore
from tests.cli.running import Cli, Ran
from tests.cli.test_secrets import PROGRAM, perform, watching
from tests.legacy.moved import MovedClock, desk_over, stands
from tests.legacy.services import KINDS, OldDatabase, opened

PATIENCE_S = 60
DOUALA = ("--zone", "Africa/Douala")
GOOD = [
    (1, "hash-a", "user-a", 5, "2026-06-01 13:05:00", None),
    (2, "hash-a", "user-a", 1, None, None),
    (3, "hash-b", "user-b", 2, None, None),
]
BAD = [(4, "", "user-c", 1, None, None), (5, "hash-d", "", 1, None, None), (6, "", "user-e", 1, None, None)]


@pytest.fixture
def old(tmp_path: Path) -> Iterator[OldDatabase]:
    """A SQLite file with three good rows of two pairs."""
    with opened("sqlite", tmp_path) as made:
        made.execute(f"ALTER TABLE {made.table} RENAME TO svretries")
        made.table = "svretries"
        made.fill(GOOD)
        yield made


@pytest.fixture
def addressed(old: OldDatabase, monkeypatch: pytest.MonkeyPatch) -> OldDatabase:
    """The same, and the variable that says where."""
    monkeypatch.setenv(DATABASE_VARIABLE, old.address)
    return old


def store_file(tmp_path: Path) -> Path:
    return tmp_path / "store" / "codes.otpdb"


# --- what it says and leaves with ---------------------------------------------------------------


def test_people_are_told_what_became_of_every_row(addressed: OldDatabase, otpcore: Cli, tmp_path: Path) -> None:
    addressed.fill(BAD)
    ran = otpcore("legacy", "import", *DOUALA)
    assert (ran.code, ran.err) == (Exit.NO, "")
    until = re.findall(r"until (\d{4}-\d\d-\d\d \d\d:\d\d)\.$", ran.out, re.MULTILINE)
    assert ran.out.splitlines() == [
        "Read 6 rows of svretries, with the clock of Africa/Douala.",
        "  imported           2  records made",
        "  merged             1  further rows of a pair, in the same record",
        "  tightened          0  records that were here and are stricter now",
        "  unchanged          0  records that were here and are as strict",
        "  gone               0  imported before and deleted since; not brought back",
        "  refused            3  left where they are",
        "    uniqueId is empty: id 4, 6",
        "    userId is empty: id 5",
        f"Old ids: 3 lead to their records until {until[0]}.",
    ]
    store = TinyDBStore(store_file(tmp_path))
    desk = desk_over(MovedClock(), store)
    found = [desk.counter(each) for each in (1, 2, 3)]
    desk.close()
    assert [(each.counter.unique_id, each.ladder.count) for each in found if each and each.counter] == [
        *(("hash-a", 4), ("hash-a", 4), ("hash-b", 2)),
    ]


def test_programs_are_told_the_same_in_utc(addressed: OldDatabase, otpcore: Cli) -> None:
    addressed.fill(BAD[:1])
    ran = otpcore("legacy", "import", *DOUALA, "--json", "--keep-ids-days", "7")
    assert ran.code is Exit.NO
    told = ran.json
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told["old_ids"].pop("until"))
    assert told == {
        "result": "imported",
        "dry_run": False,
        "changed": True,
        "table": "svretries",
        "zone": "Africa/Douala",
        "read": 4,
        "imported": 2,
        "merged": 1,
        "tightened": 0,
        "unchanged": 0,
        "gone": 0,
        "refused": [{"id": 4, "reason": "uniqueId is empty"}],
        "old_ids": {"kept": 3, "taken": []},
    }


def test_a_second_run_says_that_nothing_was_changed_and_changes_nothing(
    addressed: OldDatabase, otpcore: Cli, tmp_path: Path
) -> None:
    first = otpcore("legacy", "import", *DOUALA)
    before = store_file(tmp_path).read_bytes()
    second = otpcore("legacy", "import", *DOUALA)
    assert (first.code, second.code) == (Exit.OK, Exit.OK)
    assert "Nothing was changed." not in first.out
    assert second.out.splitlines()[-1] == "Nothing was changed."
    assert store_file(tmp_path).read_bytes() == before


def test_a_dry_run_reports_the_same_and_leaves_the_store_byte_for_byte(
    addressed: OldDatabase, otpcore: Cli, tmp_path: Path
) -> None:
    otpcore("legacy", "import", *DOUALA)
    tomorrow = str(datetime.now(UTC) + timedelta(days=1))
    addressed.fill([(7, "hash-a", "user-a", 1, tomorrow, None), (8, "hash-z", "user-z", 1, None, None)])
    before = store_file(tmp_path).read_bytes()
    dry = otpcore("legacy", "import", *DOUALA, "--dry-run")
    assert store_file(tmp_path).read_bytes() == before
    real = otpcore("legacy", "import", *DOUALA)
    assert dry.out == f"{real.out}A dry run: nothing was written.\n"
    assert "tightened          1" in dry.out
    assert store_file(tmp_path).read_bytes() != before  # the comparison sees a run that writes


def test_a_dry_run_makes_no_store_where_there_is_none(addressed: OldDatabase, otpcore: Cli, tmp_path: Path) -> None:
    ran = otpcore("legacy", "import", *DOUALA, "--dry-run", "--json")
    assert (ran.json["imported"], ran.json["dry_run"]) == (2, True)
    assert [each.name for each in tmp_path.iterdir()] == ["old.db"]


def test_an_id_that_leads_elsewhere_is_told_and_is_no_success(addressed: OldDatabase, otpcore: Cli) -> None:
    otpcore("legacy", "import", *DOUALA)
    addressed.execute("UPDATE svretries SET uniqueId = 'another' WHERE id = 3")
    ran = otpcore("legacy", "import", *DOUALA)
    assert ran.code is Exit.NO
    assert "Old ids that lead to another record already: 3." in ran.out


@pytest.mark.parametrize("order", [["a", "b"], ["b", "a"]], ids=str)
def test_a_dry_run_foretells_that_an_id_is_given_to_two_pairs(
    order: list[str], addressed: OldDatabase, otpcore: Cli
) -> None:
    addressed.execute("DELETE FROM svretries")
    addressed.fill([(1, pair, "user", 1, None, None) for pair in order])
    dry = otpcore("legacy", "import", *DOUALA, "--dry-run")
    real = otpcore("legacy", "import", *DOUALA)
    assert (dry.code, dry.out) == (Exit.NO, f"{real.out}A dry run: nothing was written.\n")
    assert (real.code, "Old ids that lead to another record already: 1." in real.out) == (Exit.NO, True)


def test_people_are_shown_twenty_ids_of_a_kind_and_programs_every_one(addressed: OldDatabase, otpcore: Cli) -> None:
    addressed.fill([(each, "", "user", 1, None, None) for each in range(1_001, 2_522)])
    addressed.fill([(each, "hash", "", 1, None, None) for each in range(1, 21)])
    addressed.fill([(each, f"hash-{pair}", "user", 1, None, None) for each in range(3_001, 3_031) for pair in "yz"])
    ran = otpcore("legacy", "import", *DOUALA)
    first = ", ".join(str(each) for each in range(1_001, 1_021))
    assert f"    uniqueId is empty: id {first} and 1,501 more\n" in ran.out
    assert f"    userId is empty: id {', '.join(str(each) for each in range(1, 21))}\n" in ran.out
    late = ", ".join(str(each) for each in range(3_001, 3_021))
    assert f"Old ids that lead to another record already: {late} and 10 more.\n" in ran.out
    told = otpcore("legacy", "import", *DOUALA, "--json").json
    assert [len(told["refused"]), len(told["old_ids"]["taken"])] == [1_541, 30]


def test_neither_provider_nor_pepper_is_needed_or_made(
    addressed: OldDatabase, otpcore: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTPCORE_PROVIDER", "twilio")
    monkeypatch.setenv("OTPCORE_PRODUCTION", "1")
    assert otpcore("legacy", "import", *DOUALA).code is Exit.OK
    assert sorted(each.name for each in (tmp_path / "store").iterdir()) == ["codes.otpdb", "codes.otpdb.lock"]


def test_the_records_are_the_tenant_s_and_have_the_ladder_of_the_settings(
    addressed: OldDatabase, otpcore: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTPCORE_TENANT", "another")
    monkeypatch.setenv("OTPCORE_PROFILE", "twilio")  # five waits
    assert otpcore("legacy", "import", *DOUALA).code is Exit.OK
    store = TinyDBStore(store_file(tmp_path))
    held = stands(store)
    desk = desk_over(MovedClock(), store)
    assert desk.counter(1) is None  # of the default tenant
    desk.close()
    (key,) = (each for each in held if each.endswith(f"/{counter_id('hash-a', 'user-a')}"))
    assert held[key][0] == 5


# --- what is given ------------------------------------------------------------------------------


def test_the_address_may_come_from_a_line_of_input_or_a_file(old: OldDatabase, otpcore: Cli, tmp_path: Path) -> None:
    piped = otpcore("legacy", "import", *DOUALA, "--dry-run", stdin=f"{old.address}\n")
    assert (piped.code, "imported           2" in piped.out) == (Exit.OK, True)
    file = tmp_path / "settings"
    file.write_text(f"{DATABASE_VARIABLE}={old.address}\n")
    filed = otpcore("--env-file", str(file), "legacy", "import", *DOUALA, "--dry-run")
    assert filed.out == piped.out
    none = otpcore("legacy", "import", *DOUALA)
    assert (none.code, DATABASE_VARIABLE in none.err) == (Exit.USAGE, True)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], Exit.USAGE, "--zone"),
        (["--zone", "Africa/Duala"], Exit.USAGE, "Did you mean Africa/Douala?"),
        (["--zone", "../../etc/passwd"], Exit.USAGE, "no time zone"),
        (["--zone", "+01:00"], Exit.USAGE, "IANA name"),
        ([*DOUALA, "--keep-ids-days", "0"], Exit.USAGE, "--keep-ids-days"),
        ([*DOUALA, "--table", "retries"], Exit.CONFIGURATION, "there are: svretries. Name it with --table"),
        ([*DOUALA, "--table", "x; DROP TABLE svretries"], Exit.CONFIGURATION, "There is no table"),
        ([*DOUALA, "--table", "a.b.c"], Exit.CONFIGURATION, "There is no table 'a.b.c'"),
        (["--database", "sqlite://"], Exit.USAGE, "No such option"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_one_line(
    arguments: list[str], code: Exit, told: str, addressed: OldDatabase, otpcore: Cli, tmp_path: Path
) -> None:
    ran = otpcore("legacy", "import", *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert told in ran.err
    assert not store_file(tmp_path).exists()


def test_the_doctor_knows_the_facade_s_variables(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE", "STRICT", "FIRST_RESEND_DURATION", "DATABSE"):
        monkeypatch.setenv(f"OTPCORE_LEGACY_{name}", "1")
    told = otpcore("doctor", "--json").json
    (finding,) = [each for each in told["findings"] if each["part"] == "variables"]
    assert re.findall(r"OTPCORE_LEGACY_\w+", finding["text"]) == ["OTPCORE_LEGACY_DATABSE", DATABASE_VARIABLE]


def test_without_a_command_the_help_is_shown(otpcore: Cli) -> None:
    ran = otpcore("legacy")
    assert (ran.code, "import" in ran.out) == (Exit.USAGE, True)


@pytest.mark.parametrize(
    ("missing", "told"), [("sqlalchemy", "SQLAlchemy"), ("werkzeug", "werkzeug"), ("pymysql", "pymysql")]
)
def test_a_package_that_is_missing_is_named_with_what_to_do(missing: str, told: str, tmp_path: Path) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; from otpcore.cli import main; main()"
    environment = {"PATH": os.environ["PATH"], DATABASE_VARIABLE: "mysql://u:geheim@127.0.0.1:1/d"}
    done = subprocess.run(
        [sys.executable, "-c", program, "legacy", "import", *DOUALA],
        env=environment | {"OTPCORE_TINYDB_PATH": str(tmp_path / "codes.otpdb")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == Exit.CONFIGURATION
    assert re.fullmatch(rf"otpcore: .*{told}: pip install 'otpcore\[legacy,legacy-import\]'\n", done.stderr)


# --- secrets ------------------------------------------------------------------------------------


@pytest.mark.service
@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_password_is_in_nothing_that_is_printed(
    kind: str, otpcore: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with opened(kind, tmp_path) as server:
        server.fill([*GOOD, *BAD])
        good = sa.make_url(server.address)
        ran: list[Ran] = []
        for url in (good, good.set(database="nowhere"), good.set(port=1), good.set(drivername="oracle")):
            monkeypatch.setenv(DATABASE_VARIABLE, url.render_as_string(hide_password=False))
            ran += [
                otpcore(*before, "legacy", "import", *DOUALA, "--table", server.table, *after)
                for before, after in (((), ()), (("--debug", "--verbose"), ("--json",)))
            ]
        assert [each.code for each in ran] == [Exit.NO] * 2 + [Exit.TROUBLE] * 4 + [Exit.CONFIGURATION] * 2
        printed = "".join(each.out + each.err for each in ran)
        for secret in (server.password, server.password.replace("@", "%40").replace("/", "%2F")):
            assert secret not in printed
            assert secret.rpartition("/")[2] not in printed
        assert ran[2].err.count("\n") == 1
        assert ":***@" in ran[2].err


@pytest.mark.service
@pytest.mark.parametrize("careless", [False, True], ids=["the command", "the planted defect"])
def test_no_password_is_among_the_arguments_of_any_process(careless: bool, tmp_path: Path) -> None:
    with opened("mariadb", tmp_path) as server:
        server.fill(GOOD)
        words = ["legacy", "import", *DOUALA, "--table", server.table]
        given = {"OTPCORE_TINYDB_PATH": str(tmp_path / "codes.otpdb")}
        with watching() as seen:
            done = [
                perform(words, given=given, lines=[server.address]),
                perform(words, given={**given, DATABASE_VARIABLE: server.address}, lines=[]),
            ]
            if careless:
                subprocess.run([sys.executable, "-c", "import time; time.sleep(0.5)", server.address], check=True)
    assert [each.returncode for each in done] == [0, 0]
    assert any(server.table in each for each in seen)  # it was watched while it ran
    assert bool([each for each in seen if server.address in each]) is careless


def read_terminal(master: int) -> bytes:
    """What is shown next; nothing when the other end is closed."""
    assert select.select([master], [], [], PATIENCE_S)[0], "the terminal stays silent"
    try:
        return os.read(master, 1_024)
    except OSError:
        return b""


def test_a_prompt_on_a_terminal_does_not_show_what_is_typed_and_a_bar_is_drawn_there(
    old: OldDatabase, tmp_path: Path
) -> None:
    master, slave = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "OTPCORE_TINYDB_PATH": str(tmp_path / "codes.otpdb"), "TERM": "xterm"}
    command = [*PROGRAM, "legacy", "import", *DOUALA]
    with subprocess.Popen(
        command, stdin=slave, stderr=slave, stdout=subprocess.PIPE, env=environment, start_new_session=True
    ) as process:
        try:
            os.close(slave)
            shown = read_terminal(master)  # the prompt, for which the echo was turned off
            os.write(master, f"{old.address}\n".encode())
            while more := read_terminal(master):
                shown += more
            assert process.stdout is not None
            out = process.stdout.read().decode()
        finally:
            process.kill()  # it waits for a line that nobody types, if this failed
    os.close(master)
    assert b"not shown" in shown
    assert b"sqlite" not in shown
    assert b"reading" in shown
    assert "imported           2" in out
