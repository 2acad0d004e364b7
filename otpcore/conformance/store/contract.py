"""The whole contract of a store, as one class that a plugin's tests subclass.

Rules of this file: composition only; a requirement is in the module of its subject.
"""

from __future__ import annotations

import inspect
from typing import Any

from otpcore.conformance.reporting import Reported
from otpcore.conformance.store.batches import BatchChecks, BatchRaceChecks
from otpcore.conformance.store.doubts import DoubtChecks
from otpcore.conformance.store.expiry import ExpiryChecks
from otpcore.conformance.store.guards import GuardChecks
from otpcore.conformance.store.lifetime import LifetimeChecks
from otpcore.conformance.store.outages import OutageChecks
from otpcore.conformance.store.races import RaceChecks
from otpcore.conformance.store.records import RecordChecks
from otpcore.conformance.store.requirement import Checks, Claim, Requirement, requirements
from otpcore.conformance.store.upkeep import UpkeepChecks
from otpcore.ports import Durability

__all__ = ["StoreContract"]


class StoreContract(
    RecordChecks,
    GuardChecks,
    UpkeepChecks,
    BatchChecks,
    RaceChecks,
    BatchRaceChecks,
    LifetimeChecks,
    OutageChecks,
    DoubtChecks,
    ExpiryChecks,
    Reported,
):
    """Proves that a store keeps the contract of `otpcore.ports.Store` or `AsyncStore`, with pytest.

    Subclass it in a test module, declare what the store claims, and say how to make an empty one::

        class TestMyStore(StoreContract):
            capabilities = StoreCapabilities(durability=Durability.DISK, multi_process=True)

            @pytest.fixture(autouse=True)
            def place(self, tmp_path):
                self.path = tmp_path / "records"

            def make_store(self):
                return MyStore(self.path)

            def opener(self):
                return functools.partial(MyStore, self.path)

    `make_store` of an awaited store is `async def`. Each requirement is one test; its docstring is the requirement.
    What the store does not claim is not there: `report()` names it.
    """

    plugin_kind = "store"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take away the checks of what is not claimed, and give back those of what a subclass claims anew."""
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, "capabilities"):
            return  # a class between this one and a store's
        claims = cls.claims()
        for requirement in requirements(cls):
            if not requirement.needs <= claims:
                setattr(cls, requirement.name, None)
            elif getattr(cls, requirement.name) is None:
                setattr(cls, requirement.name, getattr(StoreContract, requirement.name))

    @classmethod
    def claims(cls) -> frozenset[Claim]:
        """What the declared capabilities claim."""
        declared = cls.capabilities
        holds = {
            Claim.BLOCKING: not inspect.iscoroutinefunction(cls.make_store),
            Claim.DURABLE: declared.durability is not Durability.VOLATILE,
            Claim.MULTI_PROCESS: declared.multi_process,
            Claim.SCAN: cls.scans,
            Claim.MAX_BYTES: declared.max_bytes is not None,
            Claim.BATCH: declared.batch,
            Claim.OUTAGE: cls.outage is not Checks.outage,
            Claim.EXPIRES: cls.keys_without_expiry is not Checks.keys_without_expiry,
        }
        return frozenset(claim for claim, held in holds.items() if held)

    @classmethod
    def requirements(cls) -> list[Requirement]:
        """Those that hold for this store, in the order of their names."""
        claims = cls.claims()
        return [one for one in requirements(cls) if one.needs <= claims]

    @classmethod
    def report(cls) -> str:
        """What is claimed, what is checked, and by name what is not checked because it is not claimed."""
        claims = cls.claims()
        lines = [
            f"{cls.__name__} claims: {', '.join(sorted(claims)) or 'nothing'}",
            f"  {len(cls.requirements())} requirements checked",
        ]
        for claim in sorted(set(Claim) - claims):
            left_out = [one.name for one in requirements(cls) if claim in one.needs]
            lines.append(f"  {claim} is not claimed; not checked: {', '.join(left_out)}")
        return "\n".join(lines)
