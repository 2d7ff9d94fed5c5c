"""The Slurm job: a real one on a Slurm with two nodes, and its script with stubs of Slurm's commands."""

import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.servers import serve_mlflow
from tests.support.slurm_cluster import PROJECT, Slurm, require_slurm, running_slurm
from tuning.trial.entry import list_trials
from tuning.trial.folder import TrialFolder
from tuning.trial.status import is_finished

FOLDER = PROJECT / "platform" / "slurm"
SCRIPT = FOLDER / "landslide.sbatch"
PATIENCE_S = 400
sys.path.append(str(FOLDER))
import ray_cluster


def test_shellcheck_finds_nothing() -> None:
    scripts = [*map(str, FOLDER.glob("*.sh")), str(SCRIPT)]
    assert len(scripts) == 2
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_jobs_of_one_node_begin_at_different_ports() -> None:
    assert len({ray_cluster.choose_port("127.0.0.1", job) for job in range(40, 50)}) == 10


def test_taken_port_is_passed_by() -> None:
    first = ray_cluster.choose_port("127.0.0.1", 77)
    with socket.socket() as one:
        one.bind(("127.0.0.1", first + 1))
        one.listen()
        assert ray_cluster.choose_port("127.0.0.1", 77) > first


def test_no_free_port_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "is_free", lambda ip, port: False)
    with pytest.raises(OSError, match=r"needs 3 free ports of 127\.0\.0\.1"):
        ray_cluster.choose_port("127.0.0.1", 1)


def test_nodes_that_do_not_come_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as one:  # bound, and nobody listens
        one.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{one.getsockname()[1]}"
        assert ray_cluster.main(["wait", address, "2", "0.1"]) == 1
    assert f"2 nodes must join Ray at {address} within 0.1 s, but 0 did" in capsys.readouterr().err


PRETENDED = {
    "scontrol": """case "$1" in
show) echo "NodeName=n1 NodeAddr=127.0.0.1 Port=1" ;;
requeue) echo requeue >>"$seen" ;;
esac""",
    "srun": 'echo srun >>"$seen"; case " $* " in *" head "*|*" worker "*) exec sleep 30 ;; esac',
    "squeue": 'echo "$state"',
    "python": """case "$*" in
-c*) echo token ;;
*" port "*) echo 20000 ;;
*" wait "*) exit 0 ;;
*)
    echo "driver $*" >>"$seen"
    stat -c "token %a" "$RAY_AUTH_TOKEN_PATH" >>"$seen"
    trap 'exit "$code"' TERM
    [ -z "$now" ] || exit "$code"
    for _ in $(seq 300); do sleep 0.1; done
    ;;
esac""",
}


