"""The twelve rows of the legacy documentation, each by its number.

Rules of this file: a row has a test here, short, whatever else is proved of it beside this file. Row 11, the examples,
is `test_documented_examples`. The table that a legacy owner reads is docs/reference/legacy.md.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug import exceptions

from otpcore import legacy
from otpcore.errors import InvalidNumber
from otpcore.ledger import count_send
from otpcore.legacy import Desk, LegacySettings, OTP_Model, Svretries, use
from otpcore.model import Ladder, RecipientRecord
from otpcore.policy import DEFAULT, Profile
from otpcore.ports import CheckRequest, CheckVerdict, FailureKind, SendRequest
from otpcore.providers.fake import FakeProvider, Outcome
from otpcore.stores.memory import MemoryStore
from otpcore_twilio.emulator import Emulator, Scenario, serve
from tests.numbers import phone

ANNA, BEN = phone(1), phone(2)
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAIR = {"unique_id": "a hash of the number", "user_id": "user-7"}
SDK = ("status", "sid", "to", "channel", "valid", "send_code_attempts", "date_created", "service_sid")
DURATIONS = {"FIRST": 360_000_000, "SECOND": 360_001_000, "THIRD": 360_002_000, "FOURTH": 360_003_000}
"""Milliseconds; a hundred hours and more, which no test takes."""

pytestmark = pytest.mark.filterwarnings("ignore:OTP_Model is kept:DeprecationWarning")


class Town:
    """A vendor in memory, the desk before it, and the clock of both."""

    def __init__(self) -> None:
        self.now = START
        self.outcome: Outcome | None = None
        self.vendor = FakeProvider(script=self.script, clock=self.clock)
        self.desk = Desk(MemoryStore(), self.vendor, clock=self.clock)

    def clock(self) -> datetime:
        return self.now

    def script(self, request: SendRequest | CheckRequest) -> Outcome | None:
        return self.outcome

    def count_sends(self, otp: OTP_Model, times: int) -> list[tuple[int, timedelta]]:
        """Count sends, each as soon as it may be; the count and the wait after each."""
        seen: list[tuple[int, timedelta]] = []
        for _ in range(times):
            expires = datetime.fromtimestamp(float(otp.add_count(otp.check_count(**PAIR))), UTC)
            count = Svretries.get(Svretries.userId == PAIR["user_id"]).count
            seen.append((count, expires - self.now))
            self.now = expires + timedelta(milliseconds=1)
        return seen


@pytest.fixture
def town() -> Iterator[Town]:
    made = Town()
    use(lambda: made.desk)
    yield made
    use(None)


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Twilio, as the environment of an old application names it."""
    use(None)
    with serve() as running:
        for name, value in {**running.environment, "OTPCORE_STORE": "memory"}.items():
            monkeypatch.setenv(name, value)
        yield running
        use(None)


# --- 1 to 4: what an object is made of ---------------------------------------------------------


@pytest.mark.parametrize("otp", [lambda: OTP_Model(ANNA), lambda: OTP_Model(phone_number=ANNA)])
def test_row_1_an_object_is_made_by_position_and_by_keyword(town: Town, otp: Callable[[], OTP_Model]) -> None:
    assert otp().verification().to == ANNA


@pytest.mark.parametrize("number", ["0671234567", "+1", "", "anna", "+12025550123 or so"])
def test_row_1_a_bad_number_is_reported_when_it_is_used_with_the_reason(town: Town, number: str) -> None:
    otp = OTP_Model(number)
    for use_it in (otp.verification, lambda: otp.verification_check("123456")):
        with pytest.raises(exceptions.InternalServerError) as refused:
            use_it()
        assert isinstance(refused.value.__cause__, InvalidNumber)
        assert refused.value.description == str(refused.value.__cause__)
    assert not town.vendor.outbox


def test_row_1_one_number_has_one_spelling(town: Town) -> None:
    OTP_Model(ANNA).verification()
    with pytest.raises(exceptions.TooManyRequests):
        OTP_Model(f"{ANNA[:2]} ({ANNA[2:5]}) {ANNA[5:8]}-{ANNA[8:]}").verification()


def test_row_2_the_client_is_that_of_the_sdk(emulator: Emulator) -> None:
    client = OTP_Model(ANNA).client
    assert (type(client).__module__, type(client).__name__) == ("twilio.rest", "Client")
    assert client.account_sid == emulator.account_sid


def test_row_2_a_provider_without_a_client_is_an_attribute_error_that_names_it(town: Town) -> None:
    with pytest.raises(AttributeError, match=r"'default' has no client"):
        _ = OTP_Model(ANNA).client
    assert not hasattr(OTP_Model(ANNA), "client")


@pytest.mark.parametrize("number", [ANNA, f" {ANNA}", "0671234567"])
def test_row_3_the_number_is_as_it_was_given(number: str) -> None:
    assert OTP_Model(number).phone_number == number


def test_row_4_the_class_of_the_records_hangs_on_class_and_object() -> None:
    assert OTP_Model.Svretries is Svretries is OTP_Model(ANNA).Svretries


