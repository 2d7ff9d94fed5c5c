"""Check of Ray: local, joined, hanging, crashing, refused."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.support.check_results import matches
from tuning.cluster.head import find_head_fault, try_connection
from tuning.doctor.check_result import CheckResult
from tuning.doctor.ray_check import check_ray, run_child

pytestmark = pytest.mark.file_s(200)

ROOT = Path(__file__).parents[3]
AUTH = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
CLUSTER = """
import ray, sys
ray.init("local", num_cpus=1, include_dashboard=False, object_store_memory=100 << 20)
print("ADDRESS", ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""


@contextmanager
def start_cluster(*prefix: str) -> Iterator[str]:
    """Start a Ray that others can join, behind a command prefix; yield its address."""
    with subprocess.Popen(
        [*prefix, sys.executable, "-c", CLUSTER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = (line for line in process.stdout if line.startswith("ADDRESS"))
        yield next(lines).split()[1]
        process.communicate()  # closing its input stops it


@dataclass(frozen=True)
class LocalCheck:
    """A check of a local Ray in a home that cannot be written, and what it left behind."""

    result: CheckResult
    processes: list[str]
    files: list[Path]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> LocalCheck:
    folder, before = tmp_path_factory.mktemp("local"), set(psutil.pids())
    with pytest.MonkeyPatch.context() as patch:
        for name in AUTH:
            patch.delenv(name, raising=False)
        patch.setenv("HOME", "/proc/nowhere")
        result = check_ray(None, folder)
    mine = psutil.Process().children(recursive=True)
    left = [one.name() for one in mine if one.pid not in before and "ray" in one.name()]
    return LocalCheck(result, left, list(folder.iterdir()))


@pytest.mark.slow
def test_local_ray_runs_a_task_and_stops(local: LocalCheck) -> None:
    found = r"a local Ray ran a task on every node in \d+ s, .*: \d+ cores, \d+ GPUs"
    assert matches(local.result, "ok", found)
    assert local.processes == []
    assert local.files == []


@pytest.mark.slow
def test_local_ray_needs_no_home_that_is_writable(local: LocalCheck) -> None:
    assert matches(local.result, "ok", "ran a task")


@pytest.mark.slow
def test_temporary_folder_with_too_long_a_path_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / ("long" * 30)).mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    assert matches(check_ray(None, tmp_path), "FAIL", "AF_UNIX path", "RAY_TMPDIR=FOLDER .* short")


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the nodes of `cluster` do not see, if this user may mount."""
    return tmp_path_factory.mktemp("hidden")


@pytest.fixture(scope="module")
def cluster(hidden: Path) -> Iterator[tuple[str, bool]]:
    """A cluster with a token of the default file: its address, and whether the hidden folder is hidden from it."""
    hide = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs none {hidden} && "$@"', "-"]
    hides = subprocess.run([*hide, "true"], capture_output=True, check=False).returncode == 0
    with pytest.MonkeyPatch.context() as patch:
        for name in AUTH:
            patch.delenv(name, raising=False)
        with start_cluster(*hide if hides else []) as address:
            yield address, hides


@pytest.mark.slow
def test_cluster_is_joined_with_its_token_and_keeps_running(
    cluster: tuple[str, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = cluster[0]
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    result = check_ray(address, tmp_path)
    assert matches(result, "FAIL", "InvalidAuthToken", "^RAY_AUTH_MODE=token, with")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    result = check_ray(address, tmp_path / "new")
    assert matches(result, "ok", f"the cluster {address} ran a task on every node in .*: 1 cores")
    assert find_head_fault(address) == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_cluster_must_share_the_output_folder(
    cluster: tuple[str, bool], hidden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, hides = cluster
    if not hides:
        pytest.skip("mounting is not allowed here")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert matches(
        check_ray(address, hidden), "FAIL", f"node .* does not share .*{hidden.name}", "."
    )


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("127.0.0.1:1", "cluster 127.0.0.1:1 cannot be reached: .*refused"),
        ("ray://127.0.0.1:1", "cluster ray://127.0.0.1:1 cannot be reached: .*refused"),
        ("nowhere.invalid:6379", "cluster nowhere.*cannot be reached"),
    ],
)
def test_cluster_that_does_not_answer_is_named_at_once(
    address: str, found: str, tmp_path: Path
) -> None:
    remedy = "ray start --head .* omit --address and unset RAY_ADDRESS"
    assert matches(check_ray(address, tmp_path), "FAIL", found, remedy)


def test_invalid_address_is_named(tmp_path: Path) -> None:
    assert matches(
        check_ray("nonsense", tmp_path),
        "FAIL",
        "nonsense cannot be reached: it has no host and port",
        "ray start --head",
    )


def test_ray_that_hangs_is_killed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert try_connection(f"//{address}") == ""
        assert run_child([address, "."], 3) == {"error": "no answer within 3 s"}
    assert [one for one in psutil.Process().children() if "ray_check" in str(one.cmdline())] == []


def test_crash_of_ray_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ray.py").write_text("import os\nprint('fatal: no', flush=True)\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    assert matches(check_ray(None, tmp_path), "FAIL", "its process ended with -6", "newest logs in")
    (tmp_path / "ray.py").write_text("raise ImportError(\"No module named 'ray'\")\n")
    assert matches(check_ray(None, tmp_path), "FAIL", "No module named 'ray'", "pip install")
    (tmp_path / "ray.py").write_text("raise RuntimeError('Version mismatch: Ray: 2.1')\n")
    assert matches(check_ray(None, tmp_path), "FAIL", "Version mismatch", "the same Ray and Python")
