"""The engine behind the facade, one for each process: made at first use, and anew in a forked child.

Rules of this file: nothing is read, opened or made before something is asked; a child never uses a connection of its
parent.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final, cast

from otpcore.codes import PEPPER_BYTES
from otpcore.engine import answers
from otpcore.engine.opening import Instance, assemble, prepare
from otpcore.engine.sync import Engine
from otpcore.errors import ConfigurationError, UsageError
from otpcore.flows import counting
from otpcore.flows.transact import Snapshot, places
from otpcore.legacy import moving
from otpcore.legacy.moving import Moved
from otpcore.legacy.rows import Row
from otpcore.legacy.terms import LegacySettings, legacy_settings
from otpcore.model import RecipientRecord
from otpcore.phone import PhoneNumber, canonicalise
from otpcore.policy import DEFAULT, Profile
from otpcore.ports import Clock, Durability, HasNativeClient, Provider, Scans, Store
from otpcore.providers import loading  # noqa: F401  # pyright: ignore[reportUnusedImport]  # before the hooks below: see there
from otpcore.settings import load_settings

__all__ = ["Desk", "engine", "here", "open_desk", "use"]

PAGE: Final = 500
PROVIDER: Final = "twilio"
"""Whoever sets nothing else has what the old class had."""


class Desk(Engine):
    """An engine that also keeps the resend records.

    Args:
        store: as for `Engine`, and so are the others.
        providers: one, or several by name.
        settings: of the facade; None: the defaults, whatever the environment says.
        profile: the policy in force, also that of the resend records.
        purposes: what may be confirmed; the facade confirms the first.
        **terms: the other arguments of `Engine`.
    """

    def __init__(
        self,
        store: Store,
        providers: Provider | Mapping[str, Provider],
        *,
        settings: LegacySettings | None = None,
        profile: Profile = DEFAULT,
        purposes: Iterable[str] = ("login",),
        **terms: Any,
    ) -> None:
        if terms.get("pepper") is None and store.capabilities.durability is Durability.VOLATILE:
            terms["pepper"] = os.urandom(PEPPER_BYTES)  # one for both engines
        if not profile.ladder:
            raise ConfigurationError("The legacy facade counts resends: its policy profile needs at least one wait.")
        terms["purposes"] = tuple(purposes)
        terms["previous_peppers"] = tuple(terms.get("previous_peppers", ()))
        super().__init__(store, providers, profile=profile, **terms)
        self.settings = settings or LegacySettings()
        self.purpose: str = terms["purposes"][0]
        self.clock: Clock = terms.get("clock", answers.wall_clock)
        self._terms: dict[str, Any] = {**terms, "profile": replace(profile, ladder=())}

    @cached_property
    def strict(self) -> Engine:
        """The same without the waits between sends to one recipient; the caps and locks stay."""
        return Engine(self._store, self._providers, **self._terms)

    @property
    def native_client(self) -> object:
        """The client of the first provider's SDK.

        Raises:
            AttributeError: it has none.
        """
        name: str
        provider: object
        name, provider = next(iter(self._providers.items()))
        if not hasattr(type(provider), "native_client"):  # asked of the object, it would be made
            raise AttributeError(f"Provider {name!r} has no client of an SDK to hand out.")
        return cast("HasNativeClient", provider).native_client

    def load(self) -> None:
        """Load what is otherwise loaded at the first send, so that no fork finds it half loaded: see `here`."""
        canonicalise("+12025550123")
        with suppress(AttributeError):
            _ = self.native_client

    def pseudonyms(self, number: PhoneNumber) -> tuple[str, ...]:
        """What stands for the number in records, under each pepper in force, the current one last."""
        return places(self._setup, number)

    # --- resend records ------------------------------------------------------------------------

    def counter(self, identity: int) -> RecipientRecord | None:
        """The resend record of this id."""
        seen = self._driver.run("counter.get", counting.look_at(self._setup, identity), "")
        return None if seen is None else seen.record

    def open_counter(
        self, unique_id: str, user_id: str, recipient: str = "", change: counting.Change | None = None
    ) -> Snapshot:
        """The pair's resend record, made where there is none, and the present on its clock."""
        flow = counting.open_counter(self._setup, self._draw(), unique_id, user_id, recipient=recipient, change=change)
        return self._driver.run("counter.open", flow, "")

    def count(self, unique_id: str, user_id: str, recipient: str = "") -> RecipientRecord:
        """Count one send."""
        flow = counting.count_one(self._setup, self._draw(), unique_id, user_id, recipient=recipient)
        return self._driver.run("counter.add", flow, "").record

    def was_imported(self, identity: int) -> bool:
        """Whether this is an id of an imported table, be its record there or gone."""
        return self._driver.run("counter.get", counting.is_marker(self._setup, identity), "")

    def change_counter(self, identity: int, change: counting.Change) -> RecipientRecord | None:
        """Change the resend record of this id; None when there is none."""
        flow = counting.change_counter(self._setup, self._draw(), identity, change)
        seen = self._driver.run("counter.change", flow, "")
        return None if seen is None else seen.record

    def delete_counter(self, identity: int) -> bool:
        """Delete the resend record of this id; False when there is none."""
        return self._driver.run("counter.delete", counting.delete_counter(self._setup, self._draw(), identity), "")

    def counters(self) -> Iterator[RecipientRecord]:
        """Every resend record, one by one: a walk through the store, not a snapshot.

        Raises:
            UsageError: this store cannot be walked.
        """
        if not isinstance(self._store, Scans):
            raise UsageError("This store cannot be walked: give id, or uniqueId and userId together.")
        prefix = after = counting.counter_key(self._setup, 0)[:-1]
        while page := [one for one in self._store.scan(after, PAGE) if one[0].startswith(prefix)]:
            for _, found in page:
                record = RecipientRecord.decode(found.data)
                if record.counter is not None:
                    yield record
            after = page[-1][0]

    def move(self, rows: Sequence[Row], until: datetime, *, write: bool = True) -> Moved:
        """Make the rows of one pair of an old table its resend record, or tighten the one that is there.

        Args:
            rows: at least one, all of one pair.
            until: so long their ids lead to the record at least.
            write: False: say what would become of them, and write nothing.

        Raises:
            StoreError: the store failed; the same call again completes what this one began.
        """
        flow = moving.move_rows(self._setup, self._draw(), rows, until=until, write=write)
        return self._driver.run("counter.move", flow, "")


