"""Links under other conditions: TLS, several loops, forks, stuck writes, cancelled tasks; and what is shown of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from otpcore.errors import ConfigurationError
from otpcore.ports import Accepted, Failure, FailureKind, SendEffect
from otpcore_smpp import AsyncSmppProvider, SmppProvider, SmppSettings
from otpcore_smpp.session import Session
from tests.smpp_lines import CODE, COLOURS, PATIENCE_S, PHONE, Line, request_of, settings_of
from tests.smsc import Peer, Smsc, Submitted, accept, cut, nack, receipt_body, refuse, silence

CHILD = Path(__file__).with_name("fork_child.py")
ROOT = Path(__file__).parents[3]


# --- TLS ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "smsc")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "smsc.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls_smsc(certificate: Path) -> Iterator[Smsc]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Smsc(tls=context) as smsc:
        yield smsc


@pytest.mark.parametrize("colour", COLOURS)
def test_codes_and_receipts_go_over_tls(colour: str, tls_smsc: Smsc, certificate: Path) -> None:
    with Line(colour, settings_of(tls_smsc.port, tls=True, ca_file=str(certificate))) as line:
        assert isinstance(line.send(), Accepted)
        sequence = tls_smsc.deliver(receipt_body("1A2B", "DELIVRD", PHONE))
        assert tls_smsc.wait_for(lambda: tls_smsc.answered(sequence) == 0)
        tls_smsc.scenario = cut
        answer = line.send()
        assert isinstance(answer, Failure)
        assert answer.effect is SendEffect.UNKNOWN


@pytest.mark.parametrize("colour", COLOURS)
def test_a_certificate_that_nobody_vouches_for_is_a_misconfiguration(colour: str, tls_smsc: Smsc) -> None:
    with Line(colour, settings_of(tls_smsc.port, tls=True)) as line:
        answer = line.send()
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.effect) == (FailureKind.MISCONFIGURED, SendEffect.NOT_SENT)
    assert not tls_smsc.binds, "the password was not given to it"


@pytest.mark.parametrize("colour", COLOURS)
def test_a_certificate_of_another_name_is_a_misconfiguration(colour: str, tls_smsc: Smsc, certificate: Path) -> None:
    given = settings_of(tls_smsc.port, tls=True, ca_file=str(certificate), tls_name="smsc.example.com")
    with Line(colour, given) as line:
        answer = line.send()
    assert isinstance(answer, Failure)
    assert answer.kind is FailureKind.MISCONFIGURED
    assert not tls_smsc.binds


def test_an_unreadable_authority_is_told_at_build() -> None:
    for make in (SmppProvider, AsyncSmppProvider):
        with pytest.raises(ConfigurationError):
            make(settings_of(1, tls=True, ca_file="/nowhere/ca.pem"))


# --- what is stuck, and who goes away ---


SIZE = 20_000
"""Octets of a text: a few of them fill what two systems keep, of which this end keeps `KEPT`."""

KEPT = 32_768

ENQUIRE = bytes.fromhex("00000010 00000015 00000000")
"""What a link is asked after a message had no answer: the first thing behind it, if it still lives."""


def keep_little(session: Session, begun: Callable[[Session], None] = Session.__post_init__) -> None:
    """A system that takes little at a time, so that few messages show what becomes of those that it does not take."""
    begun(session)
    session.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KEPT)


def through_an_smsc_that_reads_nothing(timeout_s: float) -> tuple[list[SendEffect], bytes]:
    """What the calls are told, and what an SMSC finds that begins to read when all of them have returned."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        came: list[socket.socket] = []

        def bind_and_read_no_more() -> None:
            peer, _ = listener.accept()
            peer.recv(4096)
            peer.sendall(bytes.fromhex("00000015 80000009 00000000 00000001 736d736300"))
            came.append(peer)

        thread = threading.Thread(target=bind_and_read_no_more)
        thread.start()
        given = settings_of(
            listener.getsockname()[1],
            window=1000,
            reconnect_first_s=60,
            reconnect_longest_s=60,
            enquire_answer_s=60.0,
        )
        found = bytearray()
        with pytest.MonkeyPatch.context() as patch, Line("awaited", given) as line:
            patch.setattr(Session, "__post_init__", keep_little)
            calls = [line.begin(request_of("a" * SIZE, timeout_s=timeout_s)) for _ in range(20)]
            effects = [call.result(30).effect for call in calls]
            thread.join()
            came[0].settimeout(PATIENCE_S)
            with came[0] as peer, contextlib.suppress(ConnectionResetError):
                while bytes(found[-16:-4]) != ENQUIRE and (octets := peer.recv(1 << 20)):
                    found += octets
    return effects, bytes(found)


