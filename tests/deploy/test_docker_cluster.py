"""The scripts of docker/ as a cluster: a head, two workers, and the benchmark that joins them, on one machine."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from tests.support.held_trials import hold_trials, list_training
from tests.support.secured import (
    DOCKER,
    PROJECT,
    Secured,
    make_environment,
    make_word,
    serve_secured,
)
from tests.support.servers import find_port
from tuning.tracking.client import connect, find_runs

pytestmark = [pytest.mark.slow, pytest.mark.file_s(120)]

TRIALS, SEEDS = 2, 1
LONG_S = 300
OF_RAY = re.compile(r"raylet/raylet|gcs_server|ray start|ray::|default_worker|ray/dashboard")


@dataclass(frozen=True)
class Cluster:
    """A head and its token; all its files are in one folder."""

    folder: Path
    variables: dict[str, str]

    @contextmanager
    def running(
        self, role: str, *words: str, **variables: str
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a node with docker/ray-node.sh; stop only its own processes at the end."""
        log = self.folder / f"{role}-{len(list(self.folder.iterdir()))}.log"
        call = ["bash", str(DOCKER / "ray-node.sh"), role, "--node-ip-address", "127.0.0.1", *words]
        environment = make_environment(**self.variables, **variables)
        with log.open("wb") as out:
            node = subprocess.Popen(call, stdout=out, stderr=out, env=environment)
        try:
            wait_for(lambda: "Ray runtime started" in log.read_text(), node, log)
            yield node
        finally:
            node.terminate()
            node.wait(timeout=60)

    def ask(self, script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a script of docker/."""
        environment = make_environment(**self.variables | variables)
        call = ["bash", str(DOCKER / script)]
        return subprocess.run(call, env=environment, capture_output=True, text=True, check=False)


def wait_for(true: object, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if true():  # type: ignore[operator]
            return
        time.sleep(0.3)
    raise RuntimeError(log.read_text()[-3000:])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head without cores, and two workers with a core each; in a folder with a short path, because a socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="lb") as short:
        yield from start(Path(short))


def start(folder: Path) -> Iterator[Cluster]:
    port = find_port()
    variables = {
        "RAY_AUTH_TOKEN": make_word(),
        "RAY_HEAD": f"127.0.0.1:{port}",
        "RAY_PORT": str(port),
        "RAY_DASHBOARD_PORT": str(find_port()),
        "RAY_OBJECT_STORE_BYTES": "80000000",
    }
    one = Cluster(folder, variables)
    with ExitStack() as nodes:
        nodes.enter_context(one.running("head", "--temp-dir", str(folder / "ray")))
        for _ in range(2):
            nodes.enter_context(one.running("worker", RAY_CPUS="1"))
        yield one
    assert find_processes(folder) == []


def find_processes(folder: Path) -> list[str]:
    """List Ray's processes that use a folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or [])
        if str(folder / "ray") in words:
            found.append(words)
    return found


def find_readers(password: str) -> set[str]:
    """List the processes with a password in their environment."""
    found = set()
    for process in psutil.process_iter(["environ", "cmdline"]):
        if password in (process.info["environ"] or {}).values():
            found.add(" ".join(process.info["cmdline"] or ["gone", "gone"]))
    return found


def watch(command: "subprocess.Popen[bytes]", password: str, ends: Callable[[], bool]) -> set[str]:
    """List the processes that have a password until a condition is true or a command has ended."""
    readers: set[str] = set()
    deadline = time.monotonic() + LONG_S
    while command.poll() is None and time.monotonic() < deadline and not ends():
        readers |= find_readers(password)
        time.sleep(1)
    return readers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with serve_secured(tmp_path_factory.mktemp("server")) as one:
        yield one


def test_node_is_healthy_for_its_token_alone(cluster: Cluster) -> None:
    assert cluster.ask("healthy.sh", ROLE="ray").returncode == 0
    wrong = cluster.ask("healthy.sh", ROLE="ray", RAY_AUTH_TOKEN=make_word())
    assert wrong.returncode != 0
    assert "InvalidAuthToken" in wrong.stderr


def test_node_without_a_token_does_not_start(cluster: Cluster) -> None:
    for role in ("head", "worker"):
        call = ["bash", str(DOCKER / "ray-node.sh"), role]
        environment = make_environment(**cluster.variables | {"RAY_AUTH_TOKEN": ""})
        done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "error: A node of Ray needs RAY_AUTH_TOKEN" in done.stderr


def test_benchmark_with_a_wrong_token_is_not_taken(cluster: Cluster) -> None:
    wrong = cluster.ask("benchmark.sh", RAY_AUTH_TOKEN=make_word(), RAY_JOIN_S="8")
    assert wrong.returncode == 1
    assert "error: A driver must join the cluster" in wrong.stderr


def test_campaign_on_the_cluster_is_logged_with_its_password(
    cluster: Cluster, server: Secured, twin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, log = tmp_path / "mlruns", tmp_path / "log.txt"
    words = ["--model", "unet", "--preset", "smoke", "--data", str(twin), "--campaign", "joined"]
    words += ["--trials", str(TRIALS), "--seeds", str(SEEDS), "--cpus-per-trial", "1"]
    variables = {"ROOT": str(root), "RAY_NODE_WORDS": "--node-ip-address 127.0.0.1"}
    environment = make_environment(**cluster.variables, **variables, **server.client)
    call = ["bash", str(DOCKER / "benchmark.sh"), *words]
    with log.open("wb") as out:
        command = subprocess.Popen(call, cwd=PROJECT, env=environment, stdout=out, stderr=out)
        with hold_trials(os.getpid()):  # a quick worker would train all while the other one starts
            readers = watch(command, server.password, lambda: len(list_training(os.getpid())) > 1)
        readers |= watch(command, server.password, lambda: False)
        command.terminate()  # nothing, unless it took too long
    assert command.wait(timeout=120) == 0, log.read_text()[-3000:]
    assert any("tuning.run" in words for words in readers)
    assert [words for words in readers if OF_RAY.search(words)] == []  # the driver's own alone
    nodes = find_readers(cluster.variables["RAY_AUTH_TOKEN"])
    assert sum(bool(OF_RAY.search(words)) for words in nodes) >= 3  # which it would have found
    for name, value in server.client.items():
        monkeypatch.setenv(name, value)
    client, experiment_id = connect(root)
    trials = find_runs(client, experiment_id, campaign="joined", kind="trial")
    assert len(trials) == TRIALS + SEEDS
    assert {run.info.status for run in trials} <= {"FINISHED", "KILLED"}  # the scheduler stops some
    uris = {run.info.artifact_uri.split(":", 1)[0] for run in trials}
    assert uris == {"mlflow-artifacts"}  # through the server, with the same password
    assert (root / "reports" / "joined" / "benchmark_master.csv").is_file()
    times = sorted((run.info.start_time, run.info.end_time) for run in trials)
    # two at once: one on each worker, for each has a core, and the head and the driver's node have none
    assert any(later[0] < earlier[1] for earlier, later in pairwise(times))
    for path in root.rglob("*"):
        assert not path.is_file() or server.password.encode() not in path.read_bytes(), path
