"""Check of the MLflow tracker: databases that are locked, damaged or of another schema, and servers that refuse."""

import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.check_results import matches
from tests.support.servers import serve_mlflow
from tuning.doctor import tracker
from tuning.doctor.tracker import check_sqlite, check_tracker, find_file_system
from tuning.store.database import follow_folder
from tuning.tracking.client import connect

EXPERIMENTS = '{"experiments": [{"experiment_id": "0", "name": "Default"}]}'


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The content of a database that MLflow created."""
    root = tmp_path_factory.mktemp("made")
    client, experiment_id = connect(root)
    client.create_run(experiment_id)
    with closing(sqlite3.connect(root / "mlflow.db")) as made:
        made.execute("VACUUM INTO ?", [str(root / "copy.db")])  # includes the write-ahead log
    return (root / "copy.db").read_bytes()


@pytest.fixture
def file(database: bytes, tmp_path: Path) -> Path:
    """A database in the output folder, which a test may change."""
    path = tmp_path / "mlflow.db"
    path.write_bytes(database)
    follow_folder(path)
    return path


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the user's tracker and proxy; keep the check's own variables out of other tests."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    for name in ("URI", "USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_check_does_not_create_the_database(tmp_path: Path) -> None:
    result = check_tracker(tmp_path / "new")
    assert matches(result, "ok", r"new/mlflow\.db \(not created yet\)")
    assert list(tmp_path.iterdir()) == []


def test_folder_of_the_database_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////nowhere/deep/mlflow.db")
    result = check_tracker(Path("mlruns"))
    assert matches(result, "FAIL", "/nowhere/deep/mlflow.db cannot be c", "mkdir -p /nowhere/deep")


def test_check_changes_nothing_in_the_database(file: Path, tmp_path: Path) -> None:
    database = file.read_bytes()
    assert matches(check_tracker(tmp_path), "ok", r"mlflow\.db, writable")
    assert file.read_bytes() == database
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA journal_mode=WAL")  # as in a campaign
    before = file.read_bytes()
    assert matches(check_tracker(tmp_path), "ok", "writable")
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_deleted_experiment_fails_the_check_with_the_command_that_restores_it(
    file: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute(
            "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE experiment_id = 1"
        )
        database.commit()
    remedy = r"^MLFLOW_TRACKING_URI=sqlite:.*mlflow\.db python -m mlflow experiments restore --experiment-id 1$"
    assert matches(check_tracker(tmp_path), "FAIL", "'landslide-benchmark' was deleted", remedy)


def test_moved_folder_is_noticed_and_left_as_it_is(database: bytes, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(database)
    assert matches(check_tracker(tmp_path), "warn", "was moved or copied: .*/made0?/artifacts")
    assert (tmp_path / "mlflow.db").read_bytes() == database


def test_locked_database_is_named(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker, "TIMEOUT_S", 0.2)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        for lock in ("IMMEDIATE", "EXCLUSIVE"):
            other.execute(f"BEGIN {lock}")
            assert matches(check_tracker(tmp_path), "FAIL", "database is locked", "fuser .*mlflow")
            other.execute("ROLLBACK")
    assert matches(check_tracker(tmp_path), "ok", "writable")


def test_reader_and_short_writer_do_not_fail_the_check(file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")
        end = threading.Timer(1, other.execute, ["ROLLBACK"])
        end.start()
        assert matches(check_tracker(tmp_path), "ok", "writable")
        end.join()


def test_damaged_database_is_named(file: Path, tmp_path: Path, database: bytes) -> None:
    remedy = r"mv .*mlflow\.db\.damaged' starts a new one"
    file.write_bytes(database[: len(database) // 2])
    assert matches(check_tracker(tmp_path), "FAIL", "malformed", remedy)
    file.write_text("a text file that is long enough to be taken for a database" * 100)
    assert matches(check_tracker(tmp_path), "FAIL", "file is not a database", remedy)
    file.unlink()
    file.mkdir()
    assert matches(check_tracker(tmp_path), "FAIL", "unable to open database file", remedy)


def test_database_must_have_the_schema_of_the_installed_mlflow(file: Path, tmp_path: Path) -> None:
    def execute(sql: str) -> None:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute(sql)
            connection.commit()

    execute("UPDATE alembic_version SET version_num = '451aebb31d03'")  # of MLflow 1.0
    old = check_tracker(tmp_path)
    assert matches(old, "FAIL", "but has 451aebb31d03", "^cp .* && python -m mlflow db upgrade")
    execute("DROP TABLE alembic_version")
    assert matches(check_tracker(tmp_path), "FAIL", "but has none", "db upgrade")
    file.write_bytes(b"")
    assert matches(check_tracker(tmp_path), "ok", "writable")


def test_file_system_is_that_of_the_innermost_mount(tmp_path: Path) -> None:
    assert find_file_system(Path("/proc")) == "proc"
    mounts = [("/", "ext4"), (str(tmp_path), "xfs"), (f"{tmp_path}/a", "nfs4"), ("/a", "cifs")]
    (tmp_path / "a").mkdir()
    (tmp_path / "ab").mkdir()
    assert find_file_system(tmp_path / "a", mounts) == "nfs4"
    assert find_file_system(tmp_path / "ab", mounts) == "xfs"  # compared by folder, not by letters
    assert find_file_system(tmp_path / "ab", [*mounts, (str(tmp_path), "tmpfs")]) == "tmpfs"
    assert find_file_system(Path("/"), mounts[1:]) == "unknown"


def test_database_on_a_network_file_system_is_refused(file: Path, tmp_path: Path) -> None:
    mounts = [("/", "ext4"), (str(tmp_path), "nfs4")]
    result = check_sqlite(file, tmp_path, mounts)
    assert matches(result, "FAIL", r"network file system \(nfs4\)", "MLFLOW_TRACKING_URI=http://")


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Start a server on loopback with a fixed response, and make it the tracker."""
    servers = []

    def start(status: int, body: str, delay: float = 0) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(delay)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(BrokenPipeError):  # the client has gone
                    self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://name:secret@127.0.0.1:{server.server_port}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


