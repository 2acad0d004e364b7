"""The engine's verbs as commands: what they say, and with which code they leave."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from otpcore.cli.exits import Exit
from tests.cli.running import NUMBER, PEPPER, Cli, other_than


def test_a_session_from_start_to_used(otpcore: Cli, tmp_path: Path) -> None:
    file = tmp_path / "token"
    started = otpcore("start", NUMBER, "--token-file", str(file))
    assert started.code is Exit.OK
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().startswith("otps_")
    assert "otps_" not in started.out
    assert "5 left" in started.out
    assert "in 2 min (" in started.out

    early = otpcore("resend", NUMBER, "--token-file", str(file))
    assert early.code is Exit.WAIT
    assert "Not yet: the wait after the last send is running. Possible in " in early.out

    wrong = otpcore("check", "--token-file", str(file), stdin=f"{other_than(started.sent_code)}\n")
    assert (wrong.code, wrong.out.splitlines()[:2]) == (Exit.NO, ["The code is wrong.", "  checks     4 left"])

    pasted = f" {started.sent_code[:3]} {started.sent_code[3:]} "
    right = otpcore("check", stdin=f"{file.read_text()}{pasted}\n")
    assert (right.code, right.out.splitlines()[0]) == (Exit.OK, "Approved: the code is right.")

    used = otpcore("check", "--token-file", str(file), stdin=f"{started.sent_code}\n")
    assert (used.code, used.out.splitlines()[0]) == (Exit.OVER, "The session has ended: approved.")


def test_the_last_try_is_told_as_such(otpcore: Cli, tmp_path: Path) -> None:
    file = tmp_path / "token"
    sent = otpcore("start", NUMBER, "--token-file", str(file))
    tries = [otpcore("check", "--token-file", str(file), stdin=f"{other_than(sent.sent_code)}\n") for _ in range(5)]
    lines = [tried.out.splitlines()[0] for tried in tries]
    assert lines == ["The code is wrong."] * 4 + ["The code is wrong, and it was the last try."]


def test_programs_get_utc_and_the_token(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    started = otpcore("start", NUMBER, "--json")
    told = started.json
    assert (told["result"], told["state"], told["replayed"]) == ("sent", "accepted", False)
    assert told["session"]["status"] == "pending"
    resend_at = datetime.fromisoformat(told["next"]["resend_at"])
    assert told["next"]["resend_at"].endswith("Z")
    assert 110 < (resend_at - datetime.now(UTC)).total_seconds() <= 120

    monkeypatch.setenv("OTPCORE_TOKEN", told["token"])
    waiting = otpcore("resend", NUMBER, "--json")
    assert (waiting.code, waiting.json["result"], waiting.json["reason"]) == (Exit.WAIT, "wait", "ladder")
    assert waiting.json["until"] == told["next"]["resend_at"]
    assert "token" not in waiting.json

    standing = otpcore("status", "--json")
    assert (standing.code, standing.json["session"]["status"]) == (Exit.OK, "pending")
    assert "token" not in standing.json

    approved = otpcore("check", "--json", stdin=started.sent_code)
    assert (approved.code, approved.json["result"]) == (Exit.OK, "approved")
    assert told["token"] not in approved.out


def test_a_session_without_a_token_is_addressed_by_its_number(otpcore: Cli) -> None:
    started = otpcore("start", NUMBER, "--by-recipient", "--json")
    assert started.json["token"] is None
    assert otpcore("resend", NUMBER, "--by-recipient").code is Exit.WAIT
    assert otpcore("status", "--recipient", NUMBER).code is Exit.OK
    assert otpcore("check", "--recipient", NUMBER, stdin=other_than(started.sent_code)).code is Exit.NO
    assert otpcore("check", "--recipient", NUMBER, stdin=started.sent_code).code is Exit.OK
    assert otpcore("status", "--recipient", "2025550123", "--region", "US").out.startswith("The session is approved.")


def test_cancel_forget_and_unlock(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    started = otpcore("start", NUMBER, "--json")
    monkeypatch.setenv("OTPCORE_TOKEN", started.json["token"])
    otpcore("check", stdin=other_than(started.sent_code))
    cancelled = otpcore("cancel")
    assert (cancelled.code, cancelled.out.splitlines()[0]) == (Exit.OK, "The session has ended: canceled.")
    assert otpcore("check", stdin=started.sent_code).code is Exit.OVER
    unlocked = otpcore("unlock", NUMBER)
    assert unlocked.out.startswith("Cleared 1 failure; the resend ladder and the daily cap stay.")
    forgotten = otpcore("forget", NUMBER)
    assert forgotten.out.startswith("Erased 1 session; the limits stay")
    assert otpcore("forget", NUMBER, "--json").json["sessions"] == 0
    assert otpcore("status").code is Exit.OVER
    assert otpcore("start", NUMBER).code is Exit.WAIT  # erasure is no reset of the limits


def test_the_fifth_wrong_code_ends_the_session(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    started = otpcore("start", NUMBER, "--json")
    monkeypatch.setenv("OTPCORE_TOKEN", started.json["token"])
    codes = [otpcore("check", stdin=other_than(started.sent_code)).code for _ in range(6)]
    assert codes == [Exit.NO] * 5 + [Exit.OVER]


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "told"),
    [
        (["start", "12"], "", Exit.USAGE, "invalid_recipient"),
        (["start", "+19005550123"], "", Exit.REFUSED, "premium_rate"),
        (["start", NUMBER, "--channel", "pigeon"], "", Exit.USAGE, "channel_unsupported"),
        (["check"], "otps_none\n123456\n", Exit.OVER, "no such session"),
        (["check"], "otps_none\n12345&6\n", Exit.USAGE, "invalid_code"),
        (["check", "--recipient", NUMBER], "1234567\n", Exit.USAGE, "invalid_code"),
        (["status"], "otps_none\n", Exit.OVER, "no such session"),
    ],
)
def test_what_is_refused_is_said_and_has_its_code(
    arguments: list[str], stdin: str, code: Exit, told: str, otpcore: Cli
) -> None:
    ran = otpcore(*arguments, stdin=stdin)
    assert ran.code is code
    assert told in ran.out
    assert NUMBER[1:] not in ran.out + ran.err


@pytest.mark.parametrize(
    ("arguments", "stdin", "told"),
    [
        (["check"], "", "No token: give it as a line of standard input"),
        (["check"], "otps_none\n", "No code: give it as a line of standard input"),
        (["check", "123456"], "", "unexpected extra argument"),
        (["check", "--code", "123456"], "", "No such option"),
        (["check", "--token", "otps_x"], "", "No such option"),
        (["check", "--token-file", "/nowhere/at/all"], "", "cannot be read (FileNotFoundError)"),
        (["check", "--token-file", "x", "--recipient", NUMBER], "", "give one of them"),
        (["start", NUMBER, "--purpose", "payment"], "", "is not one of this engine's: login"),
        (["start", NUMBER, "--token-file", "/nowhere/at/all"], "", "cannot be written (FileNotFoundError)"),
        (["start"], "", "Missing argument"),
        (["nonsense"], "", "No such command"),
    ],
)
def test_a_mistake_in_typing_is_one_masked_line(arguments: list[str], stdin: str, told: str, otpcore: Cli) -> None:
    ran = otpcore(*arguments, stdin=stdin)
    assert ran.code is Exit.USAGE
    complaint = ran.err.splitlines()[-1]
    assert complaint.startswith("otpcore: ")
    assert told in complaint
    assert "Traceback" not in ran.err
    assert "123456" not in ran.err
    assert NUMBER[1:] not in ran.err


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"OTPCORE_CODE_LIFETIME_S": "601"}, "OTPCORE_CODE_LIFETIME_S"),
        ({"OTPCORE_CODE_DIGITS": "5"}, "OTPCORE_CODE_DIGITS"),
        ({"OTPCORE_PEPPER": "short"}, "OTPCORE_PEPPER"),
        ({"OTPCORE_PROFILE": "lenient"}, "OTPCORE_PROFILE"),
        ({"OTPCORE_STORE": "pigeonhole"}, "No active plugin brings a store"),
        ({"OTPCORE_PROVIDER": "twilio"}, "OTPCORE_PLUGINS"),
        ({"OTPCORE_PROVIDER": "twilio", "OTPCORE_PLUGINS": "twilio"}, "TWILIO_ACCOUNT_SID"),
        ({"OTPCORE_PRODUCTION": "1"}, "provider 'console' sends nothing"),
        ({"OTPCORE_PRODUCTION": "1", "OTPCORE_PROVIDER": "fake"}, "provider 'fake' sends nothing"),
        ({"OTPCORE_PRODUCTION": "1", "OTPCORE_PROFILE": "demo"}, "profile 'demo' is for demonstrations"),
    ],
)
def test_a_configuration_that_cannot_be_is_one_line_and_code_6(
    variables: dict[str, str], told: str, otpcore: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ran = otpcore("start", NUMBER)
    assert (ran.code, ran.out, ran.err.count("\n")) == (Exit.CONFIGURATION, "", 1)
    assert told in ran.err


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTPCORE_PROVIDER": "fake"},
        {"OTPCORE_PROVIDER": "fake", "OTPCORE_PROFILE": "demo"},
        {"OTPCORE_PRODUCTION": "0"},
    ],
)
def test_outside_production_the_same_is_accepted(
    variables: dict[str, str], otpcore: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert otpcore("start", NUMBER).code is Exit.OK


def test_a_real_provider_is_accepted_in_production_but_not_with_the_demo_profile(
    otpcore: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_SERVICE_SID": "VA" + "0" * 32, "TWILIO_AUTH_TOKEN": "x"}
    choice = {"OTPCORE_PRODUCTION": "1", "OTPCORE_PLUGINS": "twilio", "OTPCORE_PROVIDER": "twilio"}
    for name, value in {**account, **choice, "OTPCORE_PEPPER": PEPPER}.items():
        monkeypatch.setenv(name, value)
    assert otpcore("status", "--recipient", NUMBER).code is Exit.OVER  # looked, and found nothing
    monkeypatch.setenv("OTPCORE_PROFILE", "demo")
    assert otpcore("status", "--recipient", NUMBER).code is Exit.CONFIGURATION


def test_settings_and_secrets_can_be_in_a_file(otpcore: Cli, tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text(f"OTPCORE_PEPPER={PEPPER}\nOTPCORE_PURPOSES=payment\n")
    assert otpcore("--env-file", str(file), "start", NUMBER, "--purpose", "payment").code is Exit.OK
    assert not (tmp_path / "store" / "pepper").exists()
    assert otpcore("--env-file", str(tmp_path / "none"), "start", NUMBER).code is Exit.CONFIGURATION


def test_a_store_that_cannot_be_opened_is_trouble(
    otpcore: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("OTPCORE_TINYDB_PATH", str(tmp_path / "a file" / "below" / "codes.otpdb"))
    ran = otpcore("start", NUMBER)
    assert (ran.code, ran.out, ran.err.count("\n")) == (Exit.TROUBLE, "", 1)


def test_an_address_is_verified_like_a_number(otpcore: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    address = "Jo.Doe@example.org"
    refused = otpcore("start", address)
    assert refused.code is Exit.USAGE
    assert 'channel "email"' in refused.out
    started = otpcore("start", address, "--channel", "email", "--json")
    assert started.json["session"]["channel"] == "email"
    assert otpcore("start", "jo.doe@EXAMPLE.org", "--channel", "email").code is Exit.WAIT
    monkeypatch.setenv("OTPCORE_TOKEN", started.json["token"])
    assert otpcore("resend", address).code is Exit.WAIT
    assert otpcore("check", "--number", address, stdin=other_than(started.sent_code)).code is Exit.NO
    assert otpcore("unlock", address).code is Exit.OK
    told = [otpcore("check", stdin=started.sent_code), otpcore("forget", address)]
    assert [each.code for each in told] == [Exit.OK, Exit.OK]
    alone = otpcore("start", "jill@example.org", "--channel", "email", "--by-recipient", "--json")
    assert otpcore("status", "--recipient", "JILL@example.org").code is Exit.OK
    assert otpcore("check", "--recipient", "jill@example.org", stdin=alone.sent_code).code is Exit.OK
