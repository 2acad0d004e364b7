"""Links lead somewhere, variables exist, nothing of one machine and nobody's number is shown."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from otpcore.hookspecs import ProviderType, StoreType
from otpcore.legacy import LegacySettings
from otpcore.plugins import Plugins
from otpcore.settings import Settings
from tests.docs.pages import PAGES, ROOT, anchors, blocks, links, prose, read, shown

EXAMPLES = frozenset({"OTPCORE_SQLITE_PATH"})
"""Variables of the plugins that the pages make."""

RESERVED = re.compile(r"\+1(202|303)55501\d\d|\+1500555\d{4}|\+237671234567|\+442079460\d{3}")
"""Numbers that nobody has: 555-01xx, Twilio's magic numbers, Ofcom's for drama, the legacy documentation's."""

_VARIABLE = re.compile(r"\bOTPCORE_[A-Z0-9_]*[A-Z0-9]\b")
_NUMBER = re.compile(r"(?<![\w+])\+\d{7,15}(?![\w{])")
_MACHINE = re.compile(r"(?<![\w.~-])/(?:work|root|home|tmp|Users)/")


def dead_links(page: Path, text: str) -> list[str]:
    """The links of a page that lead nowhere."""
    dead: list[str] = []
    for link in links(text):
        if re.match(r"[a-z]+:", link):
            continue
        where, _, anchor = link.partition("#")
        target = (page.parent / where).resolve() if where else page
        held = text if target == page else read(target) if target.is_file() and target.suffix == ".md" else ""
        if not target.exists() or (anchor and anchor not in anchors(held)):
            dead.append(link)
    return dead


def variables() -> Iterator[str]:
    """Every variable that is read: of engine and facade, of the plugins that are here, of the command line."""
    yield from (f"OTPCORE_{name.upper()}" for name in Settings.model_fields)
    yield from (f"OTPCORE_LEGACY_{name.upper()}" for name in LegacySettings.model_fields)
    plugins = Plugins(allow=sorted(path.name.removeprefix("otpcore-") for path in (ROOT / "plugins").iterdir()))
    plugins.discover()
    kinds: list[ProviderType | StoreType] = [*plugins.providers.values(), *plugins.stores.values()]
    for kind in kinds:
        prefix = f"OTPCORE_{kind.name.upper().replace('-', '_')}_"
        yield from (f"{prefix}{name.upper()}" for name in kind.settings.model_fields)
    for path in (ROOT / "otpcore" / "cli").glob("*.py"):
        yield from re.findall(r'"(OTPCORE_[A-Z_]+)"', read(path))


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_link_leads_to_a_page_that_is_there_and_to_one_of_its_headings(page: Path) -> None:
    assert dead_links(page, read(page)) == []


@pytest.mark.parametrize("link", ["nowhere.md", "concepts/policy.md#nothing", "#nothing", "../docs"])
def test_a_link_that_leads_nowhere_is_noticed(link: str) -> None:
    page = ROOT / "docs" / "index.md"
    found = dead_links(
        page, f"# A page\n\nSee [this]({link}), [that](#a-page) and [us](concepts/policy.md#the-ladder).\n"
    )
    assert found == ([] if link == "../docs" else [link])


def test_every_variable_that_a_page_names_is_read_by_somebody() -> None:
    known = {*variables(), *EXAMPLES}
    named = {(shown(page), name) for page in PAGES for name in _VARIABLE.findall(read(page))}
    assert named
    assert {(page, name) for page, name in named if name not in known} == set()


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_a_page_shows_nothing_of_one_machine(page: Path) -> None:
    assert _MACHINE.findall(read(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_a_page_shows_no_number_that_somebody_may_have(page: Path) -> None:
    assert [number for number in _NUMBER.findall(read(page)) if not RESERVED.fullmatch(number)] == []


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_fence_is_closed(page: Path) -> None:
    assert "```" not in prose(read(page))


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_python_block_is_marked_as_what_it_is_and_parses(page: Path) -> None:
    for block in blocks(read(page)):
        assert block.language not in {"py", "python3", "pycon"}, block
        if block.language == "python":
            assert re.fullmatch(r"|fragment|file=\w+\.py", block.role), block
            ast.parse(block.text)


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_a_page_has_one_title_and_it_comes_first(page: Path) -> None:
    text = prose(read(page))
    titles = re.findall(r"^# .*$", text, re.MULTILINE)
    assert len(titles) == 1
    assert re.sub(r"^<!--.*?-->\s*", "", text.lstrip()).startswith(titles[0])
