"""The way through a Redis Cluster: which node has a key, and what to do when it has moved.

redis-py's cluster clients are not used: they send a command again when its answer was lost, and a commit must not be.

Rules of this file: as of `routes`. A redirected command was not done, so it is sent on; no other is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from redis import exceptions
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from otpcore.errors import CommitUnknown, StoreUnavailable
from otpcore_redis.routes import Answer, Command, Node, Route, Steps, caused

__all__ = ["Cluster"]

HOPS: Final = 5
"""Redirections of one command; more than two are a cluster that disagrees with itself."""

ASKING: Final[Command] = (b"ASKING",)


class Cluster(Route):
    """The primaries of a cluster, each with slots of its own.

    Args:
        seeds: nodes to ask for the others.
        replicas: as for `Route`.
        wait_ms: as for `Route`.
    """

    def __init__(self, seeds: Sequence[tuple[str, int]], *, replicas: int = 0, wait_ms: int = 1000) -> None:
        super().__init__(replicas=replicas, wait_ms=wait_ms)
        self._seeds = tuple(seeds)
        self._tellers: list[tuple[str, int]] = []  # nodes that tell of the others, those that answer first
        self._owners: list[Node] = []  # of each slot
        self._stale = True

    def places(self) -> Steps[Sequence[Node]]:
        """See `Route.places`. Fails where a slot has no node: its records could not be told of."""
        self._stale = True
        yield from self._learn()
        if None in self._owners:
            raise StoreUnavailable("Some slots of the Redis Cluster have no node.")
        return sorted({owner for owner in self._owners if owner is not None})

    def send(self, keys: Sequence[str | bytes], commands: Sequence[Command], *, writes: bool) -> Steps[list[Answer]]:
        """See `Route.send`. Each node is sent its own at once; one that fails leaves the others as they are."""
        slots = [key_slot(key.encode() if isinstance(key, str) else key) for key in keys]
        answers: list[Answer] = [None] * len(commands)
        try:
            yield from self._learn()
        except StoreUnavailable as error:
            return [caused(StoreUnavailable(str(error)), error.__cause__) for _ in commands]
        due = {index: (self._owners[slot], False) for index, slot in enumerate(slots)}
        for _ in range(HOPS):
            sent = self._parcels(due, commands, answers)
            found = yield from self._deliver([(node, [c for _, c in each]) for node, each in sent], writes=writes)
            due = {}
            for (node, each), given in zip(sent, found, strict=True):
                for (index, _), answer in zip(each, given, strict=True):
                    if index is None:
                        continue  # what was said to ASKING
                    answers[index] = answer
                    onward = self._onward(node, answer)
                    if onward is not None:
                        due[index] = onward
            if not due:
                break
        return answers

    def _parcels(
        self, due: dict[int, tuple[Node, bool]], commands: Sequence[Command], answers: list[Answer]
    ) -> list[tuple[Node, list[tuple[int | None, Command]]]]:
        """By node, in the order of nodes: who waits for connections of two does it in the order of everybody."""
        parcels: dict[tuple[str, int], list[tuple[int | None, Command]]] = {}
        for index, (node, asking) in due.items():
            if node is None:
                answers[index] = StoreUnavailable("No node of the Redis Cluster has this slot.")
                self._stale = True
                continue
            parcel = parcels.setdefault(node, [])
            if asking:
                parcel.append((None, ASKING))
            parcel.append((index, commands[index]))
        return [(node, parcels[node]) for node in sorted(parcels)]

    def _onward(self, node: Node, answer: Answer) -> tuple[Node, bool] | None:
        """Where a command that was redirected goes; None: what was answered is its answer."""
        if isinstance(answer, exceptions.AskError):  # MOVED is one of them
            told: Any = answer  # its attributes have no types
            host = told.host or (node[0] if node else "")  # none: the node that was asked
            target, has_moved = (host, answer.port), isinstance(answer, exceptions.MovedError)
            if has_moved:
                self._owners[answer.slot_id] = target
                self._stale = True
            return target, not has_moved
        if isinstance(answer, StoreUnavailable | CommitUnknown | exceptions.ClusterDownError):
            self._stale = True
            self._tellers = [*(each for each in self._tellers if each != node), *([] if node is None else [node])]
        return None

    def _learn(self) -> Steps[None]:
        """Ask for the owners of all slots, where they are not known or have changed.

        Raises:
            StoreUnavailable: no node answers, or none is of a cluster.
        """
        if not self._stale:
            return
        why, cause = "", None
        for node in dict.fromkeys((*self._tellers, *self._seeds)):
            ((answer,),) = yield [(node, [(b"CLUSTER", b"SLOTS")])]
            if not isinstance(answer, Exception):
                self._take(answer, node)
                return
            why, cause = str(answer), answer.__cause__
        raise StoreUnavailable(f"No node of the Redis Cluster tells its slots. {why}".rstrip()) from cause

    def _take(self, ranges: Sequence[Any], told: tuple[str, int]) -> None:
        owners: list[Node] = [None] * REDIS_CLUSTER_HASH_SLOTS
        tellers = {told: None}
        for first, last, primary, *replicas in ranges:
            for host, port, *_ in (primary, *replicas):
                tellers[_named(host, port, told)] = None
            owners[first : last + 1] = [_named(primary[0], primary[1], told)] * (last + 1 - first)
        self._owners, self._tellers, self._stale = owners, list(tellers), False


def _named(host: bytes | None, port: int, told: tuple[str, int]) -> tuple[str, int]:
    """A node that does not know its own name is where it was asked."""
    return (host or b"").decode() or told[0], port