def nothing_stuck_went_on(effects: list[SendEffect], found: bytes) -> None:
    """The property: no message arrives that was said not to be sent, nor the end of one that was given up."""
    unknown = effects.count(SendEffect.UNKNOWN)
    assert SendEffect.NOT_SENT in effects, "what was not handed to the socket is a definite no"
    messages = at = 0
    while at + 16 <= len(found) and at + int.from_bytes(found[at : at + 4]) <= len(found):
        messages += found[at + 4 : at + 8] == bytes.fromhex("00000004")
        at += int.from_bytes(found[at : at + 4])
    assert messages <= unknown, "nothing arrives that was said not to be sent"
    assert at < len(found), "the message that was stuck is cut, and nothing comes after it"
    assert unknown == messages + 1, "of what is in doubt, only the one that was stuck did not arrive"


def test_octets_that_are_stuck_here_go_nowhere() -> None:
    """An SMSC that reads nothing: what the system takes no more is cut off with the link, never sent later."""
    nothing_stuck_went_on(*through_an_smsc_that_reads_nothing(3.0))


def test_a_link_that_is_not_cut_with_what_is_stuck_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def keep(_self: Session) -> None: ...

    monkeypatch.setattr(Session, "_keep_nothing", keep)
    with pytest.raises(AssertionError, match="the message that was stuck is cut"):
        nothing_stuck_went_on(*through_an_smsc_that_reads_nothing(3.0))


def test_messages_that_queue_behind_a_stuck_one_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written at once, without waiting until the one before is out of this process: all of them are in doubt."""

    async def at_once(_self: asyncio.StreamWriter) -> None: ...

    monkeypatch.setattr(asyncio.StreamWriter, "drain", at_once)
    with pytest.raises(AssertionError, match=r"a definite no|only the one that was stuck"):
        nothing_stuck_went_on(*through_an_smsc_that_reads_nothing(3.0))


def test_a_cancelled_send_leaves_the_link_to_others(smsc: Smsc) -> None:
    with Line("awaited", settings_of(smsc.port)) as line:
        assert isinstance(line.send(), Accepted)
        tasks = line.tasks()
        smsc.scenario = silence
        call = line.begin(request_of())
        assert smsc.wait_for(lambda: len(smsc.submits) == 2)
        call.cancel()
        smsc.scenario = accept
        assert isinstance(line.send(), Accepted)
        assert line.tasks() == tasks, "no task of the cancelled call is left"
        assert len(smsc.submits) == 3
        assert len(smsc.binds) == 1


def test_a_send_that_is_cancelled_before_it_is_written_is_never_written(smsc: Smsc) -> None:
    with Line("awaited", settings_of(smsc.port, window=1)) as line:
        smsc.scenario = silence
        first = line.begin(request_of("first"))
        assert smsc.wait_for(lambda: len(smsc.submits) == 1)
        second = line.begin(request_of("second"))
        assert line.tasks() > 0
        second.cancel()
        smsc.scenario = accept
        first.cancel()
        assert isinstance(line.send(request_of("third")), Accepted)
        assert [seen.short for seen in smsc.submits] == [b"first", b"third"]


def test_one_provider_serves_one_loop_after_the_other(smsc: Smsc) -> None:
    provider = AsyncSmppProvider(settings_of(smsc.port))

    async def use() -> Accepted | Failure:
        return await provider.send(request_of())  # the loop ends, and takes its link with it

    for _ in range(2):
        assert isinstance(asyncio.run(use()), Accepted)
    assert smsc.wait_for(lambda: not smsc.peers)
    assert len(smsc.binds) == 2


def test_what_goes_wrong_in_the_keeping_task_is_not_its_end(smsc: Smsc, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Session.run
    failures = iter([True])

    async def once(self: Session) -> None:
        if next(failures, False):
            self.writer.transport.abort()
            raise ZeroDivisionError
        await run(self)

    monkeypatch.setattr(Session, "run", once)
    with Line("awaited", settings_of(smsc.port)) as line:
        answers = [line.send()]
        while not isinstance(answers[-1], Accepted):
            answers.append(line.send())
    assert len(smsc.binds) == 2


# --- processes ---


def a_forked_child_has_a_link_of_its_own(colour: str, smsc: Smsc, *defect: str) -> None:
    """The property: the parent's goes on, and is not the child's to speak on, to hold open or to unbind."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        [sys.executable, "-W", "error", CHILD, colour, str(smsc.port), *defect],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, ""), found.stderr
    assert len(smsc.binds) == 2
    assert sorted(seen.short.decode() for seen in smsc.submits) == ["child", "parent", "parent again"]
    assert smsc.commands.count(0x06) == 2, "each unbinds its own, once"


