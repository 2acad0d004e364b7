"""What the tests of the AWS providers share: servers that answer as AWS does, and a machine that knows no AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otpcore.conformance.provider import MisbehavingServer
from tests.aws_vendor import Signer, sns_answer, text_answer


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("signer"))


@pytest.fixture
def text_server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer(text_answer) as server:
        yield server


@pytest.fixture
def sns_server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer(sns_answer) as server:
        yield server


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's AWS is read."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
