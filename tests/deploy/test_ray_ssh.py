"""A cluster of two machines, over SSH, as in platform/ray/README.md: up, stale code, submit, a lost connection, jobs, down.

The shipped onprem.yaml with two changes: the machines' addresses, and the environment of these tests instead of an
installation of two minutes (test_ray_files.py checks that).
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import yaml

from tests.support.held_trials import hold_trials
from tests.support.machines import HOME, ROOT, SHARED, Machine, boot_machines, why_not
from tuning.trial.folder import TrialFolder

pytestmark = [pytest.mark.slow, pytest.mark.file_s(400)]
MOUNTED = ("data", "models", "tuning", "platform")
FILES = ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", ".gitignore", ".rayignore")
CONFIG, SUBMIT = "platform/ray/lab.yaml", "platform/ray/submit.py"
TOKEN = {"RAY_AUTH_MODE": "token"}
SMOKE = f"--model unet --preset smoke --trials 2 --seeds 2 --data {SHARED}/twin".split()
RESULTS = ["--root", f"{SHARED}/mlruns"]


@dataclass(frozen=True)
class Cluster:
    """A running cluster, and the machine of its user."""

    laptop: Machine
    head: Machine
    worker: Machine
    shared: Path

    @property
    def project(self) -> Path:
        return self.laptop.home / "project"

    def command(self, *words: str) -> list[str]:
        return self.laptop.command(["ray", *words], f"{HOME}/project", **TOKEN)

    def ray(self, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return self.laptop.run("ray", *words, folder=f"{HOME}/project", **(TOKEN | variables))

    def submit(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return self.ray("submit", CONFIG, SUBMIT, "--", *words)

    def fingerprint(self) -> str:
        words = [sys.executable, SUBMIT, "--fingerprint"]
        return self.laptop.run(*words, folder=f"{HOME}/project").stdout.strip()


def write_config(project: Path, head: Machine, worker: Machine) -> None:
    """Write the shipped configuration with the machines' addresses and without the installation."""
    config = yaml.safe_load((ROOT / "platform" / "ray" / "onprem.yaml").read_text())
    config["provider"] |= {"head_ip": head.address, "worker_ips": [worker.address]}
    config["auth"]["ssh_user"] = "root"
    login, make, install = config["setup_commands"]
    assert "-m venv ~/landslide-venv" in make
    assert "pip install" in install
    _, _, note = install.rpartition(" && ")
    linked = f"ln -sfn {sys.prefix} ~/landslide-venv"
    config["setup_commands"] = [login, linked, f"cd ~/landslide-benchmark && {note}"]
    (project / CONFIG).write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, twin: Path) -> Iterator[Cluster]:
    """Two machines with a cluster, and the user's machine."""
    if why := why_not():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("lab")
    with boot_machines(folder, "laptop", "head", "worker") as (laptop, head, worker):
        shutil.copytree(twin, folder / "shared" / "twin")
        made = Cluster(laptop, head, worker, folder / "shared")
        for name in MOUNTED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, made.project / name, ignore=ignored)
        for name in FILES:
            shutil.copy(ROOT / name, made.project / name)
        write_config(made.project, head, worker)
        token = made.laptop.run("ray", "get-auth-token", "--generate")
        assert token.returncode == 0, token.stdout
        (laptop.home / ".ray" / "auth_token").chmod(0o600)
        up = made.ray("up", "--yes", "--disable-usage-stats", CONFIG)
        assert up.returncode == 0, up.stdout
        with serve(head):
            yield made


