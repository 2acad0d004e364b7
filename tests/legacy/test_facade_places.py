"""The facade over every store and every kind of provider, and how it is opened."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug import exceptions

from otpcore import CodeOwner
from otpcore.contract import Failure, FailureKind, SendEffect
from otpcore.errors import CommitUnknown, ConfigurationError, InvalidNumber, StoreUnavailable, UnknownPlugin
from otpcore.flows.counting import lead_to_counter
from otpcore.legacy import (
    Desk,
    Forbidden,
    InternalServerError,
    LegacySettings,
    NotDone,
    OTP_Model,
    SMSObject,
    Svretries,
    TooManyRequests,
    engine,
    use,
)
from otpcore.legacy.records import local_time
from otpcore.policy import DEFAULT
from otpcore.providers.console import ConsoleProvider
from otpcore.providers.fake import FakeProvider
from otpcore.results import Approved, Refusal, Refused, Sent, Wait
from otpcore.stores.memory import MemoryStore
from otpcore.stores.tinydb import TinyDBStore
from tests.numbers import phone

PEPPER = bytes(range(32))
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
NUMBER = phone(3)
pytestmark = pytest.mark.filterwarnings("ignore:OTP_Model is kept:DeprecationWarning")


class Town:
    """A desk over some store and provider, whose clock a test moves."""

    def __init__(self, store: Any, owner: CodeOwner = CodeOwner.PROVIDER, **given: Any) -> None:
        self.now = START
        self.vendor = FakeProvider(owner=owner, clock=self.clock)
        self.desk = Desk(store, self.vendor, clock=self.clock, pepper=PEPPER, **given)

    def clock(self) -> datetime:
        return self.now

    def wait(self, refused: exceptions.HTTPException) -> None:
        """As long as a refusal says, and a moment."""
        self.now += timedelta(seconds=getattr(refused, "retry_after", 0), milliseconds=1)


@pytest.fixture(params=["memory-provider", "memory-core", "tinydb-provider", "tinydb-core"])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    store, owner = request.param.split("-")
    made = Town(
        MemoryStore() if store == "memory" else TinyDBStore(tmp_path / "records.otpdb", sync=False), CodeOwner(owner)
    )
    use(lambda: made.desk)
    yield made
    use(None)


def there(**given: Any) -> Town:
    made = Town(MemoryStore(), **given)
    use(lambda: made.desk)
    return made


@pytest.fixture
def closing() -> Iterator[None]:
    yield
    use(None)


# --- the usual calling order ----------------------------------------------------------------------


def test_the_usual_calling_order_works_unchanged(town: Town) -> None:
    """LEGACY.md: check_count, verification, add_count; later verification_check and delete_count."""
    last = 0
    for wait in (120, 300, 900, 86_400, 120):
        otp = OTP_Model(NUMBER)
        record = otp.check_count("hash", "user")
        sent = otp.verification()
        assert (sent.status, sent.to, sent.valid, len(sent.send_code_attempts)) == ("pending", NUMBER, False, 1)
        assert sent.sid
        expires = otp.add_count(record)
        assert int(round(expires)) * 1000 == int((town.now.timestamp() + wait) // 1) * 1000  # noqa: RUF046  # as written
        with pytest.raises(TooManyRequests) as early:
            OTP_Model(NUMBER).check_count("hash", "user")
        with pytest.raises(TooManyRequests):
            OTP_Model(NUMBER).verification()
        assert early.value.retry_after == wait
        last = record.id
        town.wait(early.value)
    otp = OTP_Model(NUMBER)
    otp.verification()
    with pytest.raises(Forbidden):
        otp.verification_check("000000" if town.vendor.code_for(NUMBER) != "000000" else "000001")
    approved = otp.verification_check(town.vendor.code_for(NUMBER))
    assert (approved.status, approved.valid) == ("approved", True)
    otp.delete_count(last)
    otp.delete_count(otp_counter=last)
    assert Svretries.get_or_none(Svretries.userId == "user") is None
    assert OTP_Model(NUMBER).check_count("hash", "user").count == 0
    assert OTP_Model(NUMBER).verification().status == "pending"  # a success clears the waits


def test_strict_asks_the_vendor_again_and_tells_a_wrong_code_as_pending(town: Town) -> None:
    otp = OTP_Model(NUMBER, strict_legacy=True)
    for _ in range(4):
        assert otp.verification().status == "pending"
    wrong = "000000" if town.vendor.code_for(NUMBER) != "000000" else "000001"
    assert isinstance(otp.verification_check(wrong), SMSObject)
    assert otp.verification_check(wrong).status == "pending"
    assert otp.verification_check(town.vendor.code_for(NUMBER)).status == "approved"


def test_strict_keeps_the_daily_cap(closing: None) -> None:
    town = there(owner=CodeOwner.CORE)
    otp = OTP_Model(NUMBER, strict_legacy=True)
    for _ in range(10):
        otp.verification()
    with pytest.raises(TooManyRequests) as refused:
        otp.verification()
    assert refused.value.retry_after == 86_400
    assert len(town.vendor.outbox) == 10


def test_a_refused_send_of_a_strict_caller_is_given_back_and_takes_nobodys_step(
    monkeypatch: pytest.MonkeyPatch, closing: None
) -> None:
    town = there(owner=CodeOwner.CORE)
    for _ in range(3):
        OTP_Model(NUMBER).verification()
        town.now += timedelta(minutes=5)
    strict = OTP_Model(NUMBER, strict_legacy=True)
    with monkeypatch.context() as refusing:
        refusing.setattr(town.vendor, "send", failing(FailureKind.TRANSIENT))
        with pytest.raises(InternalServerError):
            strict.verification()
    with pytest.raises(TooManyRequests) as early:
        OTP_Model(NUMBER).verification()
    assert early.value.retry_after == 600  # of the 15 minutes after the third
    for _ in range(7):
        assert strict.verification().status == "pending"  # ten in all: the refused one does not count


def test_strict_has_no_free_fifth_send(town: Town) -> None:
    otp = OTP_Model(NUMBER, strict_legacy=True)
    waits: list[int | None] = []
    for _ in range(6):
        record = otp.check_count("hash", "user")
        otp.add_count(record)
        with pytest.raises(TooManyRequests) as early:
            otp.check_count("hash", "user")
        assert isinstance(early.value.retry_after, int)
        waits.append(early.value.retry_after)
        town.wait(early.value)
    assert waits == [120, 300, 900, 86_400, 120, 300]


@pytest.mark.parametrize("strict", [True, False])
def test_an_approval_frees_one_record_and_no_later_wait(strict: bool, town: Town) -> None:
    otp = OTP_Model(NUMBER, strict_legacy=strict)
    otp.add_count(otp.check_count("hash", "user"))
    otp.verification()
    otp.verification_check(town.vendor.code_for(NUMBER))
    record = otp.check_count("hash", "user")  # to be deleted now; here it is not
    otp.verification()
    otp.add_count(record)
    with pytest.raises(TooManyRequests) as early:
        otp.check_count("hash", "user")
    assert early.value.retry_after == 300


def imported(town: Town, former: int, user: str) -> None:
    """A record of an old table, which nobody has asked for since."""
    made = Svretries.create(uniqueId="hash", userId=user, count=2)
    setup, driver = vars(town.desk)["_setup"], vars(town.desk)["_driver"]
    assert driver.drive(lead_to_counter(setup, former, made.id, town.now + timedelta(days=30)))


def test_an_imported_record_is_deleted_by_its_old_id_after_an_approval(town: Town) -> None:
    imported(town, 11, "user")
    imported(town, 12, "other")
    otp = OTP_Model(NUMBER)
    with pytest.raises(Forbidden):
        otp.delete_count(11)
    otp.verification()
    otp.verification_check(town.vendor.code_for(NUMBER))
    otp.delete_count(11)
    assert Svretries.get_or_none(Svretries.userId == "user") is None
    OTP_Model(phone(4)).check_count("hash", "other")  # from now on it is that number's
    with pytest.raises(Forbidden):
        otp.delete_count(12)


def test_an_old_id_whose_record_is_gone_undoes_no_approval(town: Town) -> None:
    imported(town, 11, "user")
    imported_too = vars(town.desk)["_driver"].drive
    identity = Svretries.get(Svretries.userId == "user").id
    imported_too(lead_to_counter(vars(town.desk)["_setup"], 12, identity, town.now + timedelta(days=30)))
    otp = OTP_Model(NUMBER)
    otp.check_count("hash", "user")
    for old in (11, 12, 11):
        otp.delete_count(old)
    OTP_Model(phone(4)).delete_count(11)
    with pytest.raises(Forbidden):
        otp.delete_count(13)


def test_an_approval_frees_no_record_of_another_number(town: Town) -> None:
    theirs = OTP_Model(phone(4))
    theirs.add_count(theirs.check_count("other", "user"))
    otp = OTP_Model(NUMBER)
    otp.verification()
    otp.verification_check(town.vendor.code_for(NUMBER))
    with pytest.raises(TooManyRequests):
        otp.check_count("other", "user")


def test_who_is_refused_a_record_that_is_nobodys_has_no_part_in_it(town: Town) -> None:
    made = Svretries.create(uniqueId="hash", userId="user", count=1, expires=local_time(town.now + timedelta(hours=1)))
    with pytest.raises(TooManyRequests):
        OTP_Model(phone(4)).check_count("hash", "user")
    with pytest.raises(Forbidden):
        OTP_Model(phone(4)).delete_count(made.id)


def test_a_record_that_is_counted_is_the_numbers(town: Town) -> None:
    otp = OTP_Model(NUMBER)
    record = otp.check_count("hash", "user")
    assert record.delete_instance() == 1
    otp.add_count(record)
    OTP_Model(NUMBER).delete_count(record.id)


def test_a_record_is_kept_400_days_after_its_last_change(closing: None) -> None:
    town = there()
    for user, count in (("none", 0), ("full", 4)):
        Svretries.create(uniqueId="hash", userId=user, count=count)
    swept = vars(town.desk)["_store"].sweep
    assert swept(town.now + timedelta(days=399), limit=10) == 0
    assert swept(town.now + timedelta(days=401), limit=10) == 2


def test_a_strict_send_forgets_no_ladder(closing: None) -> None:
    town = there(owner=CodeOwner.CORE)
    OTP_Model(NUMBER).verification()
    OTP_Model(NUMBER, strict_legacy=True).verification()
    assert vars(town.desk)["_store"].sweep(town.now + timedelta(days=30), limit=10) == 0


def test_a_number_that_is_exchanged_is_the_one_that_is_used(town: Town) -> None:
    otp = OTP_Model(NUMBER)
    otp.verification()
    otp.phone_number = phone(4)
    otp.verification()
    assert [message.recipient for message in town.vendor.outbox] == [NUMBER, phone(4)]


def test_a_code_that_came_as_a_number_is_its_digits(town: Town) -> None:
    otp = OTP_Model(NUMBER, strict_legacy=True)
    code = ""
    while not code or code.startswith("0"):
        otp.verification()
        code = town.vendor.code_for(NUMBER)
        if code.startswith("0"):
            otp.verification_check(code)
    assert otp.verification_check(int(code)).status == "approved"  # type: ignore[arg-type]


def test_a_policy_without_waits_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least one wait"):
        Desk(MemoryStore(), FakeProvider(), profile=replace(DEFAULT, ladder=()))


def test_a_desk_that_cannot_be_loaded_is_closed_again(monkeypatch: pytest.MonkeyPatch, closing: None) -> None:
    closed: list[Desk] = []

    def fails(_desk: Desk) -> None:
        raise ConfigurationError

    def close(desk: Desk) -> None:
        closed.append(desk)

    monkeypatch.setattr(Desk, "load", fails)
    monkeypatch.setattr(Desk, "close", close)
    there()
    for _ in range(3):
        with pytest.raises(InternalServerError):
            OTP_Model(NUMBER).verification()
    assert len(closed) == 3
    monkeypatch.undo()


def test_both_engines_know_the_peppers_of_before(closing: None) -> None:
    store = MemoryStore()
    use(lambda: Desk(store, FakeProvider(owner=CodeOwner.CORE), pepper=PEPPER))
    OTP_Model(NUMBER).verification()
    monkey = Desk(
        store, FakeProvider(owner=CodeOwner.CORE), pepper=bytes(reversed(PEPPER)), previous_peppers=iter([PEPPER])
    )
    assert [len([*vars(each)["_setup"].keyring]) for each in (monkey, monkey.strict)] == [2, 2]


def test_who_was_refused_a_record_has_not_loaded_it(town: Town) -> None:
    owner = OTP_Model(NUMBER)
    record = owner.check_count("hash", "user")
    owner.add_count(record)
    other = OTP_Model(phone(4))
    with pytest.raises(TooManyRequests):
        other.check_count("hash", "user")
    with pytest.raises(Forbidden):
        other.delete_count(record.id)
    owner.delete_count(record.id)


def test_strict_deletes_anybodys_record_and_still_no_missing_one(town: Town) -> None:
    made = Svretries.create(uniqueId="hash", userId="user")
    with pytest.raises(Forbidden):
        OTP_Model(phone(4)).delete_count(made.id)
    OTP_Model(phone(4), strict_legacy=True).delete_count(made.id)
    with pytest.raises(Forbidden):
        OTP_Model(phone(4), strict_legacy=True).delete_count(made.id)


def test_a_record_is_its_numbers_in_another_object_too(town: Town) -> None:
    made = OTP_Model(NUMBER).check_count("hash", "user")
    with pytest.raises(Forbidden):
        OTP_Model(phone(4)).delete_count(made.id)
    with pytest.raises(Forbidden):
        OTP_Model("no number").delete_count(made.id)
    OTP_Model(NUMBER.replace("+1", "+1 ")).delete_count(made.id)
    assert Svretries.get_or_none(Svretries.id == made.id) is None


def test_a_record_is_its_numbers_while_a_pepper_is_rotated(closing: None) -> None:
    store = MemoryStore()
    use(lambda: Desk(store, FakeProvider(), pepper=PEPPER))
    made = OTP_Model(NUMBER).check_count("hash", "user")
    closes, store.close = store.close, lambda: None  # type: ignore[method-assign]
    use(lambda: Desk(store, FakeProvider(), pepper=bytes(reversed(PEPPER)), previous_peppers=[PEPPER]))
    OTP_Model(NUMBER).delete_count(made.id)
    closes()


def test_one_phone_has_one_budget_whoever_asks(town: Town) -> None:
    """LEGACY.md: 100 ids gave 100 SMS to one phone."""
    for user in range(100):
        otp = OTP_Model(NUMBER)
        record = otp.check_count("hash", f"user-{user}")
        if user:
            with pytest.raises(TooManyRequests):
                otp.verification()
        else:
            otp.verification()
            otp.add_count(record)
    assert len(town.vendor.outbox) == 1


# --- errors keep their meaning --------------------------------------------------------------------


def test_a_bad_number_is_reported_when_it_is_used(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    for given in ("0700123", "", "+1 202 555 01x3", None, 12025550123):
        otp = OTP_Model(given)  # type: ignore[arg-type]
        assert otp.phone_number is given
        for ask in (otp.verification, lambda otp=otp: otp.verification_check("123456")):
            with pytest.raises(exceptions.InternalServerError) as refused:
                ask()
            assert isinstance(refused.value.__cause__, InvalidNumber)
            assert refused.value.description == str(refused.value.__cause__)
    assert "0700123" not in caplog.text


def failing(kind: FailureKind, effect: SendEffect = SendEffect.NOT_SENT) -> Callable[..., Any]:
    def send(_request: Any) -> Failure:
        return Failure(kind, effect, "told by the vendor")

    return send


@pytest.mark.parametrize("kind", list(FailureKind))
def test_a_vendors_refusal_to_send_is_a_limit_or_an_error(kind: FailureKind, monkeypatch: Any, closing: None) -> None:
    town = there()
    monkeypatch.setattr(town.vendor, "send", failing(kind))
    with pytest.raises(exceptions.HTTPException) as refused:
        OTP_Model(NUMBER).verification()
    expected = 429 if kind is FailureKind.RATE_LIMITED else 500
    assert refused.value.code == expected
    reason = refused.value.__cause__
    assert isinstance(reason, NotDone)
    assert isinstance(reason.result, Refused)
    assert reason.result.kind is Refusal(kind.value)


def test_an_answer_that_is_lost_is_an_error_that_says_so(monkeypatch: Any, closing: None) -> None:
    town = there()
    monkeypatch.setattr(town.vendor, "send", failing(FailureKind.TIMEOUT, SendEffect.UNKNOWN))
    with pytest.raises(InternalServerError) as lost:
        OTP_Model(NUMBER).verification()
    assert "may be on its way" in str(lost.value.__cause__)
    with pytest.raises(TooManyRequests) as early:
        OTP_Model(NUMBER).verification()
    assert early.value.retry_after == 120


def test_a_locked_recipient_is_told_when_to_come_back(closing: None) -> None:
    town = there(owner=CodeOwner.CORE, profile=replace(DEFAULT, failures_per_day=6))
    otp = OTP_Model(NUMBER)
    for wrong in (5, 1):
        otp.verification()
        right = town.vendor.code_for(NUMBER)
        for code in [f"{each:06}" for each in range(6) if f"{each:06}" != right][:wrong]:
            with pytest.raises(Forbidden):
                otp.verification_check(code)
        town.now += timedelta(seconds=120)
    with pytest.raises(TooManyRequests) as send:
        otp.verification()
    with pytest.raises(Forbidden) as check:
        otp.verification_check(town.vendor.code_for(NUMBER))
    assert send.value.retry_after == check.value.retry_after == 86_400 - 240
    assert ("Retry-After", str(86_400 - 240)) in check.value.get_headers()
    assert isinstance(check.value.__cause__, NotDone)


class Failing(MemoryStore):
    """A store that fails when it is told to."""

    error: Exception | None = None

    def commit(self, *given: Any, **named: Any) -> Any:
        if self.error is not None:
            raise self.error
        return super().commit(*given, **named)

    def load(self, key: str) -> Any:
        if self.error is not None:
            raise self.error
        return super().load(key)


@pytest.mark.parametrize("error", [StoreUnavailable(), CommitUnknown(), RuntimeError("the disk is gone")])
def test_a_store_that_fails_is_an_internal_server_error(error: Exception, closing: None) -> None:
    store = Failing()
    use(lambda: Desk(store, FakeProvider(), pepper=PEPPER))
    otp = OTP_Model(NUMBER)
    record = otp.check_count("hash", "user")
    store.error = error
    for ask in (
        otp.verification,
        lambda: otp.verification_check("123456"),
        lambda: otp.check_count("hash", "user"),
        lambda: otp.add_count(record),
        lambda: otp.delete_count(record.id),
    ):
        with pytest.raises(exceptions.InternalServerError) as failed:
            ask()
        assert failed.value.__cause__ is not None
        assert "disk" not in (failed.value.description or "")
    store.error = None


def test_what_is_logged_shows_two_digits_and_no_code(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    otp = OTP_Model(NUMBER)
    otp.verification()
    code = town.vendor.code_for(NUMBER)
    wrong = "000000" if code != "000000" else "000001"
    for ask in (otp.verification, lambda: otp.verification_check(wrong), lambda: otp.delete_count(7)):
        with pytest.raises(exceptions.HTTPException):
            ask()
    assert NUMBER[-2:] in caplog.text
    for secret in (NUMBER, NUMBER[1:], code, wrong):
        assert secret not in caplog.text
    assert NUMBER not in repr(otp)
    OTP_Model("x\ny\nz").__repr__()
    with pytest.raises(InternalServerError):
        OTP_Model("forged\nline").verification()
    assert "\nline" not in caplog.text


# --- beside the modern API ------------------------------------------------------------------------


def test_the_facades_engine_sees_the_facades_records(town: Town) -> None:
    OTP_Model(NUMBER).verification()
    assert isinstance(engine().start(NUMBER), Wait)
    town.now += timedelta(minutes=2)
    sent = engine().start(NUMBER)
    assert isinstance(sent, Sent)
    with pytest.raises(TooManyRequests):
        OTP_Model(NUMBER).verification()
    assert isinstance(engine().check(sent.session.token or "", town.vendor.code_for(NUMBER)), Approved)


def test_the_first_purpose_is_confirmed(closing: None) -> None:
    town = there(purposes=("payment", "login"))
    assert town.desk.purpose == "payment"
    assert OTP_Model(NUMBER).verification().status == "pending"


# --- opened from the environment ------------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    for name in ("FIRST", "SECOND", "THIRD", "FOURTH"):
        monkeypatch.delenv(f"{name}_RESEND_DURATION", raising=False)
    monkeypatch.setenv("OTPCORE_PROVIDER", "console")
    monkeypatch.setenv("OTPCORE_STORE", "memory")
    monkeypatch.setenv("OTPCORE_DATA_DIR", str(tmp_path))
    use(None)
    yield monkeypatch
    use(None)


def test_the_environment_is_read_at_first_use_and_not_before(environment: pytest.MonkeyPatch) -> None:
    otp = OTP_Model(NUMBER)
    environment.setenv("FIRST_RESEND_DURATION", "7000")
    environment.setenv("THIRD_RESEND_DURATION", "1500")
    otp.verification()
    with pytest.raises(TooManyRequests) as early:
        otp.verification()
    assert early.value.retry_after == 7
    assert [wait.total_seconds() for wait in engine_ladder()] == [7, 300, 1.5, 86_400]
    assert isinstance(next(iter(vars(engine())["_providers"].values())), ConsoleProvider)


def engine_ladder() -> tuple[timedelta, ...]:
    ladder: tuple[timedelta, ...] = vars(engine())["_setup"].profile.ladder
    return ladder


def test_without_durations_the_named_profile_counts(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OTPCORE_PROFILE", "signal")
    assert [wait.total_seconds() for wait in engine_ladder()] == [60, 120, 300, 600]


@pytest.mark.parametrize("value", ["0", "-5", "two minutes", "1e99"])
def test_a_duration_that_is_none_is_named_and_not_quoted(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("SECOND_RESEND_DURATION", value)
    with pytest.raises(InternalServerError) as refused:
        OTP_Model(NUMBER).verification()
    assert isinstance(refused.value.__cause__, ConfigurationError)
    assert "SECOND_RESEND_DURATION" in str(refused.value.__cause__)
    environment.setenv("SECOND_RESEND_DURATION", "1000")
    assert OTP_Model(NUMBER).verification().status == "pending"  # nothing is remembered of the failure


def test_strict_by_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OTPCORE_LEGACY_STRICT", "1")
    for _ in range(3):
        assert OTP_Model(NUMBER).verification().status == "pending"
    with pytest.raises(Forbidden):  # what a caller says wins
        OTP_Model(NUMBER, strict_legacy=False).verification_check("no code")
    OTP_Model(phone(5), strict_legacy=False).verification()
    with pytest.raises(TooManyRequests):
        OTP_Model(phone(5), strict_legacy=False).verification()


def test_where_nothing_is_said_the_provider_is_twilio(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("OTPCORE_PROVIDER")
    environment.setenv("TWILIO_ACCOUNT_SID", "AC" + "0" * 32)
    environment.setenv("TWILIO_AUTH_TOKEN", "0" * 32)
    environment.setenv("TWILIO_SERVICE_SID", "VA" + "0" * 32)
    assert type(OTP_Model(NUMBER).client).__module__ == "twilio.rest"
    assert OTP_Model(NUMBER).client is OTP_Model(phone(4)).client


def test_a_provider_that_is_not_installed_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OTPCORE_PROVIDER", "nobody")
    with pytest.raises(InternalServerError) as refused:
        OTP_Model(NUMBER).verification()
    assert isinstance(refused.value.__cause__, UnknownPlugin)
    with pytest.raises(UnknownPlugin, match="nobody"):
        _ = OTP_Model(NUMBER).client


def test_a_provider_without_a_client_says_so(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(AttributeError, match="'console' has no client"):
        _ = OTP_Model(NUMBER).client


def test_the_counter_is_wanted_where_the_environment_says_so(environment: pytest.MonkeyPatch) -> None:
    from otpcore.legacy import legacy_settings

    assert not legacy_settings().enable_otp
    environment.setenv("ENABLE_OTP", "true")
    assert legacy_settings().enable_otp
    assert not LegacySettings().enable_otp
