"""Each example of the legacy class's documentation runs as it is written: alone, as one story, and against Twilio.

Rules of this file: an example is never edited. The names that the documentation leaves open have their obvious meaning
(`Reader.__init__`, `Checks`); the document itself is read where it lies beside this repository.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from werkzeug import exceptions

from otpcore.legacy import Desk, OTP_Model, Svretries, use
from otpcore.providers.fake import Exchange, FakeProvider
from otpcore.stores.memory import MemoryStore
from otpcore_twilio import TwilioProvider, TwilioSettings
from otpcore_twilio.emulator import Emulator, Options, serve

DOCUMENT = Path(__file__).parents[3] / "shared" / "LEGACY_API.md"
NUMBER = "+237671234567"
CODE = "123456"
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
TWO_MINUTES = timedelta(minutes=2)

pytestmark = pytest.mark.filterwarnings("ignore:OTP_Model is kept:DeprecationWarning")

EXAMPLES = {
    "__init__": """\
# Example usage of the method
otp = OTP_Model(phone_number='+237671234567')
""",
    "verification": """\
# Example usage of the function
otp = OTP_Model(phone_number='+237671234567')
otp_res = otp.verification()
""",
    "verification_check": """\
# Example usage of the function
otp = OTP_Model(phone_number='+237671234567')
otp_res = otp.verification_check(code='123456')
""",
    "check_count": """\
# Example usage of the function
otp = OTP_Model(phone_number='+237671234567')
if enable_otp_counter:
  otp_counter = otp.check_count(
      unique_id='phone_number_hash',
      user_id='user_id'
  )
""",
    "add_count": """\
# Example usage of the function
otp = OTP_Model(phone_number='+237671234567')
otp_res = otp.verification()

if otp_res.status == "pending":
  if enable_otp_counter:
    expires = otp.add_count(otp_counter)
""",
    "delete_count": """\
# Example usage of the function
otp = OTP_Model(phone_number='+237671234567')
otp_res = otp_check.verification()

if otp_res.status == "approved":
  if enable_otp_counter:
    otp_counter = otp.check_count(
      unique_id='phone_number_hash',
      user_id='user_id'
    )

    cid = otp_counter.id
    otp.delete_count(otp_counter=cid)
""",
}
"""As the documentation has them, by the method; in its order."""


def examples_of(document: str) -> dict[str, str]:
    """The blocks of Python that a reader of the document sees, by the heading above them."""
    found: dict[str, str] = {}
    seen = re.sub(r"<!--.*?-->", "", document, flags=re.DOTALL)
    for heading, section in re.findall(r"^#{2,3} (.+?)\n(.*?)(?=^#{2,3} |\Z)", seen, re.MULTILINE | re.DOTALL):
        for number, block in enumerate(re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)):
            found[heading.replace("\\", "") + f" {number}" * bool(number)] = block
    return found


@pytest.fixture(params=["kept here", pytest.param("the document", marks=pytest.mark.shared)])
def examples(request: pytest.FixtureRequest) -> dict[str, str]:
    """The examples, from this file and from the document itself."""
    if request.param == "kept here":
        return EXAMPLES
    if not DOCUMENT.exists():
        pytest.skip("the legacy documentation is not beside this repository")
    return examples_of(DOCUMENT.read_text("utf-8"))


# --- who runs them -----------------------------------------------------------------------------


class Checks:
    """What the last example calls `otp_check`: its `verification()` checks the code that the person holds."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def verification(self) -> Any:
        return self.reader.names["otp"].verification_check(self.reader.code())


class Reader:
    """Somebody who types the examples, one after the other or each alone."""

    def __init__(self, examples: dict[str, str], code: Callable[[], str]) -> None:
        self.examples = examples
        self.code = code
        self.names: dict[str, Any] = {
            "OTP_Model": OTP_Model,
            "enable_otp_counter": True,
            "otp_check": Checks(self),
        }

    def run(self, name: str) -> dict[str, Any]:
        """Run an example as it is written; the names that it leaves behind."""
        exec(compile(self.examples[name], name, "exec"), self.names)
        return self.names


class Always123456(random.Random):
    """What a vendor draws codes with, so that it sends the documentation's."""

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        return int(CODE)


