"""The processes of the kits: they have the environment of the tests' own, and nothing else of it."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from otpcore.conformance.provider.elsewhere import Elsewhere
from otpcore.conformance.store.flow import AnyStore, Flow, from_killed_process, in_processes
from otpcore.stores.memory import MemoryStore

NAME = "OTPCORE_TEST_OF_PROCESSES"
held: list[str] = []


def seen() -> tuple[str, list[str]]:
    return os.environ.get(NAME, ""), held


def answered(store: AnyStore, _number: int) -> Flow[tuple[str, list[str]]]:
    yield store.load("key")
    return seen()


def said(say: Callable[[tuple[str, list[str]]], None], store: AnyStore) -> Flow[None]:
    say((yield from answered(store, 0)))


class Seeing:
    def check(self, _handle: str) -> tuple[str, list[str]]:
        return seen()

    def close(self) -> None: ...


def handle_alone(handle: str) -> tuple[object, ...]:
    return (handle,)


def test_a_process_has_the_environment_of_the_test_and_nothing_that_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.conformance.test_processes.held", ["a lock"])
    for value in ("of this test", "of the next"):
        monkeypatch.setenv(NAME, value)
        assert seen() == (value, ["a lock"])
        assert in_processes(MemoryStore, answered, parties=2, awaited=False) == [(value, [])] * 2
        assert from_killed_process(MemoryStore, said, awaited=False) == [(value, [])]
        with Elsewhere() as elsewhere:
            assert elsewhere.call(Seeing, handle_alone, "check", "handle", 60) == (value, [])
