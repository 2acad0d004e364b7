"""Every cassette, replayed through both colours of the provider: what was recorded is asked, all of it and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import vcr  # type: ignore[import-untyped]  # carries no types

from tests.cassettes.playing import expected, play, play_awaiting
from tests.cassettes.record import EMULATED, FOLDER, LIVE, LIVE_ORIGIN, ORIGIN
from tests.cassettes.stories import STORIES, Story

ORIGINS: Final = {EMULATED: ORIGIN, LIVE: LIVE_ORIGIN}
COLOURS: Final = {"blocking": play, "awaiting": play_awaiting}
BY_NAME: Final = {story.name: story for story in STORIES}


def recorded() -> Iterator[tuple[str, str]]:
    """Folder and story of each cassette that there is; those of the live service are played where they exist."""
    for folder in ORIGINS:
        yield from ((folder, path.stem) for path in sorted((FOLDER / folder).glob("*.yaml")))


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> Callable[[Story, str], list[str]]:
    return COLOURS[request.param]


def replayed(
    colour: Callable[[Story, str], list[str]], story: Story, path: Path, origin: str = ORIGIN
) -> tuple[list[str], Any]:
    """What was heard, and the cassette, of which nothing was asked twice and nothing that is not there."""
    recorder: Any = vcr.VCR(record_mode=vcr.mode.NONE, match_on=["method", "uri", "body"])
    with recorder.use_cassette(path) as cassette:
        heard = colour(story, origin)
    return heard, cassette


@pytest.mark.parametrize(("folder", "name"), list(recorded()))
def test_a_story_is_understood_as_it_was_recorded(
    folder: str, name: str, colour: Callable[[Story, str], list[str]]
) -> None:
    story = BY_NAME[name]
    heard, cassette = replayed(colour, story, FOLDER / folder / f"{name}.yaml", ORIGINS[folder])
    assert heard == expected(story)
    assert cassette.all_played
    assert cassette.play_count == len(heard)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("Code=424242", "Code=424243"),
        ("Channel=sms", "Channel=call"),
        ("/VerificationCheck", "/VerificationChecks"),
        ("method: POST", "method: GET"),
    ],
)
def test_a_request_that_was_not_recorded_is_not_answered(
    was: str, becomes: str, colour: Callable[[Story, str], list[str]], tmp_path: Path
) -> None:
    """The control of the replay: a spoiled copy turns it red."""
    story = BY_NAME["right-code"]
    text = (FOLDER / EMULATED / "right-code.yaml").read_text(encoding="utf-8")
    spoiled = tmp_path / "spoiled.yaml"
    spoiled.write_text(text.replace(was, becomes), encoding="utf-8")
    assert spoiled.read_text(encoding="utf-8") != text
    heard, cassette = replayed(colour, story, spoiled)
    assert heard != expected(story)
    assert not cassette.all_played


def test_an_exchange_that_is_not_asked_for_is_noticed(
    colour: Callable[[Story, str], list[str]],
) -> None:
    """The same, where the story is shorter than its cassette."""
    story = BY_NAME["start-sms"]
    heard, cassette = replayed(colour, story, FOLDER / EMULATED / "resend.yaml")
    assert heard == expected(story)
    assert not cassette.all_played
