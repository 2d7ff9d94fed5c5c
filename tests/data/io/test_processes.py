import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from data.io import processes
from data.io.processes import ITEMS_PER_WORKER, WorkerDied, map_processes


def double(number: int) -> int:
    return 2 * number


def double_or_die(fatal: int, number: int) -> int:
    if number == fatal:
        os.kill(os.getpid(), signal.SIGSEGV)  # as a C library does that reads a damaged file
    return 2 * number


def refuse(number: int) -> int:
    raise ValueError(f"no {number}")


def test_results_are_in_the_order_of_the_items() -> None:
    assert list(map_processes(double, range(20), "doubling", workers=2)) == list(range(0, 40, 2))


def test_no_items_give_no_results() -> None:
    assert list(map_processes(double, [], "doubling")) == []


def test_dead_worker_loses_only_its_item() -> None:
    results = list(map_processes(partial(double_or_die, 5), range(8), "doubling", workers=2))
    assert results == [0, 2, 4, 6, 8, WorkerDied(), 12, 14]


def double_unless_killed(folder: Path, kills: int, number: int) -> int:
    tries = len(list(folder.iterdir()))
    if number == 5 and tries < kills:
        (folder / str(tries)).touch()
        os.kill(os.getpid(), signal.SIGKILL)  # as the system does for want of memory
    return 2 * number


def test_killed_worker_s_item_is_tried_until_it_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "KILL_WAITS_S", (0.0, 0.1, 0.1))
    work = partial(double_unless_killed, tmp_path, 3)
    assert list(map_processes(work, range(7), "doubling", workers=2)) == list(range(0, 14, 2))
    assert len(list(tmp_path.iterdir())) == 3


def test_an_item_whose_process_is_always_killed_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "KILL_WAITS_S", (0.0,))
    (died,) = map_processes(partial(double_unless_killed, tmp_path, 99), [5], "doubling")
    assert isinstance(died, WorkerDied)
    assert died.killed
    (crashed,) = map_processes(partial(double_or_die, 5), [5], "doubling")
    assert isinstance(crashed, WorkerDied)
    assert not crashed.killed


def test_an_exception_of_the_work_alone_is_raised(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no 5 alone"):
        list(map_processes(partial(die_then_refuse, tmp_path), [5], "refusing"))


def die_then_refuse(folder: Path, number: int) -> int:
    if not list(folder.iterdir()):
        (folder / "first").touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    raise ValueError(f"no {number} alone")


def test_exceptions_of_the_work_are_raised() -> None:
    with pytest.raises(ValueError, match="no 3"):
        list(map_processes(refuse, [3], "refusing"))


def get_pid(number: int) -> int:
    return os.getpid()


def test_few_items_share_one_process() -> None:
    assert len(set(map_processes(get_pid, range(2 * ITEMS_PER_WORKER - 1), "counting"))) == 1


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom functools import partial\nfrom pathlib import Path\n"
        "from tests.data.io.test_processes import wait_long\nfrom data.io.processes import map_processes\n"
        "if __name__ == '__main__':\n"
        "    list(map_processes(partial(wait_long, Path(sys.argv[1])), range(2), '', workers=2, progress=False))\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    folder = tmp_path / "workers"
    folder.mkdir()
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, str(script), str(folder)], env={**os.environ, "PYTHONPATH": str(root)}
    ) as parent:
        while len(workers := [int(file.name) for file in folder.iterdir()]) < 2:
            assert parent.poll() is None
            time.sleep(0.05)
        parent.kill()
    deadline = time.monotonic() + 60
    while alive := [pid for pid in workers if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)


def wait_long(folder: Path, number: int) -> int:
    (folder / str(os.getpid())).touch()
    time.sleep(300)
    return number


def list_imported(number: int) -> list[str]:
    return [name for name in ("xarray", "netCDF4") if name in sys.modules]


def test_workers_start_with_what_readers_of_tiles_import() -> None:
    assert list(map_processes(list_imported, [1], "asking")) == [["xarray", "netCDF4"]]


def kill_the_server(folder: Path, number: int) -> int:
    if not list(folder.iterdir()):
        (folder / "first").touch()
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_items_outlive_the_server_of_their_workers(tmp_path: Path) -> None:
    work = partial(kill_the_server, tmp_path)
    assert list(map_processes(work, range(3), "killing")) == [0, 1, 2]


def test_workers_import_nothing_from_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "xarray.py").write_text("raise SystemExit('a namesake was imported')")
    code = (
        "from data.io.processes import map_processes\n"
        "from tests.data.io.test_processes import double\n"
        "if __name__ == '__main__': print(*map_processes(double, [4], '', progress=False))\n"
    )
    (tmp_path / "apart").mkdir()
    script = tmp_path / "apart" / "script.py"
    script.write_text(code)
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("8\n", "")
