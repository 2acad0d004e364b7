"""The engines: they drive the flows, and are the only ones who read the clock.

    Engine          blocking
    AsyncEngine     awaiting, the same operations

`AsyncEngine` is loaded at its first use.
"""

from typing import TYPE_CHECKING, Any

from otpcore.engine.sync import Engine

if TYPE_CHECKING:
    from otpcore.engine.aio import AsyncEngine

__all__ = ["AsyncEngine", "Engine"]


def __getattr__(name: str) -> Any:
    # asyncio costs a blocking program 80 ms of start-up that it never uses
    if name == "AsyncEngine":
        from otpcore.engine.aio import AsyncEngine  # noqa: PLC0415  # the reason is above

        return AsyncEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
