"""The gateways that come with the plugin: each a file of this package, read as any operator's file is.

Rules of this file: reading, and what settings may put in the place of a preset's own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from otpcore.errors import ConfigurationError
from otpcore_http.gateway import Gateway, read_gateway, read_table

__all__ = ["PRESETS", "preset", "preset_file"]

PRESETS: Final = ("africastalking", "android-gateway", "kannel", "46elks")
"""Names of the presets, which are those of their provider types."""


def preset_file(name: str) -> Path:
    """The file of a preset.

    Raises:
        ConfigurationError: there is none of this name.
    """
    if name not in PRESETS:
        raise ConfigurationError(f"There is no such preset; there are {', '.join(PRESETS)}.")
    return Path(__file__).parent / "presets" / f"{name}.toml"


def preset(name: str, changes: Mapping[str, Any] | None = None) -> Gateway:
    """The gateway of a preset.

    Args:
        name: of the preset.
        changes: tables and values of the first level that take the place of its own.

    Raises:
        ConfigurationError: there is none of this name, or a change cannot be.
    """
    return read_gateway(read_table(preset_file(name)) | dict(changes or {}), name)
