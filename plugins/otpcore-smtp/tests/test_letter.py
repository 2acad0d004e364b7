"""Requirement P6 for mail: whatever a template, a setting or a caller holds, one message says that and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otpcore.ports import Failure, FailureKind, MessageText, SendEffect, SendRequest
from otpcore_smtp import SmtpSettings
from otpcore_smtp.letter import Letter, compose

Ask = Callable[..., SendRequest]
SETTINGS = SmtpSettings(host="127.0.0.1", security="none", sender="codes@shop.example")

FUZZED = 10_001
"""Values; three go into a message."""

HEADERS = sorted(
    [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    ]
)

controls = st.sampled_from([*"\r\n\x00\x0b\x1b\x85\u2028\u2029", "\r\n", "\r\nBcc: x@y.z\r\n"])
words = st.text(max_size=12) | st.sampled_from(
    ["Your code is 918273", "..", "=?utf-8?q?x?=", "=\r\n", "From me", "  ", "日本", *".\té\U0001f600\u202e:"]
)
any_text = st.lists(words | controls, max_size=8).map("".join)
plain_text = st.lists(
    st.sampled_from(
        ["Your code is 918273.", "é", "日本語", "\n", ".", " ", "—", "\U0001f600", "https://x.example/?a=b&c"]
    ),
    min_size=1,
    max_size=40,
).map("".join)


def request(text: str, subject: str | None, **changed: str) -> SendRequest:
    message = MessageText(text, 1, "login", "en", subject)
    asked: dict[str, Any] = {"send_id": "AbC-1", "recipient": "jo@example.org", "channel": "email", **changed}
    now = datetime.now(UTC)
    return SendRequest(
        **asked, purpose="login", code="918273", handle=None, expires_at=now, timeout_s=1.0, message=message
    )


def as_received(letter: Letter) -> bytes:
    """What a server makes of the lines: leading dots single again (RFC 5321, section 4.5.2)."""
    assert letter.body.endswith(b"\r\n")
    lines = letter.body.split(b"\r\n")[:-1]
    assert b"." not in lines, "a line of one dot ends the message"
    assert not any(b"\r" in line or b"\n" in line or b"\x00" in line for line in lines)
    assert max(map(len, lines)) <= 998, "RFC 5322, section 2.1.1"
    return b"\r\n".join(line.removeprefix(b".") for line in lines) + b"\r\n"


def says_what_was_meant(text: str, subject: str | None, recipient: str = "jo@example.org") -> bool:
    """The property; returns whether there was a message."""
    letter = compose(request(text, subject, recipient=recipient), SETTINGS)
    if isinstance(letter, Failure):
        assert letter.effect is SendEffect.NOT_SENT
        assert letter.kind in {FailureKind.CONTENT_REJECTED, FailureKind.INVALID_RECIPIENT}
        return False
    read = message_from_bytes(as_received(letter), policy=default)
    assert sorted(read.keys()) == HEADERS
    assert read.get_content().replace("\r\n", "\n").removesuffix("\n") == text.replace("\r\n", "\n").removesuffix("\n")
    assert read["Subject"] == (subject or SETTINGS.subject)
    assert [one.addr_spec for one in read["To"].addresses] == [recipient] == [letter.recipient]
    assert [one.addr_spec for one in read["From"].addresses] == ["codes@shop.example"] == [letter.sender]
    assert not re.search(r"[\r\n\0<> ]", letter.sender + letter.recipient)
    return True


@given(text=any_text, subject=any_text | st.none(), recipient=any_text | st.just("jo@example.org"))
@settings(max_examples=FUZZED // 3, deadline=None)
@example(text="918273", subject="Code\r\nBcc: jill@example.org", recipient="jo@example.org")
@example(text="918273", subject=None, recipient="jo@example.org>\r\nRCPT TO:<jill@example.org")
@example(text="918273\r\n.\r\nMAIL FROM:<x@y.z>\r\n", subject=None, recipient="jo@example.org")
@example(text=".\n..\n.\n", subject=".", recipient="jo@example.org")
@example(text="a\rb", subject=None, recipient="jo@example.org")
def test_a_message_says_what_was_meant_or_there_is_none(text: str, subject: str | None, recipient: str) -> None:
    says_what_was_meant(text, subject, recipient)


@given(text=plain_text, subject=plain_text.filter(lambda made: "\n" not in made and made == made.strip()))
@settings(max_examples=300, deadline=None)
def test_what_templates_say_is_sent(text: str, subject: str) -> None:
    """A composer that refuses everything would pass the test above."""
    assert says_what_was_meant(text, subject)


@given(name=any_text, domain=st.just("shop.example"))
@settings(max_examples=300, deadline=None)
def test_a_sender_is_shown_by_its_name_or_refused(name: str, domain: str) -> None:
    from otpcore.errors import ConfigurationError

    named = SETTINGS.model_copy(update={"sender_name": name})
    try:
        named.judged()
    except ConfigurationError as refused:
        text = str(refused)
        assert "sender_name" in text
        return
    made = compose(request("918273", None), named)
    if isinstance(made, Letter):
        (sender,) = message_from_bytes(made.body, policy=default)["From"].addresses
        assert (sender.display_name, sender.addr_spec) == (name, "codes@shop.example")


@pytest.mark.parametrize("send_id", ["a b", "<x>", "é", "x\r\nBcc: y", "a" * 200, "", "a@b"])
def test_any_id_of_a_send_makes_an_id_of_a_message(send_id: str) -> None:
    made = compose(request("918273", None, send_id=send_id), SETTINGS)
    assert isinstance(made, Letter)
    assert re.fullmatch(r"[0-9a-f]{32}@shop\.example", made.handle)


def test_a_handle_is_never_too_long() -> None:
    far = SETTINGS.model_copy(update={"sender": f"codes@{'a.' * 100}example"})
    made = compose(request("918273", None), far)
    assert isinstance(made, Letter)
    assert made.handle == "AbC-1"
    assert f"<AbC-1@{'a.' * 100}example>".encode() in made.body.replace(b"\r\n ", b"")


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"code": None}, FailureKind.INTERNAL),
        ({"channel": "sms"}, FailureKind.INTERNAL),
        ({"recipient": "+12025550123"}, FailureKind.INVALID_RECIPIENT),
        ({"recipient": "jo@localhost"}, FailureKind.INVALID_RECIPIENT),
    ],
)
def test_what_is_no_mail_is_refused_before_anything_is_opened(
    ask: Ask, changed: dict[str, str | None], kind: FailureKind
) -> None:
    made = compose(ask(**changed), SETTINGS)
    assert isinstance(made, Failure)
    assert (made.kind, made.effect) == (kind, SendEffect.NOT_SENT)


def test_a_header_that_is_concatenated_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def unread(*_: object) -> bool:
        return True

    def concatenated(*given: object) -> object:
        _, _, recipient, subject, text, identity = given

        class Bytes:
            def as_bytes(self) -> bytes:
                head = f"From: codes@shop.example\r\nTo: {recipient}\r\nSubject: {subject}\r\nMessage-ID: <{identity}>"
                return f"{head}\r\n\r\n{text}\r\n".encode()

        return Bytes()

    import otpcore_smtp.letter as module

    monkeypatch.setattr(module, "_message", concatenated)
    monkeypatch.setattr(module, "_reads_as", unread)
    monkeypatch.setattr(module, "_NO_SUBJECT", re.compile(r"(?!)"))
    with pytest.raises(AssertionError):
        says_what_was_meant("918273", "Code\r\nBcc: jill@example.org")
