"""The world of `otpcore demo`: the emulator of the Twilio plugin, a store file in a temporary folder, an engine.

Rules of this file: the plugin is found through the registry and its emulator by name, because the core depends on no
plugin; nothing is taken from the environment, least of all somebody's real account.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from pydantic import BaseModel

from otpcore.engine import Engine
from otpcore.engine.opening import open_engine
from otpcore.errors import PluginError, UnknownPlugin
from otpcore.hookspecs import ProviderType
from otpcore.model import RecipientRecord
from otpcore.plugins import Plugins
from otpcore.ports import HasNativeClient, Scans, Store
from otpcore.settings import Settings, load_settings

__all__ = ["NUMBER", "Message", "Stage", "open_stage"]

NUMBER: Final = "+12025550123"
"""A number for documentation (555-01xx of the North American plan): nobody has it."""

PLUGIN: Final = "twilio"
EMULATOR: Final = "otpcore_twilio.emulator"
INSTALL: Final = "pip install 'otpcore-twilio[emulator]'"


class Message(Protocol):
    """What the emulated phone received."""

    @property
    def code(self) -> str:
        """The code inside the text."""
        ...

    @property
    def text(self) -> str:
        """As read."""
        ...


class Emulator(Protocol):
    """A running emulator."""

    @property
    def url(self) -> str:
        """Its origin."""
        ...

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which an application finds it."""
        ...

    def inbox(self, to: str | None = None) -> Sequence[Message]:
        """Messages to one recipient, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """What the demonstration plays with.

    Attributes:
        engine: over the store file and the emulator.
        inbox: messages to a number, oldest first.
        store: a second, reading handle of the same file.
        address: of the emulator, `http://127.0.0.1:…`.
        path: of the store file.
    """

    engine: Engine
    inbox: Callable[[str], Sequence[Message]]
    store: Store
    address: str
    path: Path

    def record(self) -> RecipientRecord:
        """The recipient's record as the file has it."""
        return RecipientRecord.decode(self._found()[1])

    def key(self) -> str:
        """The pseudonym under which it is kept."""
        return self._found()[0].rpartition("/")[2]

    def stored(self) -> bytes:
        """The file as it is."""
        return self.path.read_bytes()

    def left_behind(self) -> str:
        """What is still there of it, in words; "" when nothing is."""
        parts = urlsplit(self.address)
        try:
            socket.create_connection((parts.hostname or "", parts.port or 0), timeout=1).close()
        except OSError:
            return str(self.path.parent) if self.path.parent.exists() else ""
        return f"a server on {self.address}"

    def _found(self) -> tuple[str, bytes]:
        assert isinstance(self.store, Scans)  # noqa: S101  # the embedded store does
        (found,) = [(key, each.data) for key, each in self.store.scan("", 100) if "/r/" in key]
        return found


@contextmanager
def open_stage() -> Generator[Stage]:
    """Start the emulator on a free port and open an engine on it; all of it is gone afterwards.

    Raises:
        PluginError: the Twilio plugin or its emulator is not installed.
    """
    plugins = Plugins(allow=[PLUGIN])
    plugins.discover()
    provider = _provider(plugins)
    with TemporaryDirectory(prefix="otpcore-demo-") as folder, _serve()() as emulator:
        path = Path(folder) / "demo.otpdb"
        account = provider.settings.model_validate({**emulator.environment, "origin": emulator.url})
        kept = plugins.store("tinydb")
        at = kept.settings.model_validate({"path": path})
        _reach(provider, account)
        wanted: dict[str, Any] = _defaults() | {"provider": provider.name, "profile": "demo"}
        settings = load_settings(**wanted)
        with open_engine(settings, plugins=plugins, provider_settings=account, store_settings=at) as engine:
            reader = kept.build(at)
            try:
                yield Stage(engine, emulator.inbox, reader, emulator.url, path)
            finally:
                reader.close()


def _provider(plugins: Plugins) -> ProviderType:
    try:
        return plugins.provider(PLUGIN)
    except UnknownPlugin as error:
        raise PluginError(f"The demonstration needs the Twilio plugin and its emulator: {INSTALL}. {error}") from None


def _serve() -> Callable[[], AbstractContextManager[Emulator]]:
    try:
        serve: Callable[[], AbstractContextManager[Emulator]] = import_module(EMULATOR).serve
    except ModuleNotFoundError as error:
        raise PluginError(f"The demonstration needs the emulator ({error.name} is missing): {INSTALL}.") from None
    return serve


def _reach(provider: ProviderType, account: BaseModel) -> None:
    """Ask the emulator for its service through the SDK.

    Also keeps the SDK's import, a second on a slow machine, out of the three seconds in which a resend is too early.

    Raises:
        PluginError: it cannot be reached.
    """
    twilio = provider.build(account)
    try:
        if isinstance(twilio, HasNativeClient):
            client: Any = twilio.native_client
            client.verify.v2.services(getattr(account, "service_sid", "")).fetch()
    except Exception as error:
        raise PluginError(
            "The emulator that was started on 127.0.0.1 cannot be reached: has this machine a loopback interface"
            f" that is up, and may this process connect to it? ({type(error).__name__})"
        ) from error
    finally:
        twilio.close()


def _defaults() -> dict[str, Any]:
    """Every setting as if the environment were empty."""
    return {name: each.get_default(call_default_factory=True) for name, each in Settings.model_fields.items()}
