"""How the plugin presents itself: what it registers, what it implements, what importing it loads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points

import otpcore_vonage
from otpcore.ports import (
    Cancels,
    Checks,
    HasNativeClient,
    Provider,
    ReadsReceipts,
    ReconcilesCheck,
    TakesFeedback,
)
from otpcore_vonage import VonageSettings


def test_the_entry_point_names_the_plugin() -> None:
    (found,) = entry_points(group="otpcore", name="vonage")
    assert found.load() is otpcore_vonage


def test_it_registers_one_provider_which_the_awaiting_engine_drives_by_threads(
    settings_for: Callable[..., VonageSettings],
) -> None:
    (kind,) = otpcore_vonage.otpcore_providers()
    assert (kind.name, kind.settings, kind.build_async) == ("vonage", VonageSettings, None)
    made = kind.build(settings_for("https://api.nexmo.com"))
    for protocol in (Provider, Checks, Cancels, TakesFeedback, ReadsReceipts, HasNativeClient):
        assert isinstance(made, protocol)
    assert not isinstance(made, ReconcilesCheck), "Verify v2 cannot be asked what became of a check"


def test_importing_it_loads_neither_the_sdk_nor_an_http_library() -> None:
    script = (
        "import sys, otpcore_vonage; "
        "heavy = {'requests', 'urllib3', 'jwt', 'vonage_verify', 'vonage_http_client', 'cryptography'}; "
        "sys.exit(', '.join(sorted(heavy & sys.modules.keys())) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
