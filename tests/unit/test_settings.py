"""Settings: sources and their order, rules named by variable, production, and the settings of plugins."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from otpcore.contract import CodeOwner, ProviderCapabilities
from otpcore.engine.accepting import check_production
from otpcore.errors import ConfigurationError
from otpcore.phone import RegionPolicy
from otpcore.policy import PROFILES
from otpcore.settings import Settings, load_plugin_settings, load_settings
from otpcore.stores.tinydb import TinyDBSettings

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "settings.md"
SECRET = "s3cr3t-value-of-an-operator"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine that runs the tests says anything."""
    for name in os.environ:
        if name.upper().startswith(("OTPCORE_", "PIGEON_", "XDG_", "WEB_CONCURRENCY")):
            monkeypatch.delenv(name)


def test_nothing_needs_to_be_said() -> None:
    settings = load_settings()
    assert (settings.provider, settings.store, settings.profile) == ("console", "tinydb", "default")
    assert settings.purposes == ("login",)
    assert settings.policy() == PROFILES["default"]
    assert settings.destinations() == RegionPolicy()
    assert not settings.production


def test_every_field_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "TENANT": "shop",
        "PROVIDER": "twilio",
        "PROVIDERS": "twilio, backup=fake",
        "ROUTES": "routes.toml",
        "STORE": "memory",
        "PROFILE": "signal",
        "PURPOSES": "login, payment",
        "PEPPER": bytes(range(32)).hex(),
        "PREVIOUS_PEPPERS": bytes(range(1, 33)).hex(),
        "PLUGINS": "twilio,redis",
        "PLUGINS_BLOCKED": "fake",
        "PRODUCTION": "true",
        "WORKERS": "4",
        "DURABILITY": "disk",
        "CODE_DIGITS": "8",
        "CODE_LIFETIME_S": "300",
        "CODE_OWNER": "core",
        "ALLOW_REGIONS": "CM,JM",
        "DENY_REGIONS": "US",
        "PROVIDER_TIMEOUT_S": "2.5",
        "PROVIDER_CONCURRENCY": "200",
        "KEEP_NUMBER": "true",
        "BRAND": "Shop",
        "TEMPLATES": "~/templates.toml",
        "WEBOTP_DOMAIN": "example.com",
        "APP_HASH": "FA+9qCX9VSu",
        "DATA_DIR": "~/otp",
    }
    assert {name.lower() for name in said} == set(Settings.model_fields)
    for name, value in said.items():
        monkeypatch.setenv(f"OTPCORE_{name}", value)
    settings = load_settings()
    assert {
        name for name in said if getattr(settings, name.lower()) == Settings.model_fields[name.lower()].default
    } == set()
    assert settings.purposes == ("login", "payment")
    assert settings.plugins == ("twilio", "redis")
    assert settings.code_owner is CodeOwner.CORE
    assert settings.data_dir == Path.home() / "otp"
    assert settings.destinations() == RegionPolicy(frozenset({"CM", "JM"}), frozenset({"US"}))
    policy = settings.policy()
    assert (policy.name, policy.code_digits, policy.code_lifetime) == ("signal", 8, timedelta(minutes=5))


def test_overrides_win_over_the_environment_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "otp.env"
    file.write_text("OTPCORE_TENANT=file\nOTPCORE_STORE=file\nOTPCORE_PROVIDER=file\nOTPCORE_PIGEON_LOFT=x\nOTHER=1\n")
    monkeypatch.setenv("OTPCORE_TENANT", "environment")
    monkeypatch.setenv("OTPCORE_STORE", "environment")
    settings = load_settings(env_file=file, tenant="override")
    assert (settings.tenant, settings.store, settings.provider) == ("override", "environment", "file")