RESPONSES = [
    (401, "no", "401.*Set MLFLOW_TRACKING_USERNAME"),
    (403, "Permission denied", "403.*Ask its administrator"),
    (403, "Invalid Host header", "403.*Invalid Host header"),
    (404, "not here", "404"),
    (200, "<html>Hello</html>", "not in a valid JSON format"),
    (500, "oh", "500"),
    (503, "oh", "503"),
]


@pytest.mark.parametrize(("status", "body", "found"), RESPONSES)
def test_server_must_answer_like_mlflow(
    serve: Callable[..., None], status: int, body: str, found: str
) -> None:
    serve(status, body)
    result = check_tracker(Path("mlruns"))
    assert matches(result, "FAIL", f"tracker must answer, but .*{found}", "the server's log")
    assert "secret" not in result.found


def test_server_that_answers_passes(serve: Callable[..., None]) -> None:
    serve(200, EXPERIMENTS)
    assert matches(check_tracker(Path("mlruns")), "ok", r"http://127\.0\.0\.1:\d+ answers")


def test_silent_server_is_not_waited_for(
    serve: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(200, EXPERIMENTS, delay=5)
    began = time.monotonic()
    assert matches(check_tracker(Path("mlruns")), "FAIL", "must answer.*timed out", "server's log")
    assert time.monotonic() - began < 5
    uri = "https" + tracker.tracking_uri(Path("mlruns")).removeprefix("http")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert matches(check_tracker(Path("mlruns")), "FAIL", "must answer.*SSL", "server's log")


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("http://127.0.0.1:1", "127.0.0.1:1 does not answer .*refused"),
        ("http://nowhere.invalid:5000", "nowhere.invalid:5000 does not answer"),
        ("localhost:5000", "no host and port: localhost:5000"),
        ("postgresql://me:secret@127.0.0.1:1/x", "127.0.0.1:1 does not answer"),
    ],
)
def test_tracker_that_does_not_answer_is_named(
    uri: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    result = check_tracker(Path("mlruns"))
    assert matches(result, "FAIL", f"cannot be reached: .*{found}", "Start it, correct MLFLOW_TR")
    assert "secret" not in result.found


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of MLflow as a user starts it."""
    folder = tmp_path_factory.mktemp("real")
    store, log = f"sqlite:///{folder / 'server.db'}", folder / "server.log"
    with serve_mlflow(store, folder / "artifacts", log) as address:
        yield address


@pytest.mark.slow
def test_real_server_answers(real: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", real)
    assert matches(check_tracker(tmp_path / "mlruns"), "ok", f"{real} answers")
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.slow
def test_real_server_refuses_an_unknown_host_name(
    real: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, find = "tracker.example.org", socket.getaddrinfo

    def find_here(host: object, *words: Any, **more: Any) -> Any:
        """Know the server by a name that it does not."""
        return find("127.0.0.1" if host == name else host, *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", find_here)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", real.replace("127.0.0.1", name))
    assert matches(check_tracker(tmp_path), "FAIL", "403.*Invalid Host", "server's log")