class Place:
    """A desk, its clock, which stands, and a vendor that sends 123456."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        exchange = Exchange(clock=lambda: START)
        monkeypatch.setattr(exchange, "_random", Always123456())
        self.provider = FakeProvider(exchange=exchange)
        self.desk = Desk(MemoryStore(), self.provider, clock=lambda: START)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    made = Place(monkeypatch)
    use(lambda: made.desk)
    yield made
    use(None)


@pytest.fixture
def reader(place: Place, examples: dict[str, str]) -> Reader:
    return Reader(examples, lambda: place.provider.code_for(NUMBER))


# --- the document ------------------------------------------------------------------------------


@pytest.mark.shared
def test_the_examples_that_are_kept_here_are_those_of_the_document() -> None:
    if not DOCUMENT.exists():
        pytest.skip("the legacy documentation is not beside this repository")
    found = examples_of(DOCUMENT.read_text("utf-8"))
    assert found == EXAMPLES
    assert [*found] == [*EXAMPLES]


def test_what_the_document_hides_is_no_example_and_no_block_is_lost() -> None:
    document = (
        "# M\n\n## A\n\n<!-- ```python\nhidden()\n``` -->\n\n```python\none()\n```\n\n```json\n{}\n```\n\n"
        "```python\ntwo()\n```\n\n### \\_\\_init\\_\\_\n\n```python\nthree()\n```\n"
    )
    assert examples_of(document) == {"A": "one()\n", "A 1": "two()\n", "__init__": "three()\n"}


# --- each alone --------------------------------------------------------------------------------


def test_an_object_is_made_and_nothing_is_sent(reader: Reader, place: Place) -> None:
    assert reader.run("__init__")["otp"].phone_number == NUMBER
    assert place.provider.outbox == ()


def test_a_verification_is_pending_and_one_message_is_sent(reader: Reader, place: Place) -> None:
    result = reader.run("verification")["otp_res"]
    assert (result.status, result.to, result.channel) == ("pending", NUMBER, "sms")
    assert [message.code for message in place.provider.outbox] == [CODE]


def test_the_right_code_is_approved(reader: Reader) -> None:
    OTP_Model(NUMBER).verification()
    result = reader.run("verification_check")["otp_res"]
    assert (result.status, result.to, result.valid) == ("approved", NUMBER, True)


def test_the_right_code_is_forbidden_where_none_was_sent(reader: Reader) -> None:
    with pytest.raises(exceptions.Forbidden):
        reader.run("verification_check")


def test_the_counter_is_the_record_of_the_pair(reader: Reader) -> None:
    record = reader.run("check_count")["otp_counter"]
    assert (record.uniqueId, record.userId, record.count, record.expires) == ("phone_number_hash", "user_id", 0, None)
    assert Svretries.get(Svretries.id == record.id) == record


def test_a_send_is_counted_and_its_expiry_is_told(reader: Reader) -> None:
    record = reader.run("check_count")["otp_counter"]
    expires = reader.run("add_count")["expires"]
    assert issubclass(type(expires), str)
    assert int(round(expires)) * 1000 == (START + TWO_MINUTES).timestamp() * 1000  # noqa: RUF046  # as callers wrote it
    assert Svretries.get(Svretries.id == record.id).count == 1


def test_after_an_approval_the_record_is_deleted(reader: Reader) -> None:
    otp = OTP_Model(NUMBER)
    record = otp.check_count("phone_number_hash", "user_id")
    otp.verification()
    otp.add_count(record)
    assert reader.run("delete_count")["cid"] == record.id
    assert Svretries.get_or_none(Svretries.id == record.id) is None


def test_without_the_counter_no_record_is_made(reader: Reader) -> None:
    reader.names["enable_otp_counter"] = False
    for name in ("check_count", "add_count", "delete_count"):
        reader.run(name)
    assert Svretries.get_or_none(Svretries.userId == "user_id") is None


# --- as one story ------------------------------------------------------------------------------


def tell(reader: Reader, place: Place) -> None:
    """The examples in the order of the document, each on what the ones before have left."""
    names = [*reader.examples]
    assert len(names) == 6
    for name in names[:3]:
        reader.run(name)
    assert reader.names["otp_res"].status == "approved"
    reader.run(names[3])
    record = reader.names["otp_counter"]
    reader.run(names[4])  # the approval has cleared the recipient's ladder, so nothing waits
    assert reader.names["otp_res"].status == "pending"
    assert float(reader.names["expires"]) == (START + TWO_MINUTES).timestamp()
    with pytest.raises(exceptions.TooManyRequests):  # nobody else is let through meanwhile
        OTP_Model(NUMBER).check_count("phone_number_hash", "user_id")
    reader.run(names[5])
    assert (reader.names["cid"], reader.names["otp_counter"].count) == (record.id, 1)
    assert Svretries.get_or_none(Svretries.id == record.id) is None
    assert len(place.provider.outbox) == 2


def test_the_document_can_be_typed_from_top_to_bottom(reader: Reader, place: Place) -> None:
    tell(reader, place)


def without_the_alias(otp: OTP_Model, counter_id: int) -> None:
    """`delete_count` as its signature in the documentation has it."""


def without_an_answer(otp: OTP_Model, counter: Svretries) -> None:
    """`add_count` as the old class answered to the fifth send."""


def deleting_nothing(otp: OTP_Model, counter_id: int | None = None, *, otp_counter: int | None = None) -> None:
    """`delete_count` that says nothing and does nothing."""


def letting_through(otp: OTP_Model, unique_id: str, user_id: str) -> Svretries:
    """`check_count` that never blocks."""
    return Svretries.create(uniqueId=unique_id, userId=user_id)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("delete_count", without_the_alias),
        ("delete_count", deleting_nothing),
        ("add_count", without_an_answer),
        ("check_count", letting_through),
    ],
)
def test_a_class_that_the_document_does_not_describe_is_noticed(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[..., Any]
) -> None:
    reader = Reader(EXAMPLES, lambda: place.provider.code_for(NUMBER))
    monkeypatch.setattr(OTP_Model, name, wrong)
    with pytest.raises((AssertionError, TypeError, pytest.fail.Exception)):
        tell(reader, place)


# --- against Twilio ----------------------------------------------------------------------------


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with serve(Options(seed=4)) as running:
        running.clock.stop()
        yield running


@pytest.fixture
def at_twilio(emulator: Emulator, examples: dict[str, str]) -> Iterator[Reader]:
    """The examples with Twilio behind them: its own codes, of which 123456 is none."""
    settings = TwilioSettings(
        account_sid=emulator.account_sid,
        auth_token=SecretStr(emulator.auth_token),
        service_sid=emulator.service_sid,
        origin=emulator.url,
    )
    use(lambda: Desk(MemoryStore(), {"twilio": TwilioProvider(settings)}, clock=emulator.clock.now))
    yield Reader(examples, lambda: emulator.latest_code(NUMBER))
    use(None)


def test_at_twilio_the_examples_run_and_a_wrong_code_is_forbidden(at_twilio: Reader, emulator: Emulator) -> None:
    at_twilio.run("__init__")
    sent: Any = at_twilio.run("verification")["otp_res"]
    assert type(sent).__name__ == "VerificationInstance"
    assert (sent.status, sent.to, sent.channel) == ("pending", NUMBER, "sms")

    assert at_twilio.code() != CODE
    with pytest.raises(exceptions.Forbidden):
        at_twilio.run("verification_check")

    at_twilio.run("check_count")
    with pytest.raises(exceptions.TooManyRequests) as held:  # the first code was not approved, so its wait runs
        at_twilio.run("add_count")
    assert held.value.retry_after == 120
    emulator.clock.advance(120)
    names = at_twilio.run("add_count")
    assert float(names["expires"]) == pytest.approx((emulator.clock.now() + TWO_MINUTES).timestamp(), abs=0.001)

    approved: Any = at_twilio.run("delete_count")["otp_res"]
    assert (type(approved).__name__, approved.status) == ("VerificationCheckInstance", "approved")
    assert Svretries.get_or_none(Svretries.id == names["cid"]) is None
    assert len(emulator.inbox(NUMBER)) == 2
