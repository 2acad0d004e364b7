"""How the plugin presents itself, and that its page says what is so."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import otpcore_smpp
from otpcore.ports import AsyncProvider, CodeOwner, Provider, ReadsReceipts
from otpcore_smpp import SmppSettings
from otpcore_smpp.statuses import STATUSES
from tests.smpp_lines import settings_of

PAGE = (Path(__file__).parents[3] / "docs" / "providers" / "smpp.md").read_text()


def test_the_entry_point_names_the_plugin() -> None:
    (found,) = entry_points(group="otpcore", name="smpp")
    assert found.load() is otpcore_smpp


def test_it_registers_one_provider_in_both_colours() -> None:
    (provider,) = otpcore_smpp.otpcore_providers()
    assert (provider.name, provider.settings) == ("smpp", SmppSettings)
    assert provider.build_async is not None
    for made, protocol in (
        (provider.build(settings_of(1)), Provider),
        (provider.build_async(settings_of(1)), AsyncProvider),
    ):
        assert isinstance(made, protocol)
        assert isinstance(made, ReadsReceipts)
        assert made.capabilities.code_owners == {CodeOwner.CORE}
        assert made.capabilities.channels == {"sms"}


def test_the_page_names_every_setting_and_its_default() -> None:
    for name, about in SmppSettings.model_fields.items():
        (row,) = [line for line in PAGE.splitlines() if line.startswith("| ") and f"`{name}`" in line.split(" | ")[0]]
        if isinstance(about.default, str | int | float) and about.default not in ("", True, False):
            assert f"{about.default:g}" in row if isinstance(about.default, float) else str(about.default) in row, name


def test_the_page_has_the_statuses_under_their_kinds() -> None:
    for name, kind in STATUSES.values():
        rows = [line for line in PAGE.splitlines() if line.startswith("| ESME") and name in line]
        assert all(kind.name in row for row in rows), name
