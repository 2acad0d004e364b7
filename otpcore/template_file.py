"""The file of templates that `OTPCORE_TEMPLATES` names.

Rules of this file: it reads TOML and judges its shape; what a template may be is judged in `otpcore.messages`. What
is refused names the template and the rule, and quotes no text.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final, cast

from otpcore.errors import ConfigurationError
from otpcore.messages import Template, Templates

__all__ = ["load_templates"]

_TEXTS: Final = frozenset({"name", "locale", "text", "purpose", "channel", "subject", "webotp_domain", "app_hash"})
_KNOWN: Final = _TEXTS | {"dlt", "max_segments"}
_NEEDED: Final = ("name", "locale", "text")


def load_templates(path: Path) -> Templates:
    """Read a catalogue: tables `[[template]]` with the attributes of `Template`, and `default_locale`.

    Without `default_locale` it is the language of the first template. The built-in templates are not part of it.

    Raises:
        ConfigurationError: the file is not there, is no TOML, or breaks a rule, with the template and the rule.
    """
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"OTPCORE_TEMPLATES: {path} is no TOML: {error}.") from None
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"OTPCORE_TEMPLATES: {path} cannot be read ({type(error).__name__}).") from None
    given: object = found.get("template")
    tables = cast("list[object]", given) if isinstance(given, list) else []
    if not tables or not all(isinstance(each, dict) for each in tables):
        raise ConfigurationError(f"OTPCORE_TEMPLATES: {path} has no tables [[template]].")
    if unknown := sorted(found.keys() - {"template", "default_locale"}):
        raise ConfigurationError(
            f"OTPCORE_TEMPLATES: {path} has, beside [[template]], default_locale and nothing else, not {unknown[0]!r}."
        )
    default = found.get("default_locale")
    if default is not None and not isinstance(default, str):
        raise ConfigurationError(f"OTPCORE_TEMPLATES: default_locale in {path} is a text.")
    try:
        templates = tuple(_template(place, each) for place, each in enumerate(cast("list[dict[str, Any]]", tables), 1))
        return Templates(templates, default or templates[0].locale)
    except ConfigurationError as error:
        raise ConfigurationError(f"OTPCORE_TEMPLATES: {error}") from None


def _template(place: int, table: dict[str, Any]) -> Template:
    name = table.get("name")
    label = f"Template {name!r}" if isinstance(name, str) and name.isprintable() else f"Template number {place}"
    if unknown := sorted(table.keys() - _KNOWN):
        raise ConfigurationError(f"{label}: there is no {unknown[0]!r}; there are {', '.join(sorted(_KNOWN))}.")
    if missing := [each for each in _NEEDED if each not in table]:
        raise ConfigurationError(f"{label}: {missing[0]} is needed.")
    if wrong := sorted(each for each in _TEXTS & table.keys() if not isinstance(table[each], str)):
        raise ConfigurationError(f"{label}: {wrong[0]} is a text.")
    dlt: object = table.get("dlt", {})
    if type(table.get("max_segments", 1)) is not int:
        raise ConfigurationError(f"{label}: max_segments is a whole number.")
    if not isinstance(dlt, dict) or not all(isinstance(each, str) for each in cast("dict[str, object]", dlt).values()):
        raise ConfigurationError(f"{label}: dlt is a table of texts.")
    return Template(**table)
