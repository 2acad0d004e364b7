"""Settings: the one place where the environment and files are read.

Rules of this file: what is read here is handed on as values; nobody else looks at the environment. A refusal is a
`ConfigurationError` that names the variable and the rule, and never quotes what was given. A call's overrides win
over the environment, the environment over the env file, that over defaults; an empty variable counts as not set.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from dotenv.parser import parse_stream
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    create_model,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from otpcore.contract import CodeOwner, Durability, StoreCapabilities
from otpcore.errors import ConfigurationError, PepperError
from otpcore.messages import DEFAULT_TEMPLATES, Templates
from otpcore.pepper_file import MAKE_PEPPER, load_or_create_pepper, pepper_bytes
from otpcore.phone import RegionPolicy
from otpcore.policy import PROFILES, Profile, profile_named
from otpcore.route_file import named_types, read_routes
from otpcore.routing import Routing
from otpcore.setting_errors import refusal_of
from otpcore.template_file import load_templates

__all__ = [
    "Settings",
    "data_folder",
    "load_or_create_pepper",
    "load_plugin_settings",
    "load_settings",
    "pepper_for",
]

PREFIX: Final = "OTPCORE_"

_Model = TypeVar("_Model", bound=BaseModel)
_Settings = TypeVar("_Settings", bound=BaseSettings)
_Variables = Mapping[str, tuple[str, ...]]


def _is_pepper(secret: SecretStr) -> SecretStr:
    pepper_bytes(secret.get_secret_value())
    return secret


def _listed(given: object) -> object:
    """A text with commas as a tuple; anything else as it is."""
    return tuple(part.strip() for part in given.split(",") if part.strip()) if isinstance(given, str) else given


def data_folder() -> Path:
    """Where this platform keeps a program's data: the store's file, and a made pepper, unless a setting says otherwise.

    `$XDG_DATA_HOME/otpcore`, else `~/.local/share/otpcore` (XDG Base Directory 0.8: a relative path in the variable
    is ignored); on macOS `~/Library/Application Support/otpcore`.
    """
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/otpcore").expanduser()
    configured = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
    return (configured if configured.is_absolute() else Path("~/.local/share").expanduser()) / "otpcore"


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Pepper = Annotated[SecretStr, AfterValidator(_is_pepper)]


class Settings(BaseSettings):
    """What an operator says.

    The variable of a field is `OTPCORE_` and its name in capitals; a list is written with commas.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_by_name=True,
        validate_by_alias=True,
    )

    tenant: str = Field(default="default", min_length=1, description="whose recipients these are")
    provider: str = Field(default="console", description="name of the provider type that sends")
    providers: Names = Field(
        default=(), description="several of them, in the order of preference: types, or `name=type`; unset: the one"
    )
    routes: Path | None = Field(default=None, description="file of the rules which provider sends what (TOML)")
    store: str = Field(default="tinydb", description="name of the store type that keeps the records")
    profile: str = Field(default="default", description="name of the policy profile")
    purposes: Names = Field(default=("login",), min_length=1, description="what may be confirmed")
    pepper: Pepper | None = Field(default=None, description="secret of every pseudonym and digest, 32 bytes or more")
    previous_peppers: Annotated[tuple[Pepper, ...], NoDecode, BeforeValidator(_listed)] = Field(
        default=(), description="peppers that are being rotated out, oldest first"
    )
    plugins: Names = Field(default=(), description="names of the installed plugins that may be used")
    plugins_blocked: Names = Field(default=(), description="names of plugins that are never used")
    production: bool = Field(default=False, description="refuse everything that is made for demonstrations")
    workers: int = Field(
        default=1,
        ge=1,
        validation_alias=AliasChoices("OTPCORE_WORKERS", "WEB_CONCURRENCY"),
        description="processes that serve with these settings at once; also read from `WEB_CONCURRENCY`",
    )
    durability: Durability | None = Field(
        default=None,
        description="least that a record must survive: `volatile`, `process`, `disk` or `replicated`; "
        "unset: `process` in production",
    )
    code_digits: int = Field(default=6, ge=6, le=10, description="length of a code that the core makes")
    code_lifetime_s: int = Field(default=600, ge=1, le=600, description="seconds that a code lives")
    code_owner: CodeOwner | None = Field(default=None, description="who makes the codes; unset: the provider if it can")
    allow_regions: Names | None = Field(default=None, description="the only regions served; unset: all but 001")
    deny_regions: Names = Field(default=(), description="regions that are never served")
    provider_timeout_s: float = Field(default=8.0, gt=0, le=10, description="seconds that one provider call may take")
    provider_concurrency: int = Field(default=64, ge=1, le=10_000, description="sends of a provider under way at once")
    keep_number: bool = Field(default=False, description="sessions keep the number, sealed, where a rule needs it")
    brand: str = Field(default="", description="name of the service in messages")
    templates: Path | None = Field(default=None, description="TOML file of messages; unset: the built-in ones")
    webotp_domain: str | None = Field(default=None, description="host whose pages may fill in the code of an SMS")
    app_hash: str | None = Field(default=None, description="11 characters by which an Android app finds its SMS")
    data_dir: Path = Field(default_factory=data_folder, description="where a made pepper is kept by default")

    @field_validator("profile")
    @classmethod
    def _profile_exists(cls, name: str) -> str:
        if name not in PROFILES:
            raise ValueError(f"must be one of {', '.join(PROFILES)}")
        return name

    @field_validator("providers")
    @classmethod
    def _providers_have_names(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        named_types(given)
        return given

    @field_validator("allow_regions", "deny_regions")
    @classmethod
    def _regions_exist(cls, regions: tuple[str, ...] | None) -> tuple[str, ...] | None:
        try:
            RegionPolicy(deny_regions=frozenset(regions or ()))
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return regions

    @field_validator("data_dir")
    @classmethod
    def _home_is_expanded(cls, folder: Path) -> Path:
        return folder.expanduser()

    def instances(self) -> dict[str, str]:
        """The provider types that send, by the names of their instances, in the order of preference."""
        return named_types(self.providers) or {self.provider: self.provider}

    def routing(self) -> Routing | None:
        """The rules of the file of routes; None where there is no file.

        Raises:
            ConfigurationError: naming the rule and the field.
        """
        return None if self.routes is None else read_routes(self.routes)

    def policy(self) -> Profile:
        """The named profile with this length and lifetime of codes."""
        lifetime = timedelta(seconds=self.code_lifetime_s)
        return replace(profile_named(self.profile), code_digits=self.code_digits, code_lifetime=lifetime)

    def destinations(self) -> RegionPolicy:
        """Which regions are served."""
        allowed = None if self.allow_regions is None else frozenset(self.allow_regions)
        return RegionPolicy(allow_regions=allowed, deny_regions=frozenset(self.deny_regions))

    def catalogue(self) -> Templates:
        """The messages for codes of the core; `ConfigurationError` names the template and the rule."""
        found = DEFAULT_TEMPLATES if self.templates is None else load_templates(self.templates.expanduser())
        return found.ending(webotp_domain=self.webotp_domain, app_hash=self.app_hash)

    def previous(self) -> tuple[bytes, ...]:
        """The peppers that are being rotated out, oldest first."""
        return tuple(pepper_bytes(pepper.get_secret_value()) for pepper in self.previous_peppers)


def load_settings(*, env_file: Path | None = None, **overrides: Any) -> Settings:
    """The settings of this process.

    Args:
        env_file: lines of `NAME=value`; the environment wins over it.
        **overrides: settings by their names; they win over everything.

    Raises:
        PepperError: a pepper is too short or misshapen.
        ConfigurationError: anything else, naming each variable and its rule.
    """
    if "provider" in overrides:  # one that is named by a call wins over several of the environment
        overrides = {"providers": (), **overrides}
    return _read(Settings, _variables(Settings, PREFIX), env_file, overrides)


def load_plugin_settings(
    kind_name: str, model: type[_Model], *, env_file: Path | None = None, **overrides: Any
) -> _Model:
    """Fill the settings model of a provider or store type.

    A field is read from `OTPCORE_<NAME>_<FIELD>`, then from the other names that its `validation_alias` declares.
    The model is given the text as it stands there.

    Args:
        kind_name: name of the type, or of the instance where it has one of its own; hyphens become underscores.
        model: its settings.
        env_file: as for `load_settings`.
        **overrides: values by field name; they win over everything.

    Raises:
        ConfigurationError: naming each variable and its rule.
    """
    variables = _variables(model, f"{PREFIX}{kind_name.upper().replace('-', '_')}_")
    _refuse_unknown(overrides, variables)
    reader = _reader(model, tuple(variables.items()))
    given = _read(reader, variables, env_file, {}).model_dump(exclude_unset=True) | overrides
    return _validated(lambda: model.model_validate(given, by_name=True, by_alias=False), variables)


# --- pepper ----------------------------------------------------------------------------------


def pepper_for(settings: Settings, store: StoreCapabilities, *, beside: Path | None = None) -> bytes | None:
    """The pepper of an engine over this store.

    Args:
        settings: the configured pepper wins.
        store: what the store promises.
        beside: the store's own file, if it has one; a made pepper is the file `pepper` in the same folder, else
            in `settings.data_dir`.

    Returns:
        At least 32 bytes; None where the store keeps nothing, and so the engine may make one for its life.

    Raises:
        PepperError: none is configured and other machines use this store too; or see `load_or_create_pepper`.
    """
    if settings.pepper is not None:
        return pepper_bytes(settings.pepper.get_secret_value())
    if store.shared:
        raise PepperError(
            "Several machines can use this store, so each must be given the same pepper: set OTPCORE_PEPPER; "
            f"{MAKE_PEPPER}"
        )
    if store.durability is Durability.VOLATILE:
        return None
    return load_or_create_pepper((beside.expanduser().parent if beside else settings.data_dir) / "pepper")


# --- reading ---------------------------------------------------------------------------------


def _variables(model: type[BaseModel], prefix: str) -> dict[str, tuple[str, ...]]:
    """The variables of each field, first the one that wins."""
    found: dict[str, tuple[str, ...]] = {}
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        others = [each for each in choices if isinstance(each, str) and each != name]
        first = f"{prefix}{name.upper()}"
        found[name] = (first, *(each for each in others if each != first))
    return found


@cache
def _reader(model: type[BaseModel], variables: tuple[tuple[str, tuple[str, ...]], ...]) -> type[BaseSettings]:
    """Settings with the fields of a model, as texts: the model itself validates them, under its own field names."""
    fields: dict[str, Any] = {
        name: (Any, Field(default=None, validation_alias=AliasChoices(*names))) for name, names in variables
    }
    config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")
    return create_model(f"{model.__name__}Reader", __config__=config, __base__=BaseSettings, **fields)


def _read(
    kind: type[_Settings], variables: _Variables, env_file: Path | None, overrides: Mapping[str, Any]
) -> _Settings:
    _refuse_unknown(overrides, variables)
    if env_file is not None and not env_file.is_file():
        raise ConfigurationError(f"There is no file of settings at {env_file}.")
    try:
        if env_file is not None:
            _refuse_broken_lines(env_file)
        return _validated(lambda: kind(_env_file=env_file, **overrides), variables)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"The settings in {env_file} cannot be read ({type(error).__name__}).") from None


def _refuse_broken_lines(env_file: Path) -> None:
    """One that is passed over could be the one that says OTPCORE_PRODUCTION."""
    with env_file.open(encoding="utf-8") as lines:
        found = [each.original for each in parse_stream(lines) if each.error]
    broken = [str(each.line + len(each.string) - len(each.string.lstrip("\n"))) for each in found]
    if broken:
        raise ConfigurationError(
            f"The settings in {env_file} cannot be read: line {', '.join(broken)} is no NAME=value."
        )


def _validated(make: Callable[[], _Model], variables: _Variables) -> _Model:
    try:
        return make()
    except ValidationError as error:
        refusal = refusal_of(error, variables)
    raise refusal  # out here: pydantic's error holds what was given, and must not hang on to ours


def _refuse_unknown(overrides: Mapping[str, Any], variables: _Variables) -> None:
    if unknown := sorted(overrides.keys() - variables.keys()):
        raise ConfigurationError(f"No such setting: {', '.join(unknown)}; there are {', '.join(sorted(variables))}.")
