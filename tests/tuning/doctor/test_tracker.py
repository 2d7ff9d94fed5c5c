"""Check of the MLflow tracker: files that are locked, damaged or foreign, and servers that refuse."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pytest

from tests.support.check_results import matches
from tests.support.servers import serve_mlflow
from tuning.doctor import database as _checks_database
from tuning.doctor import tracker as _checks_tracker
from tuning.doctor.database import check_database, find_kind
from tuning.doctor.tracker import check_tracker, hide_password
from tuning.tracking.client import connect

EXPERIMENTS = '{"experiments": [{"experiment_id": "0", "name": "Default"}]}'
SEARCH = "/api/2.0/mlflow/experiments/search"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The content of a database that MLflow made."""
    root = tmp_path_factory.mktemp("made")
    client, experiment_id = connect(root)
    client.create_run(experiment_id)
    with closing(sqlite3.connect(root / "mlflow.db")) as made:
        made.execute("VACUUM INTO ?", [str(root / "copy.db")])  # with all that its log holds
    return (root / "copy.db").read_bytes()


@pytest.fixture
def file(database: bytes, tmp_path: Path) -> Path:
    """A database below the output folder, for a test to spoil."""
    path = tmp_path / "mlflow.db"
    path.write_bytes(database)
    return path


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URI", "USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_database_is_not_made_by_looking_for_it(tmp_path: Path) -> None:
    assert matches(check_tracker(tmp_path / "new"), "ok", r"new/mlflow\.db, which will be made")
    assert list(tmp_path.iterdir()) == []


def test_database_that_cannot_be_made_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert matches(check_tracker(Path("/proc/new")), "FAIL", "cannot be made in /proc", "--root")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////nowhere/deep/mlflow.db")
    missing = check_tracker(Path("mlruns"))
    assert matches(
        missing, "FAIL", "the folder of /nowhere/deep/mlflow.db", "mkdir -p /nowhere/deep"
    )


def test_whole_database_is_left_as_it_is(file: Path, database: bytes, tmp_path: Path) -> None:
    assert matches(check_tracker(tmp_path), "ok", r"mlflow\.db, \d\.\d MB, 1 runs, whole and free")
    assert file.read_bytes() == database
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA journal_mode=WAL")  # as a campaign's is
    before = file.read_bytes()
    assert matches(check_tracker(tmp_path), "ok", "1 runs, whole and free")
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_locked_database_is_named(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_checks_database, "LOCK_S", 0.2)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        for lock in ("IMMEDIATE", "EXCLUSIVE"):
            other.execute(f"BEGIN {lock}")
            assert matches(
                check_tracker(tmp_path), "FAIL", r"locked .* for 0\.2 s", "fuser .*mlflow"
            )
            other.execute("ROLLBACK")
    assert matches(check_tracker(tmp_path), "ok", "free to be written")


