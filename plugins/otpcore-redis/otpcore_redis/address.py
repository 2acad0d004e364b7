"""What a URL says: one server, a service that sentinels watch, or a cluster.

    redis://[user:password@]host:port/db                                  rediss://…, unix:///path
    redis+sentinel://[user:password@]host:port,host:port/service[/db]     rediss+sentinel://…
    redis+cluster://[user:password@]host:port,host:port                   rediss+cluster://…

What redis-py takes in the query of a URL can stand in all of them. User and password are the Redis servers'.

Rules of this file: pure; a message never shows the URL, which may hold a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from otpcore.errors import ConfigurationError

__all__ = ["WRONG", "Address", "address"]

FORM: Final = re.compile(
    r"(?P<scheme>rediss?)\+(?P<kind>sentinel|cluster)://(?P<user>[^@/?]*@)?(?P<hosts>[^@/?]+)"
    r"(?:/(?P<path>[^?]*))?(?P<query>\?.*)?"
)
HOST: Final = re.compile(
    r"\[(?P<six>[0-9A-Fa-f:.]+)\](?::(?P<six_port>\d{1,5}))?|(?P<host>[^:\[\]]+)(?::(?P<port>\d{1,5}))?"
)
PORTS: Final = {"sentinel": 26379, "cluster": 6379}

WRONG: Final = (
    "OTPCORE_REDIS_URL: give redis://, rediss:// or unix://, host, port and number of the database; "
    "redis+sentinel://host:port,host:port/service; or redis+cluster://host:port,host:port."
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where Redis is.

    Attributes:
        url: what redis-py is to read: of the server, or of any that is found.
        sentinels: host and port of each; empty without.
        service: the sentinels' name of what they watch.
        seeds: nodes of a cluster; empty without.
    """

    url: str = field(repr=False)
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    seeds: tuple[tuple[str, int], ...] = ()


def address(url: str) -> Address:
    """What a URL says.

    Raises:
        ConfigurationError: it is none of the forms.
    """
    if "+" not in url.partition("://")[0]:
        return Address(url)
    form = FORM.fullmatch(url)
    if form is None:
        raise ConfigurationError(WRONG)
    kind, scheme, path = form["kind"], form["scheme"], form["path"] or ""
    hosts = tuple(_host(each, PORTS[kind]) for each in form["hosts"].split(","))
    service, _, database = path.partition("/")
    if (not service or not re.fullmatch(r"\d*", database)) if kind == "sentinel" else path not in {"", "0"}:
        raise ConfigurationError(WRONG)
    plain = f"{scheme}://{form['user'] or ''}any/{database}{form['query'] or ''}"
    if kind == "cluster":
        return Address(plain, seeds=hosts)
    return Address(plain, sentinels=hosts, service=service)


def _host(text: str, default: int) -> tuple[str, int]:
    found = HOST.fullmatch(text)
    if found is None:
        raise ConfigurationError(WRONG)
    return found["six"] or found["host"], int(found["six_port"] or found["port"] or default)
