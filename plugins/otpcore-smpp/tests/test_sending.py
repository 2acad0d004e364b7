"""One send over a real link, in both colours: what reaches the SMSC, and what the core is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from otpcore.ports import Accepted, Failure, FailureKind, SendEffect, SendRequest
from tests.smsc import Smsc, accept, cut, cut_mid_answer, nack, refuse, silence

ASK = Callable[..., SendRequest]


def test_a_message_is_submitted_once_and_accepted(line: Any, smsc: Smsc) -> None:
    answer = line.send()
    assert isinstance(answer, Accepted), answer
    assert answer.handle == "1A2B"
    assert answer.segments == 1
    assert smsc.binds == [("otpcore", "s3cr3t", "")]
    (seen,) = smsc.submits
    assert seen.source == (5, 0, "Otpcore")
    assert seen.destination == (1, 1, "12025550123")
    assert (seen.short, seen.coding, seen.registered) == (b"918273 is your code.", 0, 1)
    assert seen.validity.startswith("0000000004"), seen.validity
    assert seen.validity.endswith("000R")
