"""The scripts of docker/ as a cluster: a head, a worker, and the benchmark that joins them, on one machine."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from secured import DOCKER, PROJECT, Secured, make_environment, make_word, serve_secured
from servers import find_port

from tuning.store import connect, find_runs

pytestmark = pytest.mark.slow

TRIALS, SEEDS = 4, 2
LONG_S = 300


@dataclass(frozen=True)
class Cluster:
    """A head and its token; all files of it lie below a folder."""

    folder: Path
    variables: dict[str, str]

    @contextmanager
    def running(self, role: str, *words: str, **variables: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a node by docker/ray-node.sh; end it and its processes, and nothing else of Ray."""
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
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head without cores, and a worker with two."""
    folder, port = tmp_path_factory.mktemp("c"), find_port()  # a short name: sockets have 107 letters
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
        nodes.enter_context(one.running("worker", RAY_CPUS="2"))
        yield one
    assert find_processes(folder) == []


def find_processes(folder: Path) -> list[str]:
    """List Ray's processes that work below a folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or [])
        if str(folder / "ray") in words:
            found.append(words)
    return found


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
    wrong = cluster.ask("benchmark.sh", RAY_AUTH_TOKEN=make_word(), RAY_JOIN_S="60")
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
        code = subprocess.run(
            call, cwd=PROJECT, env=environment, stdout=out, stderr=out, timeout=LONG_S, check=False
        ).returncode
    assert code == 0, log.read_text()[-3000:]
    for name, value in server.client.items():
        monkeypatch.setenv(name, value)
    client, experiment_id = connect(root)
    trials = find_runs(client, experiment_id, campaign="joined", kind="trial")
    assert len(trials) == TRIALS + SEEDS
    assert {run.info.status for run in trials} <= {"FINISHED", "KILLED"}  # the scheduler stops some
    uris = {run.info.artifact_uri.split(":", 1)[0] for run in trials}
    assert uris == {"mlflow-artifacts"}  # through the server, with the same password
    assert (root / "reports" / "joined" / "benchmark_master.csv").is_file()
    held = {path.name for path in (root / "campaigns" / "joined").rglob("*") if path.is_file()}
    assert "campaign.json" in held
    for path in root.rglob("*"):
        assert not path.is_file() or server.password.encode() not in path.read_bytes(), path


def test_password_of_mlflow_stays_with_the_driver(cluster: Cluster, server: Secured) -> None:
    for process in psutil.process_iter(["environ", "cmdline"]):
        words = " ".join(process.info["cmdline"] or [])
        if str(cluster.folder) in words:
            assert "MLFLOW_TRACKING_PASSWORD" not in (process.info["environ"] or {})
    assert os.environ.get("MLFLOW_TRACKING_PASSWORD") != server.password
    assert signal.SIGTERM