@pytest.fixture
def pretend(tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Start the script as Slurm does, with stubs that record their calls in a file."""
    for name, text in PRETENDED.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)

    def start(*words: str, **variables: str) -> "subprocess.Popen[str]":
        env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "SLURM_JOB_ID": "7"}
        env |= {
            "SLURM_SUBMIT_DIR": str(PROJECT),
            "SLURMD_NODENAME": "n1",
            "SLURM_CPUS_PER_TASK": "1",
        }
        env |= {"SLURM_JOB_NUM_NODES": "2", "LANDSLIDE_PYTHON": str(tmp_path / "python")}
        env |= {"LANDSLIDE_ROOT": str(tmp_path / "mlruns"), "seen": str(tmp_path / "seen")}
        env |= {"code": "130", "now": "", "state": "RUNNING"}
        return subprocess.Popen(
            ["bash", str(SCRIPT), *words],
            env=env | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )

    return start


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.mark.parametrize("word", ["--root", "--root=x", "--address", "--campaign"])
def test_what_the_job_sets_itself_is_refused(pretend: Start, word: str, tmp_path: Path) -> None:
    one = pretend("--model", "unet", word)
    _, err = one.communicate(timeout=60)
    assert one.returncode == 1
    assert f"got {word}; leave it out" in err
    assert not (tmp_path / "seen").exists()


def test_missing_environment_and_other_folder_are_said(pretend: Start, tmp_path: Path) -> None:
    assert "none.py is none" in pretend(LANDSLIDE_PYTHON="/none.py").communicate(timeout=60)[1]
    found = pretend(SLURM_SUBMIT_DIR=str(tmp_path)).communicate(timeout=60)[1]
    assert "sbatch must be typed in the project's folder" in found


@pytest.mark.parametrize(("state", "requeued"), [("RUNNING", 1), ("COMPLETING", 0), ("", 0)])
def test_stopped_job_is_queued_again_unless_it_was_cancelled(
    pretend: Start, tmp_path: Path, state: str, requeued: int
) -> None:
    one, seen = pretend("--model", "unet", state=state), tmp_path / "seen"
    _wait_for(lambda: seen.exists() and "token 600" in seen.read_text())
    one.send_signal(signal.SIGTERM)
    _, err = one.communicate(timeout=60)
    assert one.returncode == 130, err
    assert seen.read_text().count("requeue") == requeued
    assert ("--resume slurm-7" in err) != bool(requeued)
    assert not (tmp_path / "mlruns" / "slurm" / "7" / "token").exists()


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("now", ["yes", ""])
def test_job_ends_as_its_campaign_does(pretend: Start, tmp_path: Path, code: int, now: str) -> None:
    one, seen = pretend("--model", "unet", code=str(code), now=now), tmp_path / "seen"
    _wait_for(lambda: seen.exists() and "token 600" in seen.read_text())
    if not now:  # it had just come to its end when it was asked to stop
        one.send_signal(signal.SIGTERM)
    one.communicate(timeout=60)
    assert one.returncode == code
    assert "requeue" not in seen.read_text()


def test_job_that_runs_again_continues_its_campaign(pretend: Start, tmp_path: Path) -> None:
    folder = tmp_path / "mlruns" / "campaigns" / "slurm-7"
    folder.mkdir(parents=True)
    (folder / "campaign.json").write_text("{}")
    one, seen = pretend("--model", "unet"), tmp_path / "seen"
    _wait_for(lambda: seen.exists() and "token 600" in seen.read_text())
    one.send_signal(signal.SIGTERM)
    one.communicate(timeout=60)
    root = tmp_path / "mlruns"
    assert f"driver -m tuning.run --root {root} --resume slurm-7\n" in seen.read_text()


def _wait_for(happened: Callable[[], bool], log: Path | None = None) -> None:
    until = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < until, log.read_text() if log and log.exists() else "waited long"
        time.sleep(0.2)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path, because sockets are created in it."""
    with tempfile.TemporaryDirectory(prefix="s-") as folder:
        yield Path(folder)


@pytest.fixture
def slurm(short: Path) -> Iterator[Slurm]:
    require_slurm()
    with running_slurm(short) as one:
        yield one


def _find_port(job: str) -> int:
    """Return the port of the job's Ray, from the environment of its driver."""
    for process in psutil.process_iter(["cmdline", "environ"]):
        words, variables = process.info["cmdline"] or [], process.info["environ"] or {}
        if "tuning.run" in words and variables.get("SLURM_JOB_ID") == job:
            return int(variables["RAY_ADDRESS"].rpartition(":")[2])
    raise AssertionError("the job has no driver")


def _find_processes(job: str) -> list[str]:
    """List the running processes of a job's Ray."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has just ended
            continue
        found += [line] if f"ray-{job}/" in line else []
    return found


def _ask(port: int, path: str, **headers: str) -> int:
    """Request a page; return the status."""
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[str]:
    """The server that a cluster of several nodes needs."""
    store, log = f"sqlite:///{tmp_path}/server.db", tmp_path / "server.txt"
    with serve_mlflow(store, tmp_path / "artifacts", log) as uri:
        yield uri


@pytest.mark.slow
def test_interrupted_job_is_queued_again_and_ends_with_a_report(
    slurm: Slurm, short: Path, twin: Path, tracker: str
) -> None:
    root, words = short / "mlruns", ["--model", "unet", "--preset", "smoke", "--seeds", "1"]
    scratch = {"LANDSLIDE_ROOT": str(root), "LANDSLIDE_SCRATCH": str(short)}
    scratch |= {"MLFLOW_TRACKING_URI": tracker}
    submit = ["sbatch", "--parsable", "--cpus-per-task=1", f"--output={short}/job.log", str(SCRIPT)]
    job = slurm.call(*submit, *words, "--data", str(twin), **scratch)
    log = short / "job.log"
    _wait_for(lambda: log.exists() and ": epoch 1/2" in log.read_text(), log)
    token = root / "slurm" / job / "token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    first = token.read_text()
    assert len(first) == 64
    assert first not in log.read_text()

    port = _find_port(job)
    assert _ask(port + 10, "/api/healthz") == 200  # what the probes of platform/kuberay ask
    assert [
        _ask(port + 2, "/api/jobs/", **head) for head in ({}, {"Authorization": "Bearer x"})
    ] == [401, 403]
    assert _ask(port + 2, "/api/jobs/", Authorization=f"Bearer {first}") == 200

    slurm.call("scancel", "--signal=TERM", "--batch", job)  # as before a time limit
    _wait_for(lambda: slurm.ask(job, "JobState") == "PENDING", log)
    assert "Continue with: python -m tuning.run --resume" in log.read_text()
    assert not token.exists()
    assert _find_processes(job) == []
    begun = list_trials(root / "campaigns" / f"slurm-{job}" / "trials")
    assert 1 <= len(begun) <= 2  # of three

    slurm.call("scontrol", "update", f"JobId={job}", "StartTime=now")
    _wait_for(lambda: slurm.ask(job, "JobState") not in ("PENDING", "RUNNING", "COMPLETING"), log)
    assert slurm.ask(job, "JobState") == "COMPLETED", log.read_text()
    assert slurm.ask(job, "Restarts") == "1"
    assert (root / "reports" / f"slurm-{job}" / "benchmark_master.csv").is_file()
    ended = list_trials(root / "campaigns" / f"slurm-{job}" / "trials")
    assert len(ended) == 3
    assert set(begun) <= set(ended)
    assert all(is_finished(TrialFolder(path), entry.kind) for path, entry in ended.items())
    assert _find_processes(job) == []
    assert not (short / f"ray-{job}").exists()
