"""Check of Ray: started, joined, hanging, refused; and of the tiles, opened as packing opens them."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from data.tiles import ORBITS
from tests.support.check_results import matches
from tuning.doctor.ray_check import check_ray, knock, run_apart, warn_of_dead
from tuning.doctor.tiles import check_data

ROOT = Path(__file__).parents[3]
AUTH = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
CLUSTER = """
import ray, sys
ray.init("local", num_cpus=1, include_dashboard=False, object_store_memory=100 << 20)
print("ADDRESS", ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""


@contextmanager
def cluster(*before: str) -> Iterator[str]:
    """Start a Ray for others to join, after some words of a command line; yield its address."""
    with subprocess.Popen(
        [*before, sys.executable, "-c", CLUSTER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = (line for line in process.stdout if line.startswith("ADDRESS"))
        yield next(lines).split()[1]
        process.communicate()  # the end of its input ends it


@pytest.mark.slow
def test_local_ray_runs_a_task_and_ends(tmp_path: Path) -> None:
    before = set(psutil.pids())
    finding = check_ray(None, tmp_path)
    assert matches(finding, "ok", r"a local Ray ran a task in \d+ s, .*: \d+ cores, \d+ GPUs")
    mine = psutil.Process().children(recursive=True)
    assert [one for one in mine if one.pid not in before and "ray" in one.name()] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_home_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in AUTH:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/proc/nowhere")
    finding = check_ray(None, tmp_path)
    assert matches(finding, "FAIL", "/proc/nowhere", "HOME=FOLDER .* or RAY_AUTH_MODE=disabled")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert matches(check_ray(None, tmp_path), "ok", "ran a task")  # the remedy helps


@pytest.mark.slow
def test_temporary_folder_with_too_long_a_name_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / ("long" * 30)).mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    assert matches(check_ray(None, tmp_path), "FAIL", "AF_UNIX path", "RAY_TMPDIR=FOLDER .* short")


@pytest.mark.slow
def test_cluster_is_joined_with_its_token_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in AUTH:
        monkeypatch.delenv(name, raising=False)
    with cluster() as address:
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
        finding = check_ray(address, tmp_path)
        assert matches(finding, "FAIL", "InvalidAuthToken", "^RAY_AUTH_MODE=token, with")
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        for _ in range(2):
            finding = check_ray(address, tmp_path / "new")
            assert matches(finding, "ok", f"the cluster {address} ran a task in .*: 1 cores")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_cluster_must_see_the_output_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    (tmp_path / "mlruns").mkdir()
    hide = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs none {tmp_path / "mlruns"} && "$@"', "-"]
    if subprocess.run([*hide, "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    with cluster(*hide) as address:
        finding = check_ray(address, tmp_path / "mlruns")
    assert matches(finding, "FAIL", "does not see .*mlruns", "shared storage")


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("127.0.0.1:1", "nothing answers at 127.0.0.1:1: .*refused"),
        ("ray://127.0.0.1:1", "nothing answers at ray://127.0.0.1:1: .*refused"),
        ("nowhere.invalid:6379", "nothing answers at nowhere"),
    ],
)
def test_cluster_that_is_not_there_is_named_at_once(
    address: str, found: str, tmp_path: Path
) -> None:
    remedy = "ray start --head .* Leave --address out and RAY_ADDRESS unset"
    assert matches(check_ray(address, tmp_path), "FAIL", found, remedy)


@pytest.mark.slow
def test_address_that_is_none_is_named(tmp_path: Path) -> None:
    assert matches(
        check_ray("nonsense", tmp_path), "FAIL", "nonsense did not run", "ray start --head"
    )


def test_ray_that_hangs_is_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert knock(address) == ""
        assert run_apart([address], 3) == {"error": "no answer within 3 s"}
    assert [one for one in psutil.Process().children() if "_checks_ray" in str(one.cmdline())] == []


def test_ray_that_dies_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ray.py").write_text("import os\nprint('fatal: no', flush=True)\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    assert matches(
        check_ray(None, tmp_path), "FAIL", "its process ended with -6", "newest logs below"
    )
    (tmp_path / "ray.py").write_text("raise ImportError(\"No module named 'ray'\")\n")
    assert matches(check_ray(None, tmp_path), "FAIL", "No module named 'ray'", "pip install")
    (tmp_path / "ray.py").write_text("raise RuntimeError('Version mismatch: Ray: 2.1')\n")
    assert matches(check_ray(None, tmp_path), "FAIL", "Version mismatch", "the same Ray and Python")


def test_cluster_that_is_gone_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert matches(warn_of_dead("well"), "ok", "^well$")
    (tmp_path / "ray").mkdir()
    file = tmp_path / "ray" / "ray_current_cluster"
    file.write_text("127.0.0.1:1\n")
    assert matches(warn_of_dead("well"), "warn", "a cluster that is gone", f"^rm {file}$")
    with socket.create_server(("127.0.0.1", 0)) as alive:
        file.write_text(f"127.0.0.1:{alive.getsockname()[1]}")
        assert matches(warn_of_dead("well"), "ok", "^well$")


def test_twin_needs_no_tiles(tmp_path: Path, twin: Path) -> None:
    assert matches(check_data("twin", tmp_path), "ok", f"will be made in {tmp_path / 'data'}")
    made = check_data("twin", _root_of(tmp_path, twin))
    assert matches(made, "ok", rf"{re.escape(twin.name)} in .*data is used again")


def _root_of(tmp_path: Path, twin: Path) -> Path:
    (tmp_path / "data").symlink_to(twin.parent)
    return tmp_path


def test_tiles_are_opened(twin: Path, tmp_path: Path) -> None:
    finding = check_data(str(twin), tmp_path)
    assert matches(finding, "ok", r"^12 SYNTHETIC .* tiles in .*, dB; 6 files opened$")


def test_tiles_that_are_not_there_are_named(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        finding = check_data(str(folder), tmp_path)
        assert matches(finding, "FAIL", "must hold s1asc/.* no folder s1asc/", "or --data twin")


def test_bad_tile_is_named_with_the_command_that_names_all(
    copy_tiles: Callable[[], Path], spoil: Callable[[Path, str, str], Path], tmp_path: Path
) -> None:
    tiles = copy_tiles()
    first = min(path.stem.rpartition("_")[2] for path in (tiles / "s1asc").iterdir())
    spoiled = spoil(tiles, f"hokkaido_{first}", "s1dsc")
    finding = check_data(str(tiles), tmp_path)
    look = f"^python -m data.check {tiles}$"
    assert matches(finding, "warn", rf"of 6 files opened 1 cannot be used: .*{spoiled}", look)
    spoiled.unlink()
    assert matches(
        check_data(str(tiles), tmp_path), "warn", f"1 more lack an orbit.*_{first}$", look
    )


def test_folder_without_a_tile_that_can_be_used_fails(
    copy_tiles: Callable[[], Path], tmp_path: Path
) -> None:
    tiles = copy_tiles()
    for orbit in ORBITS:
        for file in (tiles / orbit).iterdir():
            file.write_text("no NetCDF")
    finding = check_data(str(tiles), tmp_path)
    assert matches(finding, "FAIL", "none of 6 files opened can", "^python -m data.check")


def test_manifest_that_cannot_be_read_is_named(
    copy_tiles: Callable[[], Path], tmp_path: Path
) -> None:
    tiles = copy_tiles()
    (tiles / "fetch.json").write_text("{")
    assert matches(check_data(str(tiles), tmp_path), "FAIL", "manifest must name", "--data")
