"""Engine, embedded store, this provider and a mail server: a person reads the code in the mail and types it."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import otpcore_smtp
from otpcore import Approved, AsyncEngine, Engine, Refused, Sent, Wait, Wrong, open_engine
from otpcore.conformance.provider.driven import Colour
from otpcore.ports import AsyncProvider, CodeOwner, Provider
from otpcore.results import Refusal
from otpcore.stores.tinydb import TinyDBStore
from otpcore_smtp import AsyncSmtpProvider, SmtpProvider, SmtpSettings
from tests.mail_servers import Inbox, MailServer, ScriptedServer

JO = "Jo.Doe@example.org"
PEPPER = bytes(range(32))


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def settings_for(port: int) -> SmtpSettings:
    return SmtpSettings(host="127.0.0.1", port=port, security="none", sender="codes@shop.example")


def desk(colour: Colour, store: TinyDBStore, port: int, clock: Clock) -> Callable[..., Any]:
    """Calls an engine of the colour by the name of an operation."""
    terms: dict[str, Any] = {"pepper": PEPPER, "clock": clock}
    provider = settings_for(port)
    engine: Any = (
        Engine(store, SmtpProvider(provider), **terms)
        if colour == "blocking"
        else AsyncEngine(store, AsyncSmtpProvider(provider), **terms)
    )
    runner = asyncio.Runner() if colour == "awaited" else None

    def call(operation: str, *values: object, **named: object) -> Any:
        async def awaited() -> Any:
            return await getattr(engine, operation)(*values, **named)

        if runner is None:
            return getattr(engine, operation)(*values, **named)
        answer = runner.run(awaited())
        if operation == "close":
            runner.close()
        return answer

    return call


def code_in(inbox: Inbox) -> str:
    (code,) = re.findall(r"(?<!\d)\d{6}(?!\d)", inbox.texts()[-1])
    return str(code)


def test_a_person_reads_the_code_in_the_mail_and_types_it(colour: Colour, tmp_path: Path) -> None:
    clock = Clock()
    with MailServer() as server:
        call = desk(colour, TinyDBStore(tmp_path / "records.otpdb"), server.port, clock)
        sent = call("start", JO, channel="email")
        assert isinstance(sent, Sent), sent
        first = code_in(server.inbox)
        assert isinstance(call("resend", sent.session.token, JO), Wait)
        clock.now += timedelta(minutes=3)
        again = call("resend", sent.session.token, "jo.doe@example.org")
        assert isinstance(again, Sent), again
        second = code_in(server.inbox)
        wrong = next(code for code in ("000000", "000001", "000002") if code not in {first, second})
        assert isinstance(call("check", sent.session.token, wrong), Wrong)
        assert isinstance(call("check", sent.session.token, second), Approved)
        call("close")
    assert server.inbox.recipients == [[JO], ["jo.doe@example.org"]]
    first_id, second_id = (str(message["Message-ID"]) for message in server.inbox.messages())
    assert first_id != second_id


def test_a_lost_answer_keeps_the_step_and_the_code_and_a_refusal_gives_the_step_back(
    colour: Colour, tmp_path: Path
) -> None:
    clock = Clock()
    with ScriptedServer(cut="dot") as server:
        call = desk(colour, TinyDBStore(tmp_path / "lost.otpdb"), server.port, clock)
        sent = call("start", JO, channel="email")
        assert isinstance(sent, Sent), sent
        assert isinstance(call("start", JO, channel="email"), Wait), "the message may be on its way"
        (body,) = server.taken
        (code,) = re.findall(rb"(?<!\d)\d{6}(?!\d)", body.partition(b"\r\n\r\n")[2])
        assert isinstance(call("check", sent.session.token, code.decode()), Approved)
        call("close")
    with MailServer() as real:
        real.inbox.answers["RCPT"] = "550 5.1.1 no such user"
        call = desk(colour, TinyDBStore(tmp_path / "refused.otpdb"), real.port, clock)
        refused = call("start", JO, channel="email")
        assert isinstance(refused, Refused)
        assert refused.kind is Refusal.INVALID_RECIPIENT
        real.inbox.answers.clear()
        assert isinstance(call("start", JO, channel="email"), Sent), "nothing was sent, so nothing was used up"
        call("close")


def test_a_forked_child_sends_like_its_parent(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from otpcore_smtp import SmtpProvider, SmtpSettings\n"
        "from otpcore.ports import Accepted, SendRequest\n"
        "from datetime import UTC, datetime\n"
        "provider = SmtpProvider(SmtpSettings(host='127.0.0.1', port=int(sys.argv[1]), security='none',"
        " sender='codes@shop.example'))\n"
        "def send(name):\n"
        "    request = SendRequest(name, 'jo@example.org', 'email', 'login', '918273', None, datetime.now(UTC), 8.0)\n"
        "    return isinstance(provider.send(request), Accepted)\n"
        "assert send('before')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if send('child') else 1)\n"
        "assert send('parent')\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\n"
    )
    with MailServer() as server:
        subprocess.run([sys.executable, "-c", program, str(server.port)], check=True, timeout=60)
    ids = sorted(str(message["Message-ID"]).partition("@")[0] for message in server.inbox.messages())
    assert ids == ["<before", "<child", "<parent"]


# --- the plugin -------------------------------------------------------------------------------------------


def test_the_entry_point_names_the_plugin_and_it_registers_one_provider_in_both_colours() -> None:
    (found,) = entry_points(group="otpcore", name="smtp")
    assert found.load() is otpcore_smtp
    (kind,) = otpcore_smtp.otpcore_providers()
    assert (kind.name, kind.settings) == ("smtp", SmtpSettings)
    assert kind.build_async is not None
    blocking, awaited = kind.build(settings_for(25)), kind.build_async(settings_for(25))
    assert isinstance(blocking, Provider)
    assert isinstance(awaited, AsyncProvider)
    assert inspect.iscoroutinefunction(awaited.send)
    assert blocking.capabilities.channels == {"email"}
    assert blocking.capabilities.code_owners == {CodeOwner.CORE}


def test_it_is_listed() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import sys; from otpcore.cli import main; sys.argv = ['otpcore', 'plugins']; main()"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OTPCORE_PLUGINS": "smtp", "COLUMNS": "200"},
        timeout=60,
    ).stdout
    assert "smtp" in told
    assert "otpcore-smtp" in told


def test_settings_of_the_environment_open_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with MailServer() as server:
        given = {
            "PROVIDER": "smtp",
            "PLUGINS": "smtp",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(server.port),
            "SMTP_SECURITY": "none",
            "SMTP_SENDER": "codes@shop.example",
            "TINYDB_PATH": str(tmp_path / "records.otpdb"),
        }
        for name, value in given.items():
            monkeypatch.setenv(f"OTPCORE_{name}", value)
        with open_engine() as engine:
            sent = engine.start(JO, channel="email")
            assert isinstance(sent, Sent), sent
            by_sms = engine.start("+12025550123")
            assert isinstance(by_sms, Refused)
            assert by_sms.kind is Refusal.CHANNEL_UNSUPPORTED
    assert server.inbox.recipients == [[JO]]


def test_importing_it_loads_neither_a_mail_library_nor_tls() -> None:
    program = (
        "import sys, otpcore_smtp\n"
        "from otpcore_smtp import SmtpProvider, SmtpSettings\n"
        "SmtpProvider(SmtpSettings(host='127.0.0.1', security='none', sender='codes@shop.example'))\n"
        "print(*({'ssl', 'smtplib', 'aiosmtplib', 'email.message', 'asyncio'} & sys.modules.keys()))\n"
    )
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert not {"smtplib", "aiosmtplib"} & set(told.stdout.split()), told.stdout
