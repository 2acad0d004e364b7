"""What both colours share: the settings, judged; TLS; and the steps of a conversation.

Rules of this file: nothing is opened here, and no step is repeated.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from otpcore.errors import ConfigurationError
from otpcore.ports import CodeOwner, ProviderCapabilities
from otpcore_smtp.replies import Stage, Unfit
from otpcore_smtp.settings import SmtpSettings

if TYPE_CHECKING:
    import ssl

__all__ = ["QUIT", "SmtpAccount", "credentials"]

CAPABILITIES: Final = ProviderCapabilities(frozenset({CodeOwner.CORE}), frozenset({"email"}), extra_names=frozenset())

QUIT: Final = "QUIT"
"""Said when all is over, and not waited for: the answer to the message is known by then."""


class SmtpAccount:
    """One mail server and the account at it.

    Args:
        settings: server, credentials, sender.

    Raises:
        ConfigurationError: something is missing or misshapen; names it and its environment variable.
    """

    def __init__(self, settings: SmtpSettings) -> None:
        settings.judged()
        self._settings = settings
        self._tls = _tls_of(settings)
        upgrade = (Stage.STARTTLS, Stage.HELLO) if settings.security == "starttls" else ()
        login = (Stage.AUTH,) if settings.username else ()
        envelope = (Stage.SENDER, Stage.RECIPIENT, Stage.DATA, Stage.BODY, Stage.END)
        self._stages: tuple[Stage, ...] = (Stage.CONNECT, Stage.HELLO, *upgrade, *login, *envelope)

    @property
    def capabilities(self) -> ProviderCapabilities:
        """See `Provider.capabilities`."""
        return CAPABILITIES

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.host!r})"


def _tls_of(settings: SmtpSettings) -> ssl.SSLContext | None:
    """How a server proves who it is; None without TLS. Made once: reading the authorities takes milliseconds."""
    if settings.security == "none":
        return None
    import ssl  # noqa: PLC0415  # a program that only lists its plugins does without

    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except OSError as error:  # an SSLError is one
        kind = type(error).__name__
        raise ConfigurationError(f"SMTP: ca_file (OTPCORE_SMTP_CA_FILE) cannot be read as PEM ({kind}).") from None


def credentials(settings: SmtpSettings, offered: str) -> tuple[str, ...]:
    """The lines of one attempt to log in, each sent when the one before was answered with 334.

    One mechanism, one attempt: after a no, another mechanism would be a second guess at the same password, and
    servers count those. CRAM-MD5 is left out: inside TLS it protects nothing, and it makes the server keep passwords.

    Args:
        settings: name and password.
        offered: what EHLO listed after AUTH.

    Raises:
        Unfit: the server takes neither PLAIN nor LOGIN.
    """
    name = settings.username
    password = "" if settings.password is None else settings.password.get_secret_value()
    mechanisms = offered.upper().replace("=", " ").split()
    if "PLAIN" in mechanisms:  # RFC 4616: in UTF-8
        return (f"AUTH PLAIN {_base64(f'{chr(0)}{name}{chr(0)}{password}')}",)
    if "LOGIN" in mechanisms:
        return ("AUTH LOGIN", _base64(name), _base64(password))
    raise Unfit("the mail server offers neither AUTH PLAIN nor AUTH LOGIN, and a username is set")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
