"""A database whose folder was moved, copied or may only be read; the real tables that MLflow makes."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from data.io.lock import try_lock
from tuning.store import database
from tuning.store.database import (
    MOVED_FROM,
    copy_for_reading,
    find_former_address,
    follow_folder,
    is_read_only,
)
from tuning.tracking.client import check_writable, connect

NAMES = ("moved here", "a%20b", "50% #1", "it's?x=1", "ünï")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with a run and its artifact, and a logged and registered model; not to be changed."""
    root = tmp_path_factory.mktemp("made")
    client, experiment_id = connect(root)
    run = client.create_run(experiment_id)
    client.log_text(run.info.run_id, "text", "note.txt")
    model = client.create_logged_model(experiment_id, "net", run.info.run_id)
    client.create_registered_model("net")
    uri = f"models:/{model.model_id}"
    client.create_model_version("net", uri, run.info.run_id, model_id=model.model_id)
    with closing(sqlite3.connect(root / "mlflow.db")) as one:
        one.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "out")
    for left in (tmp_path / "out").glob("mlflow.db-*"):
        left.unlink()
    return tmp_path / "out"


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def the_run(client: MlflowClient, experiment_id: str) -> Run:
    return client.search_runs([experiment_id])[0]


def test_copy_reads_and_writes_in_itself_alone(made: Path, root: Path) -> None:
    before = snapshot(made)
    client, experiment_id = connect(root)
    run = the_run(client, experiment_id)
    assert run.info.artifact_uri.startswith((root / "artifacts").as_uri())
    client.log_text(run.info.run_id, "more", "more.txt")
    model = client.search_logged_models([experiment_id])[0]
    assert model.artifact_location.startswith((root / "artifacts").as_uri())
    (version,) = client.search_model_versions()
    assert str(made) not in str(dict(version))
    fresh = client.create_run(experiment_id)
    assert fresh.info.artifact_uri.startswith((root / "artifacts").as_uri())
    assert (root / "artifacts" / run.info.run_id / "artifacts" / "more.txt").is_file()
    assert {
        file: content for file, content in snapshot(made).items() if "mlflow.db-" not in file
    } == {file: content for file, content in before.items() if "mlflow.db-" not in file}


def test_former_address_is_kept_with_the_database(made: Path, root: Path) -> None:
    assert find_former_address(root / "mlflow.db") == (made / "artifacts").as_uri()
    assert follow_folder(root / "mlflow.db") == (made / "artifacts").as_uri()
    assert follow_folder(root / "mlflow.db") is None
    client, experiment_id = connect(root)
    assert client.get_experiment(experiment_id).tags[MOVED_FROM] == (made / "artifacts").as_uri()


@pytest.mark.parametrize("name", NAMES)
def test_addresses_follow_a_folder_of_any_name(root: Path, name: str) -> None:
    follow_folder(root / "mlflow.db")
    moved = root.rename(root.with_name(name))
    assert follow_folder(moved / "mlflow.db") == (root / "artifacts").as_uri()
    with closing(sqlite3.connect(f"file:{quote(str(moved / 'mlflow.db'))}", uri=True)) as one:
        (address,) = one.execute("SELECT artifact_uri FROM runs").fetchone()
        assert address.startswith((moved / "artifacts").as_uri() + "/")
    assert not root.exists()


def test_database_without_its_artifacts_is_refused(made: Path, root: Path) -> None:
    shutil.rmtree(root / "artifacts")
    with pytest.raises(
        FileNotFoundError, match=r"moved or copied as a whole, but .*out has no artif"
    ):
        connect(root)
    assert find_former_address(root / "mlflow.db") == (made / "artifacts").as_uri()


def test_folder_is_not_taken_over_from_a_running_campaign(root: Path) -> None:
    folder = root / "campaigns" / "first"
    folder.mkdir(parents=True)
    with try_lock(folder / "lock"):
        assert follow_folder(root / "mlflow.db")  # by this process itself
    shutil.move(root, root.with_name("again"))
    lock = root.with_name("again") / "campaigns" / "first" / "lock"
    code = "import sys; from pathlib import Path; from data.io.lock import try_lock\n"
    code += "with try_lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", code, str(lock)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(OSError, match=rf"keeps its path.* was begun by process {other.pid}"):
            follow_folder(lock.parents[2] / "mlflow.db")
        other.stdin.close()


def test_database_that_may_only_be_read_is_read_at_its_present_place(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(root)
    monkeypatch.setattr("tuning.tracking.client.is_writable", lambda _: False)
    client, experiment_id = connect(root)
    run = the_run(client, experiment_id)
    assert run.info.artifact_uri.startswith((root / "artifacts").as_uri())
    assert is_read_only(client.tracking_uri)
    with pytest.raises(MlflowException, match="readonly database"):
        client.set_tag(run.info.run_id, "a", "b")
    with pytest.raises(PermissionError, match=r"may only be read\. Ask its owner for write access"):
        check_writable(client, root)
    assert snapshot(root) == before


def test_copy_for_reading_has_what_a_running_writer_has_committed(root: Path) -> None:
    with closing(sqlite3.connect(root / "mlflow.db")) as writer:
        writer.execute("INSERT INTO experiment_tags VALUES ('k', 'v', 1)")
        writer.commit()
        assert (root / "mlflow.db-wal").exists()
        client = MlflowClient(copy_for_reading(root / "mlflow.db"))
    assert client.get_experiment("1").tags["k"] == "v"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_another_user_reads_what_only_its_owner_may_write(root: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path; from tuning.store.database import copy_for_reading, is_writable\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "file = Path(sys.argv[1]); assert not is_writable(file); print(copy_for_reading(file))"
    )
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to others
        shutil.copytree(root, Path(folder) / "out")
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        words = [sys.executable, "-c", code, str(Path(folder) / "out" / "mlflow.db")]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert is_read_only(done.stdout.strip())


def test_addresses_are_those_of_mlflow_s_tables(made: Path) -> None:
    with closing(sqlite3.connect(made / "mlflow.db")) as one:
        tables = [
            name for (name,) in one.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        found = set()
        for table in tables:
            for column in database._list_columns(one, table):
                query = f'SELECT 1 FROM "{table}" WHERE "{column}" LIKE ?'  # noqa: S608
                if one.execute(query, (f"%{made}%",)).fetchone():
                    found.add((table, column))
    assert found <= set(database.ADDRESSES)
    assert {("experiments", "artifact_location"), ("runs", "artifact_uri")} <= found
