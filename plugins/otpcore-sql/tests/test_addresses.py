"""URLs that are none, words that no driver knows, and drivers that are missing: refused when the store is built."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from otpcore.errors import ConfigurationError
from otpcore_sql import SQLSettings
from otpcore_sql.settings import build, build_async


@pytest.mark.parametrize(
    "url",
    [
        "x",
        "http://:secret@h/d",
        "postgresql+asyncpg://:secret@h/d",
        "oracle://:secret@h/d",
        "postgresql://:secret@h/d?secret=1",
        "mysql://:secret@h/d?secret=1",
        "mariadb://:secret@h/d?secret=1",
    ],
)
@pytest.mark.parametrize("make", [build, build_async])
def test_a_url_that_is_none_is_refused_and_not_shown(url: str, make: Callable[[SQLSettings], object]) -> None:
    with pytest.raises(ConfigurationError, match="OTPCORE_SQL_URL") as refused:
        make(SQLSettings(url=SecretStr(url)))
    assert "secret" not in f"{refused.value} {refused.value.__cause__}"


@pytest.mark.parametrize(
    ("url", "driver", "module", "extra"),
    [
        ("postgresql://h/d", "psycopg", "otpcore_sql.postgresql", "postgresql"),
        ("mariadb://h/d", "pymysql", "otpcore_sql.mysql", "mysql"),
    ],
)
def test_a_driver_that_is_missing_is_named_with_what_brings_it(
    url: str, driver: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, driver, None)
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(ConfigurationError, match=rf"otpcore-sql\[{extra}\]"):
        build(SQLSettings(url=SecretStr(url)))
