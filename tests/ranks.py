"""A run of several processes, forked from this one: on one node or on several, as torchrun starts them."""

import os
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.forked import Child, Done, begun

LIMIT = 60  # seconds of a processor, for each of them


def together(
    *arguments: object,
    cwd: Path,
    processes: int,
    nodes: int = 1,
    env: Mapping[str, str] | None = None,
    first: Callable[[], object] = lambda: None,
) -> list[Done]:
    """Run `cadence ARGUMENTS` on all of a run's processes; what each of them left, by rank.

    Args:
        arguments: words behind `cadence`; the strategy and the numbers of devices and nodes are put behind the first.
        cwd: folder of the processes.
        processes: number of them; a multiple of the nodes.
        nodes: number of nodes; one process is a run by itself.
        env: variables to add to the environment.
        first: function that each of them calls before all else.
    """
    children = start(*arguments, cwd=cwd, processes=processes, nodes=nodes, env=env, first=first)
    return [child.done() for child in children]


def start(
    *arguments: object,
    cwd: Path,
    processes: int,
    nodes: int = 1,
    env: Mapping[str, str] | None = None,
    first: Callable[[], object] = lambda: None,
) -> list[Child]:
    """As `together`, and do not wait for their ends."""
    if processes == 1:
        return [begun(*arguments, cwd=cwd, env=env, limit=LIMIT, first=first)]
    each = processes // nodes
    shape = ["-c", "cluster/ddp.yaml", "--trainer.devices", each, "--trainer.num_nodes", nodes]
    port = free_port()
    return [
        begun(
            *arguments[:1],
            *shape,
            *arguments[1:],
            cwd=cwd,
            env={**_rank(rank, each, processes, port), **(env or {})},
            limit=LIMIT,
            first=first,
        )
        for rank in range(processes)
    ]


def kill(children: list[Child]) -> None:
    """End what is left of them."""
    for child in children:
        try:
            os.kill(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _rank(rank: int, each: int, processes: int, port: int) -> dict[str, str]:
    """What torchrun tells a process of itself."""
    ours = {"RANK": rank, "LOCAL_RANK": rank % each, "GROUP_RANK": rank // each}
    sizes = {"WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": each, "MASTER_PORT": port}
    where = {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo", "TORCHELASTIC_RUN_ID": "tests"}
    return {name: str(number) for name, number in (ours | sizes).items()} | where


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
