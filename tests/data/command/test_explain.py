"""Every error becomes one sentence with a remedy; no traceback is lost, none is shown."""

import errno
import os
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from data.command.explain import (
    CommandError,
    explain_error,
    explains,
    is_own,
    save_traceback,
    writes_to,
)
from data.io.disk import FullDiskError
from data.io.errors import check_database_path
from data.io.safe_json import parse_object


def catch(work: object, *args: object) -> Exception:
    try:
        work(*args)  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001 - returned
        return error
    raise AssertionError("no error was raised")


def test_an_error_of_this_project_is_its_own_sentence() -> None:
    error = catch(parse_object, "[", Path("trial.json"))
    assert is_own(error)
    assert explain_error(error) == str(error)
    assert explain_error(CommandError("Choose another.", 2)) == "Choose another."


def test_an_error_of_this_project_in_a_worker_process_is_its_own_sentence() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        error = catch(pool.submit(check_database_path, Path("/a?b/mlflow.db")).result)
    assert is_own(error)
    assert explain_error(error).startswith("An output folder's path must have no '?'")


def test_an_unknown_error_is_named_with_the_file_of_its_traceback() -> None:
    error = catch(int, "x")
    text = explain_error(error)
    found = re.fullmatch(r"ValueError: invalid literal .* \(traceback: (.*)\)", text)
    assert found
    file = Path(found[1])
    assert "Traceback (most recent call last)" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    file.unlink()


def test_without_room_for_a_traceback_the_place_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.command.explain.private_folder", lambda: Path("/nowhere"))
    error = catch(int, "x")
    assert save_traceback(error) is None
    assert re.search(r"\(in .*test_explain\.py:\d+\)", explain_error(error))


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EACCES, "Ask its owner for the permission"),
        (errno.EROFS, "Choose a place that can be written"),
        (errno.ENOENT, "Check its name"),
        (errno.EMFILE, "ulimit -n 4096"),
        (errno.EIO, "use another disk"),
        (errno.EEXIST, "Something of that name is there already: rename or delete it"),
        (errno.ENOTDIR, "is a file where a folder should be: rename that file"),
        (errno.EISDIR, "It is a folder where a file should be: name a file in it"),
        (errno.ENOTEMPTY, "The folder holds something: empty it"),
        (errno.ENAMETOOLONG, "Choose a shorter name"),
        (errno.ELOOP, "symbolic links lead in a circle: correct them"),
        (errno.EPIPE, "Correct what it names"),
    ],
)
def test_an_error_of_the_system_names_the_file_and_the_remedy(number: int, remedy: str) -> None:
    def fail() -> None:
        raise OSError(number, os.strerror(number), "/data/tile.nc")

    text = explain_error(catch(fail))
    assert text.startswith(f"{os.strerror(number)}: /data/tile.nc. ")
    assert remedy in text


def test_real_errors_of_the_system_are_sentences_without_a_number(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    calls = {
        "File exists": lambda: (tmp_path / "file").mkdir(),
        "Not a directory": lambda: (tmp_path / "file" / "x").touch(),
        "Is a directory": lambda: tmp_path.write_text(""),
        "File name too long": lambda: (tmp_path / ("x" * 300)).touch(),
        "Too many levels of symbolic links": lambda: (tmp_path / "loop").read_text(),
    }
    for reason, call in calls.items():
        text = explain_error(catch(call))
        assert text.startswith(f"{reason}: {tmp_path}")
        assert "Errno" not in text


def test_a_move_to_another_disk_names_both_places() -> None:
    def fail() -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), "/a/map", None, "/b/map")

    text = explain_error(catch(fail))
    assert text.endswith(
        ": /a/map and /b/map. Both must be on one disk: choose a place on the disk of the other."
    )


def test_a_full_disk_is_answered_with_the_option_that_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.command.explain._folders", [])
    monkeypatch.setattr("data.command.explain.is_full", lambda folder: folder == tmp_path)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    writes_to(tmp_path, option="--to")
    assert explain_error(full).endswith("or choose another folder with --to.")
    writes_to(tmp_path)
    assert explain_error(full).endswith("or choose another folder with --root.")


def test_a_full_disk_is_found_behind_the_error_of_a_library(tmp_path: Path) -> None:
    def fail() -> None:
        try:
            raise FullDiskError("the disk of the trials")
        except FullDiskError as full:
            raise RuntimeError("TuneError: a trial failed") from full

    assert explain_error(catch(fail)) == "the disk of the trials"


def test_packages_are_missed_memory_and_text_in_sentences() -> None:
    def fail(error: Exception) -> None:
        raise error

    missing = explain_error(catch(fail, ModuleNotFoundError("No module named 'ray'")))
    assert "cannot be imported: No module named 'ray'" in missing
    assert "python -m pip install -c constraints.txt -e ." in missing
    assert "too little free memory" in explain_error(catch(fail, MemoryError()))
    assert "must be UTF-8 text" in explain_error(catch(b"\xff".decode))
    threads = explain_error(catch(fail, RuntimeError("can't start new thread")))
    assert "ulimit -u" in threads


def test_a_library_s_errors_are_explained_where_it_is_used() -> None:
    kind = type("StrangeError", (Exception,), {"__module__": "strange.errors"})

    @explains("strange")
    def explain(error: BaseException) -> str:
        return f"The strange library: {error}. Restart it."

    assert explain_error(catch(_raise, kind("lost"))) == "The strange library: lost. Restart it."


def _raise(error: Exception) -> None:
    raise error


def test_passwords_are_hidden() -> None:
    text = explain_error(catch(_raise, ConnectionError("http://user:secret@host refused")))
    assert "secret" not in text


@pytest.mark.parametrize("name", ["a?b", "50%20", "x%2Fy"])
def test_a_path_that_a_database_s_address_changes_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"must have no '\?'.* but got /out/.*--root"):
        check_database_path(Path("/out") / name / "mlflow.db")
    check_database_path(Path("/out/50 % of 'it' #1/mlflow.db"))
