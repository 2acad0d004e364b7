"""Plays a story through the provider, in either colour, and says in few words what each answer meant.

Rule of this file: it asks; what is right is said by the story and by the tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import SecretStr

from otpcore.ports import Accepted, CheckAnswer, CheckRequest, Failure, FailureKind, SendRequest
from otpcore_twilio import AsyncTwilioProvider, TwilioProvider, TwilioSettings
from tests.cassettes.record import LISTED
from tests.cassettes.stories import ACCOUNT, NUMBER, SERVICE, Attempts, Cancel, Check, Pass, Send, Step, Story

__all__ = ["expected", "listed", "play", "play_awaiting", "told"]

TIMEOUT_S: Final = 5.0


def told(answer: Accepted | Failure | CheckAnswer, last: str | None = None) -> str:
    """The gist of an answer; `last` is the verification of the send before."""
    if isinstance(answer, Accepted):
        return "accepted, same verification" if answer.handle == last else "accepted"
    if isinstance(answer, Failure):
        whose = f" of {answer.scope}" if answer.kind is FailureKind.RATE_LIMITED else ""
        words = [f"{answer.kind}{whose}", str(answer.effect)]
    else:
        words = [str(answer.verdict)]
    if answer.provider_code is not None:
        words.append(answer.provider_code)
    if answer.retry_after is not None:
        words.append(f"after {answer.retry_after.total_seconds():.0f} s")
    return ", ".join(words)


def listed(attempts: Any) -> str:
    """The gist of a list of attempts, as the SDK gives it."""
    return ", ".join(f"{attempt.channel} {attempt.conversion_status}" for attempt in attempts)


class _Script:
    """What each step asks of a provider, and what was heard."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.heard: list[str] = []
        self.handle: str | None = None

    def asks(self) -> Iterator[tuple[Step, Any]]:
        for step in self.story.steps:
            if isinstance(step, Send):
                yield step, _send(step)
            elif isinstance(step, Check):
                handle = None if step.by_number else step.sid or self.handle
                yield step, CheckRequest(handle, NUMBER if handle is None else None, step.code, TIMEOUT_S)
            elif not isinstance(step, Pass):
                yield step, self.handle

    def hear(self, answer: Any) -> None:
        if isinstance(answer, bool):
            self.heard.append("canceled" if answer else "not canceled")
        elif isinstance(answer, Accepted | Failure | CheckAnswer):
            self.heard.append(told(answer, self.handle))
            if isinstance(answer, Accepted):
                self.handle = answer.handle
        else:
            self.heard.append(listed(answer))


def play(story: Story, origin: str) -> list[str]:
    """Blocking; the steps that ask nothing are left out."""
    script, provider = _Script(story), TwilioProvider(_settings(story, origin))
    for step, asked in script.asks():
        if isinstance(step, Send):
            script.hear(provider.send(asked))
        elif isinstance(step, Check):
            script.hear(provider.check(asked))
        elif isinstance(step, Cancel):
            script.hear(provider.cancel(asked, TIMEOUT_S))
        else:
            script.hear(provider.native_client.verify.v2.verification_attempts.list(**_sends_of(asked)))
    provider.close()
    return script.heard


def play_awaiting(story: Story, origin: str) -> list[str]:
    """The same, awaited."""

    async def played() -> list[str]:
        script, provider = _Script(story), AsyncTwilioProvider(_settings(story, origin))
        for step, asked in script.asks():
            if isinstance(step, Send):
                script.hear(await provider.send(asked))
            elif isinstance(step, Check):
                script.hear(await provider.check(asked))
            elif isinstance(step, Cancel):
                script.hear(await provider.cancel(asked, TIMEOUT_S))
            else:
                attempts = provider.native_client.verify.v2.verification_attempts
                script.hear(await attempts.list_async(**_sends_of(asked)))
        await provider.close()
        return script.heard

    return asyncio.run(played())


def expected(story: Story) -> list[str]:
    """What a player of this story hears."""
    return [step.expect for step in story.steps if isinstance(step, Send | Check | Cancel | Attempts)]


def _send(step: Send) -> SendRequest:
    return SendRequest(
        send_id="s",
        recipient=step.to,
        channel=step.channel,
        purpose="login",
        code=step.code,
        handle=None,
        expires_at=datetime.now(UTC) + timedelta(seconds=300),
        timeout_s=TIMEOUT_S,
    )


def _sends_of(handle: str) -> dict[str, Any]:
    return {"verify_service_sid": SERVICE, "verification_sid": handle, "limit": LISTED, "page_size": LISTED}


def _settings(story: Story, origin: str) -> TwilioSettings:
    return TwilioSettings(
        account_sid=ACCOUNT,
        auth_token=SecretStr("t" * 32),
        service_sid=SERVICE,
        origin=origin,
        custom_code_enabled=story.custom_codes,
    )
