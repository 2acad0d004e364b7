"""Recording from the live service, as far as it goes without a network: what it asks of the environment, and what it
writes down, with an emulator in the place of Twilio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from otpcore.errors import ConfigurationError
from otpcore_twilio.emulator import Emulator, serve
from tests.cassettes.judging import complaints, differences
from tests.cassettes.record import (
    EMULATED,
    FOLDER,
    LIVE,
    LIVE_ORIGIN,
    VARIABLES,
    Live,
    Rewriting,
    live_from,
    main,
    record_live,
)
from tests.cassettes.stories import NUMBER, STORIES

OTHER: Final = "+12135550187"
GIVEN: Final = {
    "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
    "TWILIO_AUTH_TOKEN": "2" * 32,
    "TWILIO_SERVICE_SID": "VA" + "3" * 32,
    "OTPCORE_CASSETTES_NUMBER": OTHER,
}


def test_the_environment_that_says_nothing_asks_for_the_emulator() -> None:
    assert live_from({}) is None
    assert live_from(dict.fromkeys(VARIABLES, "")) is None


def test_the_whole_environment_asks_for_the_live_service() -> None:
    source = live_from(GIVEN)
    assert source is not None
    assert (source.origin, source.shown_as, source.number) == (LIVE_ORIGIN, LIVE_ORIGIN, OTHER)
    assert GIVEN["TWILIO_AUTH_TOKEN"] not in repr(source)


@pytest.mark.parametrize("name", VARIABLES)
def test_half_an_environment_is_refused_and_nothing_recorded(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for given in ({name: GIVEN[name]}, {each: value for each, value in GIVEN.items() if each != name}):
        assert main(given, tmp_path) == 2
        said = capsys.readouterr().err
        missing = [each for each in VARIABLES if each not in given]
        assert f"missing: {', '.join(missing)}." in said
        assert not any(value in said for value in given.values())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [each for each in VARIABLES if each != "TWILIO_AUTH_TOKEN"])
def test_a_value_that_cannot_be_is_refused_by_its_name_alone(name: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        live_from(GIVEN | {name: "no such 12345"})
    assert name in str(refused.value)
    assert "12345" not in str(refused.value)


# --- an emulator in the place of the live service -------------------------------------------------


@pytest.fixture(scope="module")
def stand_in() -> Iterator[Emulator]:
    with serve() as emulator:
        yield emulator


def source_of(emulator: Emulator) -> Live:
    return Live(
        origin=emulator.url,
        username=emulator.account_sid,
        password=emulator.auth_token,
        service_sid=emulator.service_sid,
        number=OTHER,
        read_code=lambda: emulator.latest_code(OTHER),
        pause=emulator.advance,
    )


@pytest.fixture(scope="module")
def written(stand_in: Emulator, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What is recorded, with real-looking ids, a token, codes and another number on the wire."""
    return record_live(tmp_path_factory.mktemp("live") / LIVE, source_of(stand_in))


def test_it_records_what_one_ordinary_number_can_show(written: list[Path]) -> None:
    assert [path.stem for path in written] == [story.name for story in STORIES if story.live]
    for path in written:
        head = path.read_text(encoding="utf-8").splitlines()[1]
        assert head == "# Recorded from the live service; ids, numbers and codes are replaced."


def test_what_it_writes_holds_nothing_of_the_account(written: list[Path], stand_in: Emulator) -> None:
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert complaints(text, LIVE_ORIGIN) == []
        assert OTHER[1:] not in text
        assert NUMBER[1:] in text
        assert not any(f"Code={message.code}" in text for message in stand_in.inbox())
        for secret in (stand_in.account_sid, stand_in.auth_token, stand_in.service_sid, stand_in.url):
            assert secret not in text


def test_each_story_begins_without_a_verification_of_the_number(written: list[Path]) -> None:
    """Else a story would go on with the one before: it is told as from a fresh emulator."""
    for path in written:
        kept = (FOLDER / EMULATED / path.name).read_text(encoding="utf-8")
        told = path.read_text(encoding="utf-8").replace(LIVE_ORIGIN, "http://127.0.0.1:4010")
        assert differences(kept, told) == [], path.stem


def test_what_is_not_rewritten_is_complained_of(
    stand_in: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the same recording without the rewriting holds what it must not."""

    def unchanged(_: Rewriting, text: str) -> str:
        return text

    monkeypatch.setattr(Rewriting, "text", unchanged)
    monkeypatch.setattr("tests.cassettes.record.STORIES", [story for story in STORIES if story.name == "right-code"])
    stand_in.advance(601)
    (path,) = record_live(tmp_path, source_of(stand_in))
    found = complaints(path.read_text(encoding="utf-8"), LIVE_ORIGIN)
    assert {"secret: an id AC… as it was", "secret: an id VE… as it was", "secret: a Code of its own"} <= {*found}
    assert "host: a request to another" in found
