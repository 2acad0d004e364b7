"""The cassettes are what their README says: complete, without secrets, under their own host, up to date."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.cassettes.judging import complaints, differences, interactions
from tests.cassettes.record import EMULATED, FOLDER, LIVE, LIVE_ORIGIN, ORIGIN, record_emulated
from tests.cassettes.stories import STORIES, Story

FILES: Final = sorted((FOLDER / EMULATED).glob("*.yaml")) + sorted((FOLDER / LIVE).glob("*.yaml"))
SAMPLE: Final = FOLDER / EMULATED / "right-code.yaml"


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of recordings that were made now."""
    folder = tmp_path_factory.mktemp("again")
    record_emulated(folder)
    return folder


def test_each_story_has_a_cassette_and_no_cassette_is_without_one() -> None:
    assert {path.stem for path in FILES if path.parent.name == EMULATED} == {story.name for story in STORIES}
    assert {path.stem for path in FILES if path.parent.name == LIVE} <= {story.name for story in STORIES if story.live}
    assert len(STORIES) == len({story.name for story in STORIES}) >= 19


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_cassette_holds_no_secret_no_number_of_a_person_and_no_other_host(path: Path) -> None:
    origin = ORIGIN if path.parent.name == EMULATED else LIVE_ORIGIN
    assert complaints(path.read_text(encoding="utf-8"), origin) == []


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_cassette_begins_with_its_story_and_where_it_comes_from(story: Story) -> None:
    lines = (FOLDER / EMULATED / f"{story.name}.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"# {story.text}"
    assert lines[1].startswith("# Recorded from the project's emulator, not from Twilio. Options in force: ")
    assert sum(line.startswith("# fault:") for line in lines) == len(story.options.get("faults", ()))
    assert sum(line.startswith("# magic:") for line in lines) == len(story.options.get("magic", ()))


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_recorded_again_a_story_is_told_the_same(story: Story, again: Path) -> None:
    """Requests, statuses, keys in their order, types and words; ids and instants apart. Else: `make cassettes`."""
    name = f"{story.name}.yaml"
    kept, new = ((folder / name).read_text(encoding="utf-8") for folder in (FOLDER / EMULATED, again))
    assert differences(kept, new) == []


# --- each of these judgements is seen red ---------------------------------------------------------

SID: Final = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"

SPOILED: Final[dict[str, tuple[str, str, str]]] = {
    "account sid": ("AC00000000000000000000000000000000", f"AC{SID}", "secret: an id AC"),
    "verification sid": ("VE00000000000000000000000000000002", f"VE{SID}", "secret: an id VE"),
    "service sid in an address": ("Services/VA00000000000000000000000000000000", f"Services/VA{SID}", "secret: an id"),
    "auth token": ('"payee":null', f'"payee":"{SID}"', "secret: 32 hexadecimal"),
    "authorization": (
        "      Content-Type:\n",
        "      Authorization:\n      - Basic QUMwMDA6dG9rZW4=\n      Content-Type:\n",
        "secret: request headers ['authorization']",
    ),
    "credentials in a body": ('"payee":null', '"payee":"Basic QUMwMDA6dG9rZW4="', "secret: credentials"),
    "a response's header": ("- (left out)", "- Mon, 05 Jan 2026 09:00:00 GMT", "secret: the response header date"),
    "the code that was sent": ("&VerificationSid", "1&VerificationSid", "secret: a Code"),
    "a real number": ("12025550123", "12025551234", "number: "),
    "a real number, quoted": ("%2B12025550123", "%2B33612345678", "number: "),
    "Twilio's host": ("http://127.0.0.1:4010", "https://verify.twilio.com", "host: Twilio's"),
    "Twilio's host in a body": ('"url":"http://127.0.0.1:4010', '"url":"https://verify.twilio.com', "host: Twilio's"),
    "the emulator's real port": ("uri: http://127.0.0.1:4010", "uri: http://127.0.0.1:39417", "host: a request"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_spoiled_copy_is_complained_of(what: str) -> None:
    was, becomes, complaint = SPOILED[what]
    text = SAMPLE.read_text(encoding="utf-8")
    assert was in text
    assert not complaints(text, ORIGIN)
    found = complaints(text.replace(was, becomes), ORIGIN)
    assert any(each.startswith(complaint) for each in found), found


def test_a_recording_of_the_emulator_is_none_of_the_live_service() -> None:
    assert any(each.startswith("host: ") for each in complaints(SAMPLE.read_text(encoding="utf-8"), LIVE_ORIGIN))


def without_the_last(text: str) -> str:
    return text[: text.rindex("- request:")] + "version: 1\n"


CHANGED: Final[dict[str, tuple[Callable[[str], str], str]]] = {
    "an exchange less": (without_the_last, "2 exchanges and 1"),
    "another method": (lambda text: text.replace("method: POST", "method: PUT"), "exchange 0: method"),
    "another path": (lambda text: text.replace("/VerificationCheck", "/Check"), "exchange 1: address"),
    "another parameter": (lambda text: text.replace("Channel=sms", "Channel=sms&Locale=en"), "exchange 0: form"),
    "another order of parameters": (
        lambda text: re.sub(r"(To=[^&]+)&(Channel=sms)", r"\2&\1", text),
        "exchange 0: form",
    ),
    "another status": (lambda text: text.replace("code: 200", "code: 201"), "exchange 1: status"),
    "another header": (lambda text: text.replace("      date:", "      via:"), "exchange 0: headers"),
    "another order of keys": (
        lambda text: text.replace('"status":"pending","payee":null', '"payee":null,"status":"pending"'),
        "exchange 0: body",
    ),
    "another type": (lambda text: text.replace('"valid":true', '"valid":"true"'), "exchange 1: body"),
    "a key more": (lambda text: text.replace('"payee":null', '"payee":null,"sna":null'), "exchange 0: body"),
    "another word": (lambda text: text.replace('"status":"approved"', '"status":"pending"'), "exchange 1: body"),
    "an instant of another form": (lambda text: re.sub(r"(T09:00:\d\d)Z", r"\1+00:00", text), "exchange 0: body"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_recording_that_differs_is_told_apart(what: str) -> None:
    change, difference = CHANGED[what]
    text = SAMPLE.read_text(encoding="utf-8")
    changed = change(text)
    assert changed != text
    assert difference in differences(text, changed)


def test_ids_and_instants_make_no_difference() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    later = text.replace("T09:00:", "T10:30:").replace("VE00000000000000000000000000000002", f"VE{SID}")
    assert later != text
    assert differences(text, later) == []
    assert len(interactions(text)) == 2