# --- 5 and 6: the code -------------------------------------------------------------------------


def test_row_5_a_verification_is_the_sdks_object_or_one_with_its_fields(emulator: Emulator) -> None:
    sent: Any = OTP_Model(ANNA).verification()
    assert type(sent).__module__.startswith("twilio.")
    double = Desk(MemoryStore(), FakeProvider())
    use(lambda: double)
    ours = OTP_Model(ANNA).verification()
    assert (ours.status, ours.to, ours.channel, ours.valid) == (sent.status, sent.to, sent.channel, sent.valid)
    assert (ours.status, ours.to, ours.channel, ours.valid) == ("pending", ANNA, "sms", False)
    assert [name for name in SDK if not hasattr(ours, name) or not hasattr(sent, name)] == []
    assert sent.sid
    assert ours.sid
    assert ours.send_code_attempts[0].keys() == sent.send_code_attempts[0].keys()


def test_row_5_a_limit_is_too_many_requests_which_say_when(town: Town) -> None:
    OTP_Model(ANNA).verification()
    town.now += timedelta(seconds=30.5)
    with pytest.raises(exceptions.TooManyRequests) as refused:
        OTP_Model(ANNA).verification()
    assert refused.value.retry_after == 90
    assert ("Retry-After", "90") in refused.value.get_headers()


@pytest.mark.parametrize("kind", [FailureKind.MISCONFIGURED, FailureKind.DESTINATION_BLOCKED, FailureKind.TIMEOUT])
def test_row_5_every_other_failure_is_an_internal_server_error(town: Town, kind: FailureKind) -> None:
    town.outcome = kind
    with pytest.raises(exceptions.InternalServerError) as failed:
        OTP_Model(ANNA).verification()
    assert isinstance(failed.value.__cause__, legacy.NotDone)


def test_row_6_the_right_code_is_approved_and_a_wrong_one_is_forbidden(town: Town) -> None:
    otp = OTP_Model(ANNA)
    otp.verification()
    right = town.vendor.code_for(ANNA)
    with pytest.raises(exceptions.Forbidden):
        otp.verification_check("000000" if right != "000000" else "000001")
    assert otp.verification_check(code=right).status == "approved"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, exceptions.Forbidden),
        (404, exceptions.Forbidden),
        (429, exceptions.Forbidden),
        (400, exceptions.InternalServerError),
        (401, exceptions.InternalServerError),
        (500, exceptions.InternalServerError),
        (503, exceptions.InternalServerError),
    ],
)
def test_row_6_what_the_vendor_forbids_is_forbidden_and_nothing_else_is(
    emulator: Emulator, status: int, error: type[exceptions.HTTPException]
) -> None:
    otp = OTP_Model(ANNA)
    otp.verification()
    emulator.faults.add(Scenario(outcome=status, operation="create_check"))
    with pytest.raises(error):
        otp.verification_check(emulator.latest_code(ANNA))


def test_row_6_what_nobody_can_decide_is_an_internal_server_error(town: Town) -> None:
    otp = OTP_Model(ANNA)
    otp.verification()
    town.outcome = CheckVerdict.UNKNOWN
    with pytest.raises(exceptions.InternalServerError):
        otp.verification_check("123456")


# --- 7 to 10: the counter ----------------------------------------------------------------------


def test_row_7_a_pair_has_one_record_which_is_made_at_its_first_check(town: Town) -> None:
    otp = OTP_Model(ANNA)
    first, second = otp.check_count(**PAIR), OTP_Model(BEN).check_count(**PAIR)
    assert first.id == second.id
    assert 0 < first.id < 2**63
    assert otp.check_count("another hash", "user-7").id != first.id


def test_row_7_a_wait_blocks_up_to_its_last_instant(town: Town) -> None:
    otp = OTP_Model(ANNA)
    otp.add_count(otp.check_count(**PAIR))
    town.now += timedelta(minutes=2)
    with pytest.raises(exceptions.TooManyRequests) as refused:
        otp.check_count(**PAIR)
    assert refused.value.retry_after == 1
    town.now += timedelta(milliseconds=1)
    assert otp.check_count(**PAIR).count == 1


def test_row_8_the_fifth_send_is_the_first_of_a_new_cycle(town: Town) -> None:
    minutes = [(count, wait.total_seconds() / 60) for count, wait in town.count_sends(OTP_Model(ANNA), 6)]
    assert minutes == [(1, 2), (2, 5), (3, 15), (4, 1440), (1, 2), (2, 5)]


def test_row_8_what_is_returned_is_a_text_that_counts(town: Town) -> None:
    town.now += timedelta(milliseconds=501)
    otp = OTP_Model(ANNA)
    expires = otp.add_count(otp.check_count(**PAIR))
    due = (START + timedelta(minutes=2)).timestamp()
    assert issubclass(type(expires), str)
    assert f"{expires}" == f"{due + 0.501}"
    assert int(round(expires)) * 1000 == (due + 1) * 1000  # noqa: RUF046  # as callers wrote it
    assert (int(expires), float(expires), round(expires, 1)) == (due, due + 0.501, due + 0.5)


