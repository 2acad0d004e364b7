"""What the servers' own settings mean for the records, for an operator: `otpcore doctor`.

Rules of this file: it asks and changes nothing. What a server does not let this user ask is said to be not known; it is
no fault, for managed servers forbid it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from otpcore.errors import StoreError, StoreUnavailable
from otpcore.ports import Durability, StoreRemark
from otpcore_redis.cluster import Cluster
from otpcore_redis.routes import Command, Node, Route, Steps

__all__ = ["Server", "examination", "remarks"]

CONFIG: Final = ("appendfsync", "save", "min-replicas-to-write")
OLDEST: Final = (6, 2)
NEARLY_FULL: Final = 0.9

NOT_ASKED: Final = "cannot be asked of this server by this user"


@dataclass(frozen=True, slots=True)
class Server:
    """What one server said of itself.

    Attributes:
        name: how it is told from the others; "" where there is one.
        info: the answer to INFO, field by field; empty where it may not be asked.
        config: the answers to CONFIG GET; empty where it may not be asked.
        cluster: the answer to CLUSTER INFO; empty where there is none.
    """

    name: str
    info: Mapping[str, str]
    config: Mapping[str, str]
    cluster: Mapping[str, str]

    def number(self, field: str) -> int:
        """A field of INFO that is a number; 0 where there is none."""
        return int(self.info.get(field, "0") or 0)

    @property
    def keeps(self) -> bool:
        """Whether an acknowledged write survives the server's loss of power."""
        return self.info.get("aof_enabled") == "1" and self.config.get("appendfsync") == "always"


def examination(route: Route, durability: Durability) -> Steps[list[StoreRemark]]:
    """Ask every primary.

    Raises:
        StoreUnavailable: one does not answer.
    """
    nodes = yield from route.places()
    asked: list[Command] = [(b"INFO",), (b"CLUSTER", b"INFO"), *((b"CONFIG", b"GET", name) for name in CONFIG)]
    found = yield [(node, asked) for node in nodes]
    servers: list[Server] = []
    for node, (info, cluster, *config) in zip(nodes, found, strict=True):
        if not all(map(_is_answer, (info, cluster, *config))):
            raise StoreUnavailable(f"{_name(node) or 'Redis'} gave no answer to INFO.")
        pairs = [(each[0].decode(), each[1].decode()) for each in config if each and not isinstance(each, Exception)]
        servers.append(Server(_name(node), _fields(info), dict(pairs), _fields(cluster)))
    told = chain.from_iterable(remarks(server, route, durability) for server in servers)
    return list(dict.fromkeys(told))


def _is_answer(answer: Any) -> bool:
    """Whether the server said something, if only that it may not be asked."""
    return not isinstance(answer, StoreError)


def _fields(answer: Any) -> dict[str, str]:
    if not isinstance(answer, bytes):
        return {}
    pairs = (line.partition(":") for line in answer.decode("utf-8", "replace").splitlines() if ":" in line)
    return {name: value for name, _, value in pairs}


def _name(node: Node) -> str:
    return "" if node is None else f"{node[0]}:{node[1]}"


def remarks(server: Server, route: Route, durability: Durability) -> Iterator[StoreRemark]:
    """What one server's answers mean."""
    at = f"{server.name}: " if server.name else ""
    if not server.info:
        yield StoreRemark(f"{at}INFO {NOT_ASKED}: whether it evicts records is not known.")
        return
    for text, is_fault in chain(
        _identity(server, route),
        _memory(server),
        _persistence(server, durability),
        _replication(server, route, durability),
    ):
        yield StoreRemark(at + text, is_fault)


Told = Iterator[tuple[str, bool]]


def _identity(server: Server, route: Route) -> Told:
    info = server.info
    software = "Valkey" if info.get("server_name") == "valkey" else "Redis"
    version = info.get("valkey_version") or info.get("redis_version", "0")
    if tuple(int(each) for each in version.split(".")[:2]) < OLDEST:
        yield f"{software} {version} is too old: 6.2 is the oldest.", True
    if info.get("role") != "master":
        yield "It is a replica: it refuses every commit, and what it tells is old. Name the primary.", True
    in_cluster = info.get("cluster_enabled") == "1"
    if in_cluster and not isinstance(route, Cluster):
        yield "It is a node of a cluster: say redis+cluster:// in OTPCORE_REDIS_URL.", True
    if in_cluster and server.cluster.get("cluster_state") != "ok":
        yield "The cluster is not in order (CLUSTER INFO): some or all of its slots answer nothing.", True


def _memory(server: Server) -> Told:
    policy, most, used = server.info.get("maxmemory_policy"), server.number("maxmemory"), server.number("used_memory")
    if policy != "noeviction":
        yield f"maxmemory-policy is {policy}: an evicted record is a limit that is forgotten. Set noeviction.", True
    if most and used >= most:
        yield f"Its memory is full ({used} of maxmemory {most} bytes): new records are refused.", True
    elif most and used >= NEARLY_FULL * most:
        yield f"Its memory is nearly full ({used} of maxmemory {most} bytes).", False


def _persistence(server: Server, durability: Durability) -> Told:
    info, config = server.info, server.config
    appends, fsync, saves = info.get("aof_enabled") == "1", config.get("appendfsync"), config.get("save")
    if info.get("aof_last_write_status", "ok") != "ok" or info.get("rdb_last_bgsave_status", "ok") != "ok":
        yield "The last write to its disk failed (INFO persistence).", True
    if not config:
        yield (
            f"CONFIG {NOT_ASKED}: that writes survive as OTPCORE_REDIS_DURABILITY={durability} says is believed.",
            False,
        )
    elif durability is Durability.DISK and not server.keeps:
        yield "OTPCORE_REDIS_DURABILITY=disk is not so: that needs appendonly yes and appendfsync always.", True
    lost = "nothing" if fsync == "always" else "the last second" if fsync == "everysec" else "what the system held back"
    if appends and config:
        yield f"appendonly yes, appendfsync {fsync}: its loss of power loses {lost}.", False
    elif not appends and saves == "":
        yield "appendonly no, and no snapshots: its restart loses everything.", False
    elif not appends:
        yield "appendonly no: its restart loses everything since the last snapshot.", False


def _replication(server: Server, route: Route, durability: Durability) -> Told:
    connected, asked = server.number("connected_slaves"), route.replicas
    least = server.config.get("min-replicas-to-write")
    if durability is Durability.REPLICATED and not asked:
        text = "OTPCORE_REDIS_DURABILITY=replicated, but no replica is waited for: set OTPCORE_REDIS_REPLICAS."
        yield text, bool(server.config)  # what may not be asked is a managed service's, and may be so
    if asked > connected:
        yield f"OTPCORE_REDIS_REPLICAS={asked}, and it has {connected}: no commit can be sure.", True
    elif asked and asked == connected:
        yield f"OTPCORE_REDIS_REPLICAS={asked}, and it has no more: where one is lost, nothing works.", False
    elif connected and not asked:
        yield f"{connected} replica(s), none waited for: a failover loses what it had not received yet.", False
    if connected and least == "0":
        yield "min-replicas-to-write is 0: a primary that is cut off takes writes that will be lost.", False
