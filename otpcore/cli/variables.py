"""Variables that look like settings and are none, most likely because they are misspelt.

Rules of this file: names alone; what a variable holds is never looked at.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final

from dotenv import dotenv_values
from pydantic import AliasChoices, BaseModel

from otpcore.cli.asking import TOKEN_VARIABLE
from otpcore.cli.legacy import DATABASE_VARIABLE
from otpcore.hookspecs import ProviderType, StoreType
from otpcore.plugins import Plugins
from otpcore.settings import Settings

__all__ = ["unknown_variables"]

PREFIX: Final = "OTPCORE_"
NONE: Final[Mapping[str, str]] = MappingProxyType({})


def unknown_variables(
    plugins: Plugins, env_file: Path | None, instances: Mapping[str, str] = NONE
) -> dict[str, str | None]:
    """The variables `OTPCORE_…` that nothing reads, each with the known name that is nearest, if one is near.

    Args:
        plugins: those in use; the settings of their stores and providers are known.
        env_file: looked at besides the environment.
        instances: the types of the providers that have names of their own.
    """
    known = {*_names(Settings, PREFIX), TOKEN_VARIABLE, DATABASE_VARIABLE}
    kinds: list[StoreType | ProviderType] = [*plugins.stores.values(), *plugins.providers.values()]
    named = [(kind.name, kind) for kind in kinds]
    named += [(name, plugins.providers[kind]) for name, kind in instances.items() if kind in plugins.providers]
    for name, kind in named:
        known.update(_names(kind.settings, f"{PREFIX}{name.upper().replace('-', '_')}_"))
    with suppress(ModuleNotFoundError):  # without its extra nothing reads the facade's settings
        from otpcore.legacy.terms import LegacySettings  # noqa: PLC0415  # an extra

        known.update(_names(LegacySettings, f"{PREFIX}LEGACY_"))
    given: Iterable[str] = (*os.environ, *(dotenv_values(env_file) if env_file is not None else ()))
    strange = sorted({name for name in given if name.upper().startswith(PREFIX) and name.upper() not in known})
    return {name: next(iter(difflib.get_close_matches(name.upper(), known, 1, 0.8)), None) for name in strange}


def _names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}".upper()
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        yield from (each.upper() for each in choices if isinstance(each, str))