def test_row_9_a_record_is_deleted_once_and_a_missing_one_is_forbidden(town: Town) -> None:
    otp = OTP_Model(ANNA)
    record = otp.check_count(**PAIR)
    with pytest.raises(exceptions.Forbidden):
        OTP_Model(BEN).delete_count(record.id)
    otp.delete_count(record.id)
    assert Svretries.get_or_none(Svretries.id == record.id) is None
    otp.delete_count(record.id)  # a double submit undoes no approval
    for missing in (record.id, 1, 0, -1, 2**63, 2**70):
        with pytest.raises(exceptions.Forbidden):
            OTP_Model(ANNA).delete_count(missing)


def test_row_10_the_documentations_own_name_of_the_id_works(town: Town) -> None:
    otp = OTP_Model(ANNA)
    record = otp.check_count(**PAIR)
    otp.delete_count(otp_counter=record.id)
    assert Svretries.get_or_none(Svretries.id == record.id) is None


@pytest.mark.parametrize("given", [{}, {"counter_id": 1, "otp_counter": 1}, {"counter_id": None}])
def test_row_10_one_id_is_needed_and_two_are_too_many(town: Town, given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="one id"):
        OTP_Model(ANNA).delete_count(**given)


# --- 12: import and environment ----------------------------------------------------------------


def test_row_12_the_import_reads_connects_and_creates_nothing(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "sys.addaudithook(lambda event, given: event.startswith('socket.connect') and sys.exit(event))\n"
        "from otpcore.legacy import OTP_Model, Svretries\n"
        "print(*sorted({'twilio', 'otpcore_twilio', 'requests', 'sqlalchemy'} & sys.modules.keys()))\n"
    )
    nonsense = {f"{name}_RESEND_DURATION": "nonsense" for name in DURATIONS} | {"OTPCORE_STORE": "nonsense"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), **nonsense},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")
    assert [*tmp_path.iterdir()] == []


def test_row_12_names_that_are_set_after_import_and_constructor_are_read_at_first_use(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    otp = OTP_Model(ANNA)
    for name, duration in DURATIONS.items():
        monkeypatch.setenv(f"{name}_RESEND_DURATION", str(duration))
    monkeypatch.setenv("ENABLE_OTP", "true")
    assert otp.verification().status == "pending"
    with pytest.raises(exceptions.TooManyRequests) as refused:  # the engine's ladder, not the records'
        otp.verification()
    left: Any = refused.value.retry_after
    assert 300_000 < left <= 360_000
    assert legacy.legacy_settings().enable_otp


def test_row_12_the_durations_are_milliseconds(town: Town) -> None:
    given = {f"{name.lower()}_resend_duration": duration for name, duration in DURATIONS.items()}
    ladder = LegacySettings.model_validate(given).policy(DEFAULT).ladder
    assert [wait.total_seconds() for wait in ladder] == [360_000, 360_001, 360_002, 360_003]


# --- that the rules above are seen to be broken ------------------------------------------------


def always(answer: object) -> Callable[..., object]:
    """Whatever it is given."""
    return lambda *_given, **_named: answer


def over_too_early(record: RecipientRecord, *, now: datetime) -> datetime | None:
    """A wait without its last instant."""
    at = record.ladder.next_at
    return at if at is not None and now < at else None


def fifth_is_free(record: RecipientRecord, profile: Profile, *, now: datetime, send: str) -> RecipientRecord:
    """The fifth send as the old class counted it: back to 0, and no wait."""
    counted = count_send(record, profile, now=now, send=send)
    return counted.but(ladder=Ladder()) if record.ladder.count == len(profile.ladder) else counted


@pytest.mark.parametrize(
    ("name", "wrong", "row"),
    [
        ("model._forbids", always(True), test_row_6_what_nobody_can_decide_is_an_internal_server_error),
        ("model.waits_until", over_too_early, test_row_7_a_wait_blocks_up_to_its_last_instant),
        ("model.Timestamp.of", always(f"{START.timestamp()}"), test_row_8_what_is_returned_is_a_text_that_counts),
        ("desk.counting.count_send", fifth_is_free, test_row_8_the_fifth_send_is_the_first_of_a_new_cycle),
        ("model.OTP_Model._owns", always(True), test_row_9_a_record_is_deleted_once_and_a_missing_one_is_forbidden),
        ("model.is_id", always(False), test_row_10_the_documentations_own_name_of_the_id_works),
        ("terms.LegacySettings.policy", always(DEFAULT), test_row_12_the_durations_are_milliseconds),
    ],
)
def test_a_rule_of_a_row_that_is_broken_is_noticed(
    town: Town, monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[..., object], row: Callable[[Town], None]
) -> None:
    monkeypatch.setattr(f"otpcore.legacy.{name}", wrong)
    with pytest.raises((AssertionError, TypeError, exceptions.HTTPException, pytest.fail.Exception)):
        row(town)