@pytest.mark.parametrize("colour", COLOURS)
def test_a_forked_child_opens_a_link_of_its_own(colour: str, smsc: Smsc) -> None:
    a_forked_child_has_a_link_of_its_own(colour, smsc)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_child_that_goes_on_with_its_parents_link_would_be_seen(colour: str, smsc: Smsc) -> None:
    with pytest.raises(AssertionError):
        a_forked_child_has_a_link_of_its_own(colour, smsc, "inherits")


# --- what is shown ---


def test_no_code_no_number_and_no_password_is_shown(
    line_with: Callable[..., Line], smsc: Smsc, caplog: pytest.LogCaptureFixture
) -> None:
    async def echoes(peer: Peer, submitted: Submitted) -> None:
        peer.write(0x80000004, submitted.sequence, submitted.short + PHONE.encode() + b"\0", 0x0B)

    line = line_with()
    shown: list[str] = []

    def broken(request: object) -> object:
        raise RuntimeError(PHONE, CODE)

    line.deliver_to(broken)
    with caplog.at_level(logging.NOTSET):
        for scenario in (accept, refuse(0x58), echoes, nack, cut, silence):
            smsc.scenario = scenario
            answer = line.send(request_of(timeout_s=1.0))
            shown.append(repr(answer))
            smsc.wait_for(lambda: bool(smsc.peers))
        smsc.scenario = accept
        while not isinstance(line.send(), Accepted):
            pass
        sequence = smsc.deliver(receipt_body("1A2B", "DELIVRD", PHONE, quoted=CODE))
        broken_one = smsc.deliver(b"\0\1\1" + PHONE.encode())
        assert smsc.wait_for(lambda: smsc.answered(sequence) == 0x64 and smsc.answered(broken_one) == 0)
        line.send(request_of(f"{CODE}\ud800"))
        line.send(request_of(recipient=PHONE + "\0"))
    shown += [repr(line.provider), str(line.provider), f"{vars(line.provider)!r}", repr(line.provider._settings)]
    shown += [f"{record.getMessage()} {record.args!r} {record.exc_info!r}" for record in caplog.records]
    everything = "\n".join(shown)
    assert "SMPP link" in everything
    for secret in (CODE, PHONE[1:], "s3cr3t"):
        assert secret not in everything, secret


def test_wrong_settings_are_told_without_their_values() -> None:
    wrong: dict[str, Any] = {
        "system_id": "a" * 16,
        "password": "far too long",
        "source": "no\0name",
        "system_type": "x" * 13,
        "ca_file": "ca.pem",
        "response_ids": "hex",
        "statuses": "1=nothing",
        "window": 0,
    }
    for name, value in wrong.items():
        with pytest.raises(ValidationError) as caught:
            settings_of(1, **{name: value})
        told = "".join(traceback.format_exception(caught.value))
        assert "far too long" not in told
        assert "s3cr3t" not in told


def test_settings_come_from_texts() -> None:
    given = SmppSettings.model_validate(
        {
            "host": "h",
            "system_id": "i",
            "password": "p",
            "source": "8080",
            "statuses": "0x401=opted_out",
            "port": "2776",
        }
    )
    assert given.statuses == {0x401: FailureKind.OPTED_OUT}
    assert given.tls