def test_a_file_in_the_working_folder_is_not_read_unasked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OTPCORE_TENANT=found\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings().tenant == "default"


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = load_settings()
    for name in Settings.model_fields:
        monkeypatch.setenv(f"OTPCORE_{name.upper()}", "")
    assert load_settings() == unset


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("CODE_LIFETIME_S", "601", "less than or equal to 600"),
        ("CODE_LIFETIME_S", "0", "greater than or equal to 1"),
        ("CODE_LIFETIME_S", "ten minutes", "valid integer"),
        ("CODE_DIGITS", "5", "greater than or equal to 6"),
        ("CODE_DIGITS", "11", "less than or equal to 10"),
        ("PROVIDER_TIMEOUT_S", "10.1", "less than or equal to 10"),
        ("PROVIDER_CONCURRENCY", "0", "greater than or equal to 1"),
        ("PROVIDER_CONCURRENCY", "10001", "less than or equal to 10000"),
        ("PROVIDER_TIMEOUT_S", "0", "greater than 0"),
        ("PROVIDER_TIMEOUT_S", "nan", "less than or equal to 10"),
        ("PROFILE", "lenient", "one of default, twilio, signal, demo"),
        ("PURPOSES", " , ", "at least 1"),
        ("ALLOW_REGIONS", "GB,UK", "No such region: UK"),
        ("DENY_REGIONS", "cm", "No such region: cm"),
        ("PRODUCTION", "perhaps", "must be true or false"),
        ("CODE_OWNER", "me", "'core' or 'provider'"),
    ],
)
def test_a_broken_rule_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, rule: str
) -> None:
    monkeypatch.setenv(f"OTPCORE_{name}", value)
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert f"OTPCORE_{name}: " in str(refused.value)
    assert rule in str(refused.value)
    assert refused.value.__context__ is None


def test_all_broken_rules_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"OTPCORE_CODE_DIGITS.*OTPCORE_CODE_LIFETIME_S"):
        load_settings(code_digits=1, code_lifetime_s=601)


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="No such setting: tennant; there are allow_regions"):
        load_settings(tennant="x")


def test_a_file_that_is_not_there_or_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no file of settings"):
        load_settings(env_file=tmp_path / "absent.env")
    (tmp_path / "latin.env").write_bytes(b"OTPCORE_TENANT=\xff\n")
    with pytest.raises(ConfigurationError, match="UnicodeDecodeError"):
        load_settings(env_file=tmp_path / "latin.env")


@pytest.mark.parametrize(
    ("said", "folder"), [("/srv/data", Path("/srv/data/otpcore")), ("relative", Path.home() / ".local/share/otpcore")]
)
def test_the_data_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch, said: str, folder: Path) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", said)
    assert load_settings().data_dir == folder
    assert load_plugin_settings("tinydb", TinyDBSettings).path == folder / "otpcore.otpdb"
    monkeypatch.setattr("sys.platform", "darwin")
    folder = Path.home() / "Library/Application Support/otpcore"
    assert load_settings().data_dir == folder
    assert TinyDBSettings().path == folder / "otpcore.otpdb"


def test_a_store_that_was_given_its_place_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")
    monkeypatch.setenv("OTPCORE_TINYDB_PATH", "/var/lib/app/codes.otpdb")
    assert load_plugin_settings("tinydb", TinyDBSettings).path == Path("/var/lib/app/codes.otpdb")
    assert TinyDBSettings(path=Path("here.otpdb")).path == Path("here.otpdb")


def test_workers_are_what_the_call_says_then_our_variable_then_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    assert load_settings().workers == 3
    monkeypatch.setenv("OTPCORE_WORKERS", "2")
    settings = load_settings()
    assert settings.workers == 2
    assert load_settings(workers=5).workers == 5
    given: dict[str, Any] = {**settings.model_dump(), "workers": 7}
    assert load_settings(**given).workers == 7


@pytest.mark.parametrize(("name", "value"), [("WEB_CONCURRENCY", "0"), ("OTPCORE_WORKERS", "many")])
def test_a_number_of_workers_that_is_none_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=r"OTPCORE_WORKERS \(or WEB_CONCURRENCY\)"):
        load_settings()


# --- production ---------------------------------------------------------------------------------


@pytest.mark.parametrize("production", [True, False])
@pytest.mark.parametrize("simulated", [True, False])
@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_production_refuses_exactly_what_is_made_for_demonstrations(
    production: bool, simulated: bool, profile: str
) -> None:
    """H9: each setting of production, provider and profile."""
    settings = load_settings(production=production, profile=profile)
    owners, channels = frozenset({CodeOwner.CORE}), frozenset({"sms"})
    providers = {
        "real": ProviderCapabilities(owners, channels),
        "other": ProviderCapabilities(owners, channels, simulated=simulated),
    }
    if not production or (not simulated and profile != "demo"):
        check_production(settings, providers)
        return
    with pytest.raises(ConfigurationError, match="OTPCORE_PRODUCTION is set") as refused:
        check_production(settings, providers)
    assert ("provider 'other' sends nothing" in str(refused.value)) is simulated
    assert ("profile 'demo'" in str(refused.value)) is (profile == "demo")


# --- settings of plugins ------------------------------------------------------------------------


