"""The legacy environment names, and the policy that they make.

Rules of this file: the environment is read by `otpcore.settings`, when something is first asked of the facade.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from otpcore.policy import DEFAULT, Profile
from otpcore.settings import load_plugin_settings

__all__ = ["LegacySettings", "legacy_settings"]


def _wait(which: str) -> int | None:
    alias = AliasChoices(f"{which}_resend_duration", f"{which.upper()}_RESEND_DURATION")
    found: int | None = Field(
        default=None, gt=0, le=366 * 86_400_000, validation_alias=alias, description=f"wait after the {which} send, ms"
    )
    return found


class LegacySettings(BaseModel):
    """Settings of the facade; each also as `OTPCORE_LEGACY_` and its name in capitals."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    strict: bool = Field(default=False, description="the letter of the old behaviour: see docs/reference/legacy.md")
    enable_otp: bool = Field(
        default=False,
        validation_alias=AliasChoices("enable_otp", "ENABLE_OTP"),
        description="whether the caller counts resends; the facade itself does not look at it",
    )
    first_resend_duration: int | None = _wait("first")
    second_resend_duration: int | None = _wait("second")
    third_resend_duration: int | None = _wait("third")
    fourth_resend_duration: int | None = _wait("fourth")

    def policy(self, profile: Profile) -> Profile:
        """The profile with the waits that are set; with none set, the profile as it is."""
        given = (
            self.first_resend_duration,
            self.second_resend_duration,
            self.third_resend_duration,
            self.fourth_resend_duration,
        )
        if all(wait is None for wait in given):
            return profile
        waits = [
            timedelta(milliseconds=wait) if wait is not None else usual
            for wait, usual in zip(given, DEFAULT.ladder, strict=True)
        ]
        return replace(profile, ladder=tuple(waits))


def legacy_settings() -> LegacySettings:
    """Read the settings as the environment has them now.

    Raises:
        ConfigurationError: naming each variable and its rule.
    """
    return load_plugin_settings("legacy", LegacySettings)