def open_desk() -> Desk:
    """A desk as the environment says: `otpcore.settings`, and the legacy names of `LegacySettings`.

    Where no provider is set, it is Twilio, whose plugin may then be used without being listed.

    Raises:
        ConfigurationError: a setting, or a combination, that cannot be.
        PluginError: a named store or provider is not there.
        StoreError: the store cannot be opened.
    """
    legacy, settings = legacy_settings(), load_settings()
    overrides: dict[str, Any] = {}
    if not settings.model_fields_set & {"provider", "providers"}:
        overrides = {"provider": PROVIDER, "plugins": (*settings.plugins, PROVIDER)}
    parts = prepare(settings, None, None, None, None, overrides)
    policy = legacy.policy(parts.settings.policy())
    return assemble(Desk, parts, parts.store_type.build, Instance.build, settings=legacy, profile=policy)


# --- one for each process ----------------------------------------------------------------------


class _Process:
    """What this process has opened, and what it would open."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.make: Callable[[], Desk] = open_desk
        self.desk: Desk | None = None
        self.inherited: list[Desk] = []
        """Of a parent: never used, and never closed here, for its sockets are the parent's."""

    def forking(self) -> None:
        """A fork waits for a desk that is being opened: a child would inherit half of an import, and its lock."""
        self.lock.acquire()

    def going_on(self) -> None:
        """The parent goes on."""
        self.lock.release()

    def forked(self) -> None:
        """The child opens a desk of its own."""
        self.lock = threading.RLock()
        if self.desk is not None:
            self.inherited.append(self.desk)
        self.desk = None


_process = _Process()
os.register_at_fork(before=_process.forking, after_in_parent=_process.going_on, after_in_child=_process.forked)


def here() -> Desk:
    """The desk of this process, opened now if it is not; see `open_desk` for what it raises."""
    found = _process.desk
    if found is not None:
        return found
    with _process.lock:
        if _process.desk is None:
            desk = _process.make()
            try:
                desk.load()
            except BaseException:
                desk.close()
                raise
            _process.desk = desk
        return _process.desk


def engine() -> Engine:
    """The engine behind the facade, for code that has moved on: the same records, limits and connections."""
    return here()


def use(make: Callable[[], Desk] | None) -> None:
    """Let this process, and its children, open their desk in another way; one that is open is closed.

    Args:
        make: called once in each process, at first use; None: as the environment says.
    """
    with _process.lock:
        desk, _process.desk, _process.make = _process.desk, None, make or open_desk
    if desk is not None:
        desk.close()
