"""The behaviour table, row by row, through the official SDK over a real socket.

A row names the status and code of its last answer; a row on which the sources disagree is played in every variant
that the options offer. The table itself lies beside the repository: where it is there, it must agree.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from otpcore_twilio.emulator import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Bench

TABLE = Path(__file__).parents[5] / "shared" / "twilio" / "behaviour_table.json"
TO = "+12025550123"


@dataclass(frozen=True)
class Row:
    """One row in one variant."""

    id: str
    status: int
    code: int | None
    options: Options
    play: Callable[[Bench], object]
    variant: str = ""


ROWS: list[Row] = []


def row(
    id_: str, status: int, code: int | None = None, variant: str = "", **options: Any
) -> Callable[[Callable[[Bench], object]], Callable[[Bench], object]]:
    def note(play: Callable[[Bench], object]) -> Callable[[Bench], object]:
        ROWS.append(Row(id_, status, code, Options(**options), play, variant))
        return play

    return note


@pytest.mark.parametrize("case", ROWS, ids=lambda case: f"{case.id}{case.variant and '-'}{case.variant}")
def test_the_emulator_behaves_as_the_row_says(case: Row, bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(case.options)
    case.play(bench)
    assert bench.last == (case.status, case.code)


@pytest.mark.shared
@pytest.mark.skipif(not TABLE.exists(), reason="no behaviour table beside the repository")
def test_every_row_of_the_table_is_played_and_ends_as_it_says() -> None:
    table = {entry["id"]: entry for entry in json.loads(TABLE.read_text())}
    assert {case.id for case in ROWS} == set(table)
    for case in ROWS:
        if not case.variant:
            assert case.status == table[case.id]["http_status"]
            assert table[case.id]["code"] in {case.code, None}


# -- sends


@row("create_ok", 201)
def _first_send(bench: Bench) -> None:
    sent = bench.send()
    assert (sent.status, sent.valid, sent.to, sent.channel) == ("pending", False, TO, "sms")
    assert len(sent.send_code_attempts) == 1
    assert len(bench.right()) == 6


@row("resend_same_sid", 201)
def _resend(bench: Bench) -> None:
    first, code = bench.send(), bench.right()
    bench.emulator.advance(60)
    again = bench.send()
    assert (again.sid, bench.right()) == (first.sid, code)
    assert len(again.send_code_attempts) == 2
    assert again.date_created == first.date_created
    assert (again.date_updated - again.date_created).total_seconds() >= 60
    assert len(bench.emulator.inbox(TO)) == 2


@row("channel_switch_same_sid", 201)
def _switch_channel(bench: Bench) -> None:
    sent = [bench.send(channel=channel) for channel in ("sms", "call", "whatsapp")]
    assert len({one.sid for one in sent}) == 1
    assert [one.channel for one in sent] == ["sms", "call", "whatsapp"]
    assert [attempt["channel"] for attempt in sent[-1].send_code_attempts] == ["sms", "call", "whatsapp"]
    assert len({message.code for message in bench.emulator.inbox(TO)}) == 1


@row("sixth_send", 429, 60203)
def _sixth_send(bench: Bench) -> None:
    for _ in range(5):
        bench.send()
    bench.refused(bench.send)
    assert len(bench.emulator.inbox()) == 5


@row("custom_code_without_flag", 201)
def _custom_code_ignored(bench: Bench) -> None:
    bench.send(custom_code="1234567")
    assert bench.right() != "1234567"


@row("bad_to", 400, 60200)
def _bad_to(bench: Bench) -> None:
    for to in ("12025550123", "+", "+0202555", "+1202555012a", "+12025550123456789", "nobody", "a@b", ""):
        assert bench.refused(bench.send, to) == (400, 60200)


@row("bad_to", 400, 60200, "an address for sms", channels=frozenset({"sms", "email"}))
def _email_by_sms(bench: Bench) -> None:
    bench.refused(bench.send, "ada@example.org", "sms")


@row("bad_to", 400, 60200, "a number for email", channels=frozenset({"sms", "email"}))
def _number_by_email(bench: Bench) -> None:
    bench.refused(bench.send, TO, "email")


@row("bad_channel", 400, 60200)
def _bad_channel(bench: Bench) -> None:
    for channel in ("auto", "pigeon", "SMS", "voice"):
        assert bench.refused(bench.send, channel=channel) == (400, 60200)


@row("bad_channel", 201, None, "the account has auto", channels=frozenset({"sms", "auto"}))
def _auto(bench: Bench) -> None:
    assert bench.send(channel="auto").channel == "sms"


@row("email_no_mailer", 400, 60217)
def _no_mailer(bench: Bench) -> None:
    bench.refused(bench.send, "ada@example.org", "email")


@row("email_no_mailer", 201, None, "there is a Mailer", channels=frozenset({"email"}))
def _mailer(bench: Bench) -> None:
    assert bench.send("ada@example.org", "email").channel == "email"


@row("channel_disabled", 400, 60223, channels=frozenset({"sms"}))
def _disabled(bench: Bench) -> None:
    for channel in ("call", "whatsapp", "sna", "rcs"):
        assert bench.refused(bench.send, channel=channel) == (400, 60223)


@row("landline_sms", 403, 60205)
def _landline(bench: Bench) -> None:
    assert bench.send("+15005550205", "call").status == "pending"
    bench.refused(bench.send, "+15005550205")


@row("geo_blocked", 403, 60605)
def _geo(bench: Bench) -> None:
    bench.refused(bench.send, "+15005550605")


@row("fraud_guard_block", 403, 60410)
@row("fraud_guard_block", 429, 60410, "another status", http_statuses={60410: 429})
def _fraud(bench: Bench) -> None:
    bench.refused(bench.send, "+15005550410")


@row("phone_concurrency", 429, 60212)
def _busy_number(bench: Bench) -> None:
    bench.refused(bench.send, "+15005550212")
    assert "Retry-After" not in bench.http.answers[-1].headers


@row("phone_concurrency", 429, 60212, "with Retry-After", retry_after_codes=frozenset({60212}))
def _busy_number_says_when(bench: Bench) -> None:
    bench.refused(bench.send, "+15005550212")
    assert bench.http.answers[-1].headers["Retry-After"] == "1"


@row("account_concurrency", 429, 20429)
def _busy_account(bench: Bench) -> None:
    bench.refused(bench.send, "+15005550429")
    assert bench.http.answers[-1].headers["Retry-After"] == "1"
    assert bench.emulator.inbox() == ()  # never processed


@row("account_concurrency", 429, 20429, "without Retry-After", retry_after_codes=frozenset())
def _busy_account_is_silent(bench: Bench) -> None:
    bench.refused(bench.send, "+15005550429")
    assert "Retry-After" not in bench.http.answers[-1].headers


# -- checks


@row("wrong_code", 200)
@row("wrong_code", 201, None, "created", check_status=201)
def _wrong_code(bench: Bench) -> None:
    bench.send()
    checked = bench.check(bench.wrong())
    assert (checked.status, checked.valid) == ("pending", False)


@row("right_code", 200)
@row("right_code", 201, None, "created", check_status=201)
def _right_code(bench: Bench) -> None:
    sent = bench.send()
    checked = bench.check(bench.right())
    assert (checked.status, checked.valid, checked.sid) == ("approved", True, sent.sid)


@row("five_wrong_then", 429, 60202)
def _five_wrong(bench: Bench) -> None:
    bench.exhaust()


@row("fetch_after_max", 200)
def _fetch_after_max(bench: Bench) -> None:
    bench.exhaust()
    sid = bench.emulator.inbox()[-1].verification_sid
    assert bench.service.verifications(sid).fetch().status == "max_attempts_reached"


@row("check_after_max", 429, 60202)
@row("check_after_max", 404, 20404, "gone", check_when_locked=20404)
def _check_after_max(bench: Bench) -> None:
    bench.exhaust()
    bench.refused(bench.check, bench.right())


@row("create_after_max", 429, 60203)
@row("create_after_max", 429, 60202, "as a check", create_when_locked=60202)
def _create_after_max(bench: Bench) -> None:
    bench.exhaust()
    bench.refused(bench.send)


@row("check_after_approved", 404, 20404)
def _check_after_approved(bench: Bench) -> None:
    bench.send()
    code = bench.right()
    bench.check(code)
    bench.refused(bench.check, code)


@row("fetch_after_approved", 404, 20404)
@row("fetch_after_approved", 200, None, "shown", fetch_when_approved="approved")
def _fetch_after_approved(bench: Bench) -> None:
    sid = bench.send().sid
    bench.check(bench.right())
    if bench.emulator.account.options.fetch_when_approved == "gone":
        bench.refused(bench.service.verifications(sid).fetch)
    else:
        assert bench.service.verifications(sid).fetch().status == "approved"


@row("check_expired", 404, 20404)
@row("check_expired", 404, 20404, "counted from the last send", expiry_from="last_send")
@row("check_expired", 404, 20404, "shown as expired", fetch_when_expired="expired")
def _check_expired(bench: Bench) -> None:
    bench.send()
    bench.emulator.advance(600)
    bench.refused(bench.check, bench.right())


@row("check_unknown_to", 404, 20404)
def _check_unknown(bench: Bench) -> None:
    bench.refused(bench.check, "123456", TO)


@row("check_unknown_to", 400, 60200, "a number that cannot exist")
@row("check_unknown_to", 404, 20404, "a number that cannot exist, not judged", unassignable="accepted")
def _check_unassignable(bench: Bench) -> None:
    bench.refused(bench.check, "123456", "+19995551234")


@row("bad_code_length", 400, 60200)
def _bad_code_length(bench: Bench) -> None:
    bench.send()
    for code in ("", "1", "123", "12345678901"):
        assert bench.refused(bench.check, code) == (400, 60200)
    assert bench.check(bench.right()).status == "approved"  # none of them was a try
    bench.refused(bench.check, "123")


@row("no_target", 400, 60221)
def _no_target(bench: Bench) -> None:
    bench.refused(bench.service.verification_checks.create, code="123456")


# -- updates and fetches


@row("cancel", 200)
def _cancel(bench: Bench) -> None:
    sent = [bench.send() for _ in range(5)][-1]
    assert bench.service.verifications(sent.sid).update(status="canceled").status == "canceled"
    assert bench.refused(bench.check, bench.right()) == (404, 20404)
    fresh = bench.send()
    assert fresh.sid != sent.sid
    assert len(fresh.send_code_attempts) == 1
    assert bench.service.verifications(sent.sid).fetch().status == "canceled"


@row("approve_by_update", 200)
def _approve(bench: Bench) -> None:
    approved = bench.service.verifications(bench.send().sid).update(status="approved")
    assert (approved.status, approved.valid) == ("approved", True)


@row("approve_by_update", 200, None, "by number")
def _approve_by_number(bench: Bench) -> None:
    bench.send()
    assert bench.service.verifications(TO).update(status="approved").valid


@row("status_poll_limit", 429, 20429)
@row("status_poll_limit", 429, None, "without a code", poll_code=None)
def _poll_limit(bench: Bench) -> None:
    fetch = bench.service.verifications(bench.send().sid).fetch
    for _ in range(2):
        for _ in range(60):
            fetch()
        bench.refused(fetch)
        bench.emulator.advance(60)
    for _ in range(60):
        fetch()
    bench.emulator.advance(60)
    bench.refused(fetch)  # 180 in this hour


@row("safelist_limit", 429, 20429)
@row("safelist_limit", 429, None, "without a code", poll_code=None)
def _safelist_limit(bench: Bench) -> None:
    safe = bench.v2.safelist
    number = safe.create(TO).phone_number
    for _ in range(28):
        safe(number).fetch()
    safe(number).delete()
    bench.refused(safe(number).fetch)
    bench.emulator.advance(59)
    bench.refused(safe.create, TO)
    bench.emulator.advance(1)
    assert safe.create(TO).phone_number == TO
    for _ in range(29):
        safe(number).fetch()
    bench.refused(safe(number).delete)


# -- credentials


@row("bad_credentials", 401, 20003)
def _bad_credentials(bench: Bench) -> None:
    bench.client.password = "0" * 32
    bench.client.auth = (bench.client.username, bench.client.password)
    bench.refused(bench.send)
    assert bench.body["detail"] == ""


@row("test_credentials", 403, 20008)
def _test_credentials(bench: Bench) -> None:
    made = bench.emulator.account.credentials
    bench.client.auth = (made.test_account_sid, made.test_auth_token)
    bench.refused(bench.send)
