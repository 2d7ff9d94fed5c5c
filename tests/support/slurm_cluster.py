"""A real Slurm with two nodes on this machine, in its own folder: munge, the controller, a daemon for each node."""

import getpass
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.servers import find_port

PROJECT = Path(__file__).parents[2]
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
START_S, END_S = 60, 20
NODES = ("n1", "n2")
CONFIG = """\
ClusterName=test
SlurmctldHost=localhost
SlurmctldPort={controller}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
PartitionName=all Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
"""
NODE = (
    "NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=500\n"
)


@dataclass(frozen=True)
class Slurm:
    """A running Slurm.

    Attributes:
        variables: The environment of its commands.
    """

    variables: Mapping[str, str]

    def call(self, *words: str, **more: str) -> str:
        """Run one of its commands in the project's folder; return its output."""
        done = subprocess.run(
            words,
            cwd=PROJECT,
            env={**self.variables, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout.strip()

    def ask(self, job: str, field: str) -> str:
        """Return one field of a job's description."""
        words = self.call("scontrol", "show", "job", job, "--oneliner").split()
        return dict(word.split("=", 1) for word in words if "=" in word)[field]


@contextmanager
def _daemon(words: list[str], log: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Run a program in its own session; stop only this program at the end."""
    with log.open("wb") as out:
        one = subprocess.Popen(
            words, stdout=out, stderr=out, env=dict(variables), start_new_session=True
        )
    try:
        yield
    finally:
        one.send_signal(signal.SIGTERM)
        try:
            one.wait(timeout=END_S)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()


def _wait(what: str, words: list[str], good: str, folder: Path, env: Mapping[str, str]) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        done = subprocess.run(words, env=dict(env), capture_output=True, text=True, check=False)
        if done.returncode == 0 and good in done.stdout:
            return
        time.sleep(0.3)
    logs = "\n".join(f"{log.name}:\n{log.read_text()[-1500:]}" for log in folder.glob("*.log"))
    raise RuntimeError(f"{what} does not answer: {done.stdout}{done.stderr}\n{logs}")


def require_slurm() -> None:
    """Skip if Slurm is not installed, as in CI, where its installation would take minutes."""
    missing = [one for one in PROGRAMS if shutil.which(one, path=_path()) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: apt-get install slurm-wlm munge")


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


@contextmanager
def running_slurm(folder: Path) -> Iterator[Slurm]:
    """Run Slurm in *folder*, whose path must be short because it contains a socket."""
    folder.chmod(0o755)
    for name in ("state", *(f"spool-{node}" for node in NODES)):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(secrets.token_bytes(128))
    (folder / "munge.key").chmod(0o400)
    config = CONFIG.format(controller=find_port(), folder=folder, user=getpass.getuser())
    config += "".join(NODE.format(name=name, port=find_port()) for name in NODES)
    (folder / "slurm.conf").write_text(config)
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "SLURM"))
    }
    env |= {"PATH": _path(), "SLURM_CONF": str(folder / "slurm.conf"), "PYTHONPATH": str(PROJECT)}
    env |= {"LANDSLIDE_PYTHON": sys.executable}
    munged = ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket"]
    munged += [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "seed")]
    with ExitStack() as stack:
        stack.enter_context(_daemon(munged, folder / "munged.log", env))
        _wait("munge", ["munge", "-n", "-S", f"{folder}/munge.socket"], "MUNGE", folder, env)
        words = ["slurmctld", "-D", "-i"]
        stack.enter_context(_daemon(words, folder / "slurmctld.log", env))
        for name in NODES:
            log = folder / f"slurmd-{name}.log"
            stack.enter_context(_daemon(["slurmd", "-D", "-N", name], log, env))
        _wait("Slurm", ["sinfo", "--noheader", "--format=%D %t"], "2 idle", folder, env)
        yield Slurm(env)