class PigeonSettings(BaseModel):
    model_config = ConfigDict(frozen=True)

    loft: str
    token: SecretStr | None = Field(default=None, validation_alias=AliasChoices("token", "PIGEON_TOKEN"))
    old_token: SecretStr | None = Field(default=None, validation_alias="PIGEON_OLD_TOKEN")
    height_m: int = Field(default=3, ge=1)

    @field_validator("token")
    @classmethod
    def _talkative(cls, token: SecretStr) -> SecretStr:
        if not token.get_secret_value().isalnum():
            raise ValueError(f"{token.get_secret_value()} is not alphanumeric")
        return token

    @model_validator(mode="before")
    @classmethod
    def _talkative_too(cls, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("loft") == "burning":
            raise ValueError(f"{given} will not do")
        return given


def pigeon(**overrides: Any) -> PigeonSettings:
    return load_plugin_settings("carrier-pigeon", PigeonSettings, **overrides)


def test_a_plugin_is_filled_from_variables_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPCORE_CARRIER_PIGEON_LOFT", "roof")
    monkeypatch.setenv("OTPCORE_CARRIER_PIGEON_HEIGHT_M", "12")
    monkeypatch.setenv("OTPCORE_CARRIER_PIGEON_OLD_TOKEN", "old")
    settings = pigeon()
    assert type(settings) is PigeonSettings
    assert (settings.loft, settings.height_m) == ("roof", 12)
    assert settings.old_token == SecretStr("old")


def test_further_names_are_read_after_the_plugins_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIGEON_TOKEN", "vendor")
    monkeypatch.setenv("PIGEON_OLD_TOKEN", "vendorold")
    settings = pigeon(loft="roof")
    assert (settings.token, settings.old_token) == (SecretStr("vendor"), SecretStr("vendorold"))
    monkeypatch.setenv("OTPCORE_CARRIER_PIGEON_TOKEN", "ours")
    assert pigeon(loft="roof").token == SecretStr("ours")
    assert pigeon(loft="roof", token="override").token == SecretStr("override")


def test_the_environment_wins_over_the_file_whichever_name_it_uses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "p.env").write_text("OTPCORE_CARRIER_PIGEON_TOKEN=file\nOTPCORE_CARRIER_PIGEON_LOFT=file\n")
    monkeypatch.setenv("PIGEON_TOKEN", "environment")
    settings = pigeon(env_file=tmp_path / "p.env")
    assert (settings.loft, settings.token) == ("file", SecretStr("environment"))


def test_a_line_of_the_env_file_that_says_nothing_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "p.env").write_text("OTPCORE_PROVIDER=fake\n# a remark\n\n=1 OTPCORE_PRODUCTION\n")
    with pytest.raises(ConfigurationError, match=r"line 4 is no NAME=value"):
        load_settings(env_file=tmp_path / "p.env")


def test_a_variable_with_the_bare_name_of_a_field_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKEN", "LOFT", "HEIGHT_M"):
        monkeypatch.setenv(name, "5")
    assert pigeon(loft="roof") == PigeonSettings(loft="roof")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "OTPCORE_CARRIER_PIGEON_LOFT: is missing"),
        ({"LOFT": "x", "HEIGHT_M": "0"}, "OTPCORE_CARRIER_PIGEON_HEIGHT_M: must be greater"),
        ({"LOFT": "x", "TOKEN": SECRET}, "OTPCORE_CARRIER_PIGEON_TOKEN (or PIGEON_TOKEN): … is not alphanumeric"),
        ({"LOFT": "burning", "TOKEN": SECRET}, "will not do"),
    ],
)
def test_a_broken_rule_of_a_plugin_is_named_without_the_secret(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], expected: str
) -> None:
    for name, value in said.items():
        monkeypatch.setenv(f"OTPCORE_CARRIER_PIGEON_{name}", value)
    with pytest.raises(ConfigurationError) as refused:
        pigeon()
    assert expected in str(refused.value)
    assert SECRET not in str(refused.value)
    assert refused.value.__context__ is None


def test_the_models_own_error_would_have_shown_the_secret() -> None:
    """The planted defect: what a caller sees when pydantic's error is passed on."""
    with pytest.raises(ValueError, match=SECRET):
        PigeonSettings.model_validate({"loft": "x", "token": SECRET})


def test_an_override_that_the_plugin_does_not_have_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="No such setting: lofty"):
        pigeon(lofty="x")


# --- the page -----------------------------------------------------------------------------------


def test_the_page_lists_every_setting_with_its_variable_and_description() -> None:
    rows = re.findall(r"^\| `OTPCORE_(\w+)` \| (.*?) \| (.*?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name.lower(): description for name, _, description in rows} == {
        name: field.description for name, field in Settings.model_fields.items()
    }
