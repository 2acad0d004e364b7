"""Where a vendor is: an origin of its settings, judged.

Rules of this file: judges text; resolves no name. A message shows no value.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from otpcore.errors import ConfigurationError

__all__ = ["Origin", "is_loopback"]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a vendor is.

    Attributes:
        scheme: "https", or "http" on a loopback address.
        netloc: host, and port where it is not the default.
        loopback: the host is this machine.
    """

    scheme: str
    netloc: str
    loopback: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an origin.

        Raises:
            ConfigurationError: not an origin, or plain HTTP to another machine.
        """
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port  # a bad port raises here
        except ValueError:
            host, parts = None, urlsplit("")
        if not host or parts.scheme not in {"https", "http"} or parts.path.strip("/") or parts.query or parts.fragment:
            raise ConfigurationError("origin: give scheme, host and optional port, nothing else")
        if parts.username is not None or parts.password is not None or not text.isascii() or not text.isprintable():
            raise ConfigurationError("origin: no user information, no unusual characters")
        loopback = is_loopback(host)
        if parts.scheme == "http" and not loopback:
            raise ConfigurationError("origin: plain http is allowed only to a loopback address")
        return cls(parts.scheme, parts.netloc, loopback)