def test_reader_and_short_writer_do_no_harm(file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")
        end = threading.Timer(1, other.execute, ["ROLLBACK"])
        end.start()
        assert matches(check_tracker(tmp_path), "ok", "free to be written")
        end.join()


def test_damaged_database_is_named(file: Path, tmp_path: Path, database: bytes) -> None:
    remedy = r"mv .*mlflow\.db\.damaged starts anew; .*\.recover"
    page = 4096
    file.write_bytes(database[:page] + b"\xff" * page + database[2 * page :])
    assert matches(check_tracker(tmp_path), "FAIL", "is damaged: ", remedy)
    file.write_bytes(database[: len(database) // 2])
    assert matches(check_tracker(tmp_path), "FAIL", "is damaged: ", remedy)
    file.write_text("no database, but a text that is long enough to be none" * 100)
    assert matches(check_tracker(tmp_path), "FAIL", "is damaged: file is not a database", remedy)


def test_database_of_another_schema_is_named(file: Path, tmp_path: Path) -> None:
    def change(sql: str) -> None:
        with closing(sqlite3.connect(file)) as one:
            one.execute(sql)
            one.commit()

    change("UPDATE alembic_version SET version_num = '451aebb31d03'")  # of MLflow 1.0
    old = check_tracker(tmp_path)
    assert matches(
        old, "FAIL", "451aebb31d03 of an older MLflow", "^cp .* && python -m mlflow db upg"
    )
    change("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    assert matches(check_tracker(tmp_path), "FAIL", "of a newer MLflow", "Install the MLflow that")
    change("DROP TABLE alembic_version")
    assert matches(check_tracker(tmp_path), "FAIL", "no database of MLflow's", "another --root")
    file.write_bytes(b"")
    assert matches(check_tracker(tmp_path), "ok", "still without tables")
    file.unlink()
    file.mkdir()
    assert matches(check_tracker(tmp_path), "FAIL", "must be a file", "Rename it")


def test_kind_of_file_system_is_the_innermost_mount_s(tmp_path: Path) -> None:
    assert find_kind(Path("/proc")) == "proc"
    mounts = [("/", "ext4"), (str(tmp_path), "xfs"), (f"{tmp_path}/a", "nfs4"), ("/a", "cifs")]
    (tmp_path / "a").mkdir()
    (tmp_path / "ab").mkdir()
    assert find_kind(tmp_path / "a", mounts) == "nfs4"
    assert find_kind(tmp_path / "ab", mounts) == "xfs"  # not by the letters of its name
    assert find_kind(tmp_path / "ab", [*mounts, (str(tmp_path), "tmpfs")]) == "tmpfs"
    assert find_kind(Path("/"), mounts[1:]) == "unknown"


def test_database_on_a_network_file_system_is_refused(file: Path, tmp_path: Path) -> None:
    mounts = [("/", "ext4"), (str(tmp_path), "nfs4")]
    finding = check_database(file, tmp_path, mounts)
    assert matches(finding, "FAIL", r"network file system \(nfs4\)", "MLFLOW_TRACKING_URI=http://")


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Let a server on loopback give fixed answers, and make it the tracker."""
    servers = []

    def start(status: int, body: str, version: str = mlflow.__version__, wait: float = 0) -> None:
        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(200, version)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(wait)
                self.answer(status if self.path == SEARCH else 404, body)

            def answer(self, code: int, text: str) -> None:
                self.send_response(code)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                with suppress(BrokenPipeError):  # who asked has gone
                    self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://name:secret@127.0.0.1:{server.server_port}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


REFUSALS = [
    (401, "no", r"wants a login \(401\)", "MLFLOW_TRACKING_USERNAME=NAME"),
    (403, "Permission denied", "not to its experiments", "Ask for the permission"),
    (403, "Invalid Host header", "this host name", "--allowed-hosts HOST:PORT"),
    (404, "not here", r"not as MLflow does \(404\)", "Mend host, port and path"),
    (200, "<html>Hello</html>", "not as MLflow does", "Mend host, port and path"),
    (500, "oh", r"in trouble itself \(500\)", "server's log"),
    (503, "oh", r"in trouble itself \(503\)", "server's log"),
]


@pytest.mark.parametrize(("status", "body", "found", "remedy"), REFUSALS)
def test_server_that_refuses_is_explained(
    serve: Callable[..., None], status: int, body: str, found: str, remedy: str
) -> None:
    serve(status, body)
    finding = check_tracker(Path("mlruns"))
    assert matches(finding, "FAIL", found, remedy)
    assert "secret" not in finding.found


def test_refused_credentials_are_told_from_missing_ones(
    serve: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(401, "no")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    assert matches(check_tracker(Path("mlruns")), "FAIL", "refuses the credentials", "PASSWORD")


def test_server_s_version_is_compared_with_the_client_s(serve: Callable[..., None]) -> None:
    serve(200, EXPERIMENTS)
    assert matches(check_tracker(Path("mlruns")), "ok", f"answers, version {mlflow.__version__}")
    serve(200, "{}", "2.1.0")
    assert matches(check_tracker(Path("mlruns")), "warn", r"version 2\.1\.0", r"mlflow==2\.1\.0")
    serve(200, EXPERIMENTS, "<html>" * 20)
    assert matches(check_tracker(Path("mlruns")), "warn", "version unknown", "Ask whoever runs")


def test_server_that_is_silent_is_not_waited_for(
    serve: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_checks_tracker, "ANSWER_S", 0.5)
    serve(200, EXPERIMENTS, wait=3)
    began = time.monotonic()
    assert matches(
        check_tracker(Path("mlruns")), "FAIL", r"not answer within 0\.5 s", "server's log"
    )
    assert time.monotonic() - began < 3
    uri = "https" + _checks_tracker.tracking_uri(Path("mlruns")).removeprefix("http")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert matches(check_tracker(Path("mlruns")), "FAIL", "does not speak TLS", "Write http://")


@pytest.mark.parametrize(
    ("uri", "found", "remedy"),
    [
        ("http://127.0.0.1:1", "refuses connections", "mlflow server --host"),
        ("http://nowhere.invalid:5000", "unknown host", "Mend the name"),
        ("localhost:5000", "a tracker is http.* is localhost:5000", "Give one of those"),
        ("postgresql://me:secret@127.0.0.1:1/x", r"\*\*\*@127.0.0.1:1/x cannot be r", "Start it"),
        ("mysql+nodriver://127.0.0.1/x", "cannot be reached|needs a driver", "."),
    ],
)
def test_tracker_that_is_not_there_is_explained(
    uri: str, found: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    finding = check_tracker(Path("mlruns"))
    assert matches(finding, "FAIL", found, remedy)
    assert "secret" not in finding.found


def test_password_is_not_shown() -> None:
    assert hide_password("http://a:b@c/d") == "http://***@c/d"
    assert hide_password("http://c/d@e") == "http://c/d@e"


@pytest.mark.slow
def test_real_server_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, log = f"sqlite:///{tmp_path / 'server.db'}", tmp_path / "server.log"
    with serve_mlflow(store, tmp_path / "artifacts", log) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        assert matches(check_tracker(tmp_path / "mlruns"), "ok", f"{address} answers, version ")
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.slow
def test_real_server_refuses_a_host_that_it_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", "example.org")
    store, log = f"sqlite:///{tmp_path / 'server.db'}", tmp_path / "server.log"
    with serve_mlflow(store, tmp_path / "artifacts", log) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        assert matches(
            check_tracker(tmp_path), "FAIL", "does not serve this host", "--allowed-hosts"
        )