@contextmanager
def serve(head: Machine) -> Iterator[None]:
    """Run an MLflow server on the head, and configure the command for it as in platform/ray/README.md."""
    uri, folder = f"http://{head.address}:5000", f"{HOME}/served"
    words = [sys.executable, "-m", "mlflow", "server", "--host", head.address, "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{folder}.db", "--artifacts-destination", folder]
    with (head.folder / "server.txt").open("wb") as log:
        server = subprocess.Popen(
            head.command(words, MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false"), stdout=log, stderr=log
        )
    try:
        ask = ["bash", "-c", f"exec 3<>/dev/tcp/{head.address}/5000"]
        wait_until(lambda: head.run(*ask).returncode == 0)
        (file := head.home / "landslide.env").write_text(f"MLFLOW_TRACKING_URI={uri}\n")
        file.chmod(0o600)
        yield
    finally:
        server.terminate()
        server.wait(timeout=30)


def wait_until(met: Callable[[], object], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)


def drivers(machine: Machine) -> list[int]:
    """List the processes of the benchmark's command on a machine."""
    inside = psutil.Process(machine.pid).children(recursive=True)
    found = []
    for one in inside:
        try:
            words = one.cmdline()
        except psutil.NoSuchProcess:
            continue
        found += [one.pid] if words[1:3] == ["-m", "tuning.run"] else []
    return found


def list_nodes(trials: Path, name: str = "node") -> list[Any]:
    """Return an entry of the environment of each trial that has begun, by default the node that trains it."""
    files = trials.rglob("environment.json")
    return [(TrialFolder(file.parent).read("environment") or {})[name] for file in files]


def test_token_and_login_shell_reach_both_machines(cluster: Cluster) -> None:
    ask = "command -v python; echo $RAY_AUTH_MODE"
    found = cluster.ray("exec", CONFIG, ask)
    assert found.returncode == 0, found.stdout
    assert f"{HOME}/landslide-venv/bin/python" in found.stdout
    token = (cluster.laptop.home / ".ray" / "auth_token").read_text()
    for machine in (cluster.head, cluster.worker):
        wait_until((machine.home / "landslide-installed.txt").is_file)
        carried = machine.home / ".ray" / "auth_token"
        assert (carried.read_text(), carried.stat().st_mode & 0o777) == (token, 0o600)
        assert "login.sh" in (machine.home / ".bashrc").read_text()


def test_stale_code_is_refused_until_it_is_brought(cluster: Cluster) -> None:
    old = cluster.fingerprint()
    with (cluster.project / "tuning" / "settings" / "presets.py").open("a") as file:
        file.write("\nPRESETS = PRESETS | {'fresh': PRESETS['smoke']}\n")
    new = cluster.fingerprint()
    assert new != old
    refused = cluster.submit("--code", new, "--preset", "none")
    assert refused.returncode != 0
    assert f"must be {new}" in refused.stdout
    assert f"here is {old}" in refused.stdout
    brought = cluster.ray("rsync-up", "--all-nodes", CONFIG)  # the worker all the same not
    assert brought.returncode == 0, brought.stdout
    half = cluster.submit("--code", new, "--nodes", "2", *SMOKE, *RESULTS, "--campaign", "half")
    assert half.returncode != 0
    assert f"  node worker ({cluster.worker.address}, " in half.stdout
    assert " has other code (" in half.stdout
    up = cluster.ray("up", "--yes", "--disable-usage-stats", CONFIG)
    assert up.returncode == 0, up.stdout
    mine = cluster.submit("--code", new, "--preset", "none")
    assert mine.returncode != 0  # as tuning.run's own
    assert "Available: smoke, quick, paper, fresh." in mine.stdout


def test_campaign_that_was_cut_off_goes_on_and_uses_both_machines(cluster: Cluster) -> None:
    words = ["--code", cluster.fingerprint(), "--nodes", "2", *SMOKE, *RESULTS]
    first = cluster.command("submit", CONFIG, SUBMIT, "--", *words, "--campaign", "first")
    log = cluster.shared / "first.log"
    with log.open("wb") as out:
        terminal = subprocess.Popen(
            first, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    trials = cluster.shared / "mlruns" / "campaigns" / "first" / "trials"
    wait_until(lambda: list(trials.glob("*")) or terminal.poll() is not None)
    assert terminal.poll() is None, log.read_text()
    wait_until(lambda: "Cluster: 2 nodes with the same code, packages and " in log.read_text())
    os.killpg(terminal.pid, signal.SIGKILL)
    terminal.wait()
    wait_until(lambda: not drivers(cluster.head))
    resumed = cluster.command("submit", CONFIG, SUBMIT, "--", "--resume", "first", *RESULTS)
    with log.open("wb") as out:
        again = subprocess.Popen(resumed, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    with hold_trials(
        cluster.head.pid
    ):  # a quick head would train all of them while the worker starts
        wait_until(lambda: "worker" in list_nodes(trials) or again.poll() is not None)
    assert again.wait(timeout=600) == 0, log.read_text()
    table = pd.read_csv(cluster.shared / "mlruns" / "reports" / "first" / "benchmark_master.csv")
    assert list(table["model"]) == ["VanillaUNet"]
    assert set(list_nodes(trials)) == {"head", "worker"}
    assert set(list_nodes(trials, "threads")) == {2}  # not SSH's one


@pytest.fixture
def forwarded(cluster: Cluster) -> Iterator[str]:
    """The dashboard's address on the user's machine, from ``ray dashboard``."""
    words = cluster.command("dashboard", CONFIG)
    forward = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        knock = ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8265"]
        wait_until(lambda: cluster.laptop.run(*knock).returncode == 0)
        yield "http://127.0.0.1:8265"
    finally:
        os.killpg(forward.pid, signal.SIGTERM)
        forward.wait()


def test_job_needs_the_token_and_brings_its_code(cluster: Cluster, forwarded: str) -> None:
    job = ["job", "submit", "--address", forwarded, "--working-dir", ".", "--", "python"]
    refused = cluster.ray(*job, "-m", "tuning.run", "--help", RAY_AUTH_MODE="disabled")
    assert refused.returncode != 0
    assert "AuthenticationError" in refused.stdout
    helped = cluster.ray(*job, SUBMIT, "--help")
    assert helped.returncode == 0, helped.stdout
    assert f"Code {cluster.fingerprint()}, last edited " in helped.stdout
    assert "_ray_pkg_" in helped.stdout
    assert "--gpus-per-trial" in helped.stdout
    assert "succeeded" in helped.stdout


def test_ports_of_the_head(cluster: Cluster) -> None:
    listening = cluster.head.run("ss", "-ltnH").stdout.split()
    assert "127.0.0.1:8265" in listening
    assert "10.77.0.2:8265" not in listening
    assert not {"0.0.0.0:8265", "*:8265", "[::]:8265"} & set(listening)
    ask = ["ray", "status", "--address", f"{cluster.head.address}:6379"]
    stranger = cluster.laptop.run(*ask, RAY_AUTH_MODE="disabled")
    assert stranger.returncode != 0
    assert "CPU" not in stranger.stdout


def test_down_ends_ray_on_the_head(cluster: Cluster) -> None:
    def count() -> int:
        inside = psutil.Process(cluster.head.pid).children(recursive=True)
        return sum("raylet" in one.name() for one in inside)

    assert count() == 1
    down = cluster.ray("down", "--yes", CONFIG)
    assert down.returncode == 0, down.stdout
    assert count() == 0
