"""Real Ray clusters of several nodes on one machine; each node has its address, cores and cache."""

import os
import secrets
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.campaigns import kill_all, list_processes
from tests.support.servers import find_port

START_S = 90


@dataclass
class Node:
    """One node: the process group of its ``ray start --block``.

    Attributes:
        address: Its own address on loopback.
        cache: Its folder for copies of packs.
    """

    address: str
    cache: Path
    process: "subprocess.Popen[bytes]"

    def end(self) -> None:
        """Kill the node, as when a spot machine is reclaimed."""
        if self.process.poll() is None:
            kill_all(
                list_processes(self.process.pid)
            )  # its workers have process groups of their own
            self.process.wait()


@dataclass
class Cluster:
    """A cluster of nodes.

    Attributes:
        folder: Sockets, logs and the nodes' caches.
        variables: Environment of its nodes and its clients.
        nodes: The head first.
    """

    folder: Path
    variables: dict[str, str]
    port: int
    nodes: list[Node] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The value of ``--address``."""
        return f"127.0.0.1:{self.port}"

    def add(
        self,
        cpus: int,
        gpus: int = 0,
        hidden: Path | None = None,
        replaced: tuple[Path, Path] | None = None,
        **variables: str,
    ) -> Node:
        """Start a node; the first is the head.

        Args:
            cpus: Its cores.
            gpus: GPUs that it claims.
            hidden: A folder that it does not see, as if on another machine; needs the right to mount.
            replaced: Two folders; the node sees the first in place of the second.
            variables: Further environment variables.
        """
        number = len(self.nodes) + 1
        here, cache = f"127.0.0.{number}", self.folder / f"cache{number}"
        words = ["start", "--block", f"--node-ip-address={here}", f"--num-cpus={cpus}"]
        words += [f"--num-gpus={gpus}", "--object-store-memory=100000000", "--disable-usage-stats"]
        head = ["--head", f"--port={self.port}", "--include-dashboard=false"]
        head += [f"--temp-dir={self.folder}"]
        words += head if not self.nodes else [f"--address={self.address}"]
        environment = {**os.environ, **self.variables, "LANDSLIDE_CACHE": str(cache), **variables}
        with (self.folder / f"node{number}.txt").open("wb") as log:
            process = subprocess.Popen(
                [*_mount(hidden, replaced), sys.executable, "-m", "ray.scripts.scripts", *words],
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        node = Node(here, cache, process)
        self.nodes.append(node)
        self._wait(number, node)
        return node

    def _wait(self, number: int, node: Node) -> None:
        log, deadline = self.folder / f"node{number}.txt", time.monotonic() + START_S
        while "Ray runtime started" not in log.read_text():
            if time.monotonic() > deadline or node.process.poll() is not None:
                raise RuntimeError(f"Node {number} did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.2)


def _mount(hidden: Path | None, replaced: tuple[Path, Path] | None) -> list[str]:
    """Return the prefix of a command that mounts other files for itself."""
    mounts = [["tmpfs", "-t", "tmpfs", str(hidden)]] if hidden else []
    mounts += [["--bind", *map(str, replaced)]] if replaced else []
    if not mounts:
        return []
    lines = " && ".join(f"mount {shlex.join(words)}" for words in mounts)
    return ["unshare", "--mount", "sh", "-c", f'{lines} && exec "$@"', "sh"]


@contextmanager
def cluster(*cpus: int) -> Iterator[Cluster]:
    """Start a cluster with a token, one node per number of cores; end its nodes at the end."""
    with tempfile.TemporaryDirectory(prefix="lb", ignore_cleanup_errors=True) as short:
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        made = Cluster(Path(short), token | {"RAY_TMPDIR": short}, find_port())
        try:
            for cores in cpus:
                made.add(cores)
            yield made
        finally:
            for node in reversed(made.nodes):
                node.end()
