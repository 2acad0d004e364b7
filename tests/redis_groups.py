"""Redis servers that belong together: a primary with a replica and sentinels, and a cluster.

Rules of this file: as of `tests.redis_servers`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot

from tests.redis_servers import Proxy, Server, free_port, until

__all__ = ["SERVICE", "SLOTS", "Cluster", "Watched", "is_followed", "pair"]

SERVICE = "verifications"
SLOTS = 16_384


def pair(folder: Path) -> tuple[Server, Server]:
    """A primary and its replica, connected."""
    primary = Server(folder / "primary", "--repl-diskless-sync-delay", "0")
    replica = Server(folder / "replica", "--replicaof", "127.0.0.1", str(primary.port))
    until(lambda: is_followed(primary), "the replica is connected, and the primary knows")
    return primary, replica


def is_followed(primary: Server) -> bool:
    """Whether a replica has everything that was written until now."""
    with primary.client() as client:
        client.set("probe", "1", px=1)  # WAIT answers at once on a connection that wrote nothing
        return bool(client.wait(1, 100) == 1)


class Watched:
    """A primary, a replica, and three sentinels with a password that agree on who is who.

    Args:
        folder: for what they write.
        down_after_ms: silence after which the primary is given up.

    Attributes:
        primary: as it was started; not after a failover.
        replica: likewise.
    """

    PASSWORD = "of-the-sentinels"

    def __init__(self, folder: Path, *, down_after_ms: int = 300) -> None:
        self.primary, self.replica = pair(folder)
        file = "\n".join(
            [
                f"sentinel monitor {SERVICE} 127.0.0.1 {self.primary.port} 2",
                f"sentinel down-after-milliseconds {SERVICE} {down_after_ms}",
                f"sentinel failover-timeout {SERVICE} 2000",
                f"requirepass {self.PASSWORD}",
            ]
        )
        self.sentinels = [Server(folder / f"sentinel{number}", file=file) for number in range(3)]
        until(lambda: all(map(self._knows_all, self.sentinels)), "the sentinels know each other and the replica")

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}"

    def names(self, server: Server) -> bool:
        """Whether every sentinel that answers calls this server the primary."""
        return all(self._state(each)["port"] == server.port for each in self.sentinels)

    def stop(self) -> None:
        for each in (*self.sentinels, self.replica, self.primary):
            each.kill()  # told to stop, a primary waits for its replica

    def _state(self, sentinel: Server) -> dict[str, Any]:
        with sentinel.client(password=self.PASSWORD) as client:
            state: dict[str, Any] = client.sentinel_master(SERVICE)
        return state

    def _knows_all(self, sentinel: Server) -> bool:
        state = self._state(sentinel)
        return (state["num-other-sentinels"], state["num-slaves"], state["flags"]) == (2, 1, "master")


class Cluster:
    """Three primaries, each behind a proxy that the cluster believes to be its port."""

    def __init__(self, folder: Path, *options: str) -> None:
        ports = [free_port() for _ in range(3)]
        self.buses = buses = [free_port() for _ in range(3)]
        self.proxies = [Proxy(port) for port in ports]
        self.nodes = [
            Server(
                folder / f"node{number}",
                *("--cluster-enabled", "yes", "--cluster-node-timeout", "15000", "--cluster-port", str(buses[number])),
                *("--cluster-announce-port", str(self.proxies[number].port), "--cluster-require-full-coverage", "no"),
                *options,
                port=ports[number],
            )
            for number in range(3)
        ]
        edges = [SLOTS * number // 3 for number in range(4)]
        for number, node in enumerate(self.nodes):
            node.ask("CLUSTER SET-CONFIG-EPOCH", number + 1)
            node.ask("CLUSTER ADDSLOTSRANGE", edges[number], edges[number + 1] - 1)
        for port, bus in zip(ports[1:], buses[1:], strict=True):
            self.nodes[0].ask("CLUSTER MEET", "127.0.0.1", port, bus)
        self.agree({proxy.port for proxy in self.proxies}, self.nodes)
        until(lambda: all(self.is_ok(node) for node in self.nodes), "the cluster is in order")

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{proxy.port}" for proxy in self.proxies)

    def primaries(self, asked: Server) -> set[int]:
        """The announced ports of those that have slots, as a node sees it."""
        ranges: list[list[Any]] = asked.ask("CLUSTER", "SLOTS")
        return {each[2][1] for each in ranges}

    def agree(self, ports: set[int], nodes: list[Server]) -> None:
        """Wait until these are the primaries in the eyes of those nodes."""
        until(lambda: all(self.primaries(node) == ports for node in nodes), "the nodes agree who has the slots")

    def replica_of(self, number: int, folder: Path) -> Server:
        """A replica of a node, connected; the caller stops it."""
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "15000", "--cluster-port", str(free_port()))
        replica = Server(folder, *options, "--cluster-require-full-coverage", "no")
        node = self.nodes[number]
        replica.ask("CLUSTER MEET", "127.0.0.1", node.port, self.buses[number])
        name = node.ask("CLUSTER", "MYID").decode()
        until(lambda: name in replica.ask("CLUSTER", "NODES").decode(), "the replica knows its primary")
        until(lambda: not isinstance(_tried(replica, "CLUSTER", "REPLICATE", name), Exception), "it follows it")
        until(lambda: replica.ask("ROLE")[3] == b"connected", "the replica is connected")
        known = replica.ask("CLUSTER", "MYID").decode()
        until(lambda: all(_is_replica(each, known) for each in self.nodes), "every node knows the replica")
        return replica

    def is_ok(self, node: Server) -> bool:
        return b"cluster_state:ok" in node.ask("CLUSTER", "INFO")

    def owner(self, key: str) -> int:
        """The number of the node that a key belongs to, as the cluster was made."""
        return min(key_slot(key.encode()) * 3 // SLOTS, 2)

    def key_of(self, number: int, prefix: str = "otpcore:", name: str = "k") -> str:
        """A key, without its prefix, that belongs to a node."""
        return next(f"{name}{each}" for each in range(1000) if self.owner(f"{prefix}{name}{each}") == number)

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()
        for proxy in self.proxies:
            proxy.close()


def _tried(server: Server, *command: Any) -> Any:
    try:
        return server.ask(*command)
    except redis.ResponseError as error:
        return error


def _is_replica(node: Server, name: str) -> bool:
    state: Any = node.ask("CLUSTER", "NODES")
    return any(name in line and "slave" in line for line in state.decode().splitlines())
