"""The MLflow server as docker/ runs it: login, a user's permissions, and a campaign logged with a password."""

import base64
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.check_results import matches
from tests.support.secured import DOCKER, USER, Secured, make_environment, make_word, serve_secured
from tuning.doctor.tracker import check_tracker
from tuning.tracking.client import EXPERIMENT, connect

pytestmark = pytest.mark.slow

SEARCH = "/api/2.0/mlflow/experiments/search"
ROUTES = [
    ("POST", SEARCH),
    ("POST", "/api/2.0/mlflow/runs/create"),
    ("GET", "/api/2.0/mlflow/users/get?username=admin"),
    ("GET", "/api/2.0/mlflow-artifacts/artifacts?path="),
    ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/stolen.txt"),
    ("POST", "/ajax-api/2.0/mlflow/runs/search"),
    ("POST", "/graphql"),
    ("GET", "/version"),
    ("GET", "/"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with serve_secured(tmp_path_factory.mktemp("server")) as one:
        yield one


@pytest.fixture
def as_user(server: Secured, monkeypatch: pytest.MonkeyPatch) -> Secured:
    """Set this process's login to the server's user."""
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
    for name, value in server.client.items():
        monkeypatch.setenv(name, value)
    return server


def ask(
    server: Secured, method: str, route: str, login: tuple[str, str] | None = None, **headers: str
) -> tuple[int, str]:
    """Send a request; return status and text."""
    if login:
        words = base64.b64encode(":".join(login).encode()).decode()
        headers["Authorization"] = f"Basic {words}"
    body = None if method == "GET" else b'{"max_results": 1}'
    headers["Content-Type"] = "application/json"
    request = urllib.request.Request(server.uri + route, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_anonymous_request_is_refused(server: Secured, method: str, route: str) -> None:
    assert ask(server, method, route)[0] == 401


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_wrong_password_is_refused(server: Secured, method: str, route: str) -> None:
    for login in ((USER, "wrong"), ("nobody", server.password), (USER, ""), ("admin", "password")):
        assert ask(server, method, route, login)[0] == 401


def test_right_password_is_let_in(server: Secured) -> None:
    for login in ((USER, server.password), ("admin", server.admin_password)):
        status, body = ask(server, "POST", SEARCH, login)
        assert status == 200
        assert "experiments" in json.loads(body)


def test_health_asks_for_no_password(server: Secured) -> None:
    assert ask(server, "GET", "/health") == (200, "OK")
    variables = {"ROLE": "mlflow", "MLFLOW_PORT": server.uri.rsplit(":", 1)[1]}
    healthy = ["bash", str(DOCKER / "healthy.sh")]
    assert subprocess.run(healthy, env=make_environment(**variables), check=False).returncode == 0
    variables["MLFLOW_PORT"] = "1"
    done = subprocess.run(
        healthy, env=make_environment(**variables), capture_output=True, check=False
    )
    assert done.returncode == 1


def test_foreign_host_header_is_refused_even_with_a_password(server: Secured) -> None:
    login = (USER, server.password)
    for host in ("evil.example", "mlflow:5000", "127.0.0.1:1"):
        status, body = ask(server, "POST", SEARCH, login, Host=host)
        assert (status, "Host" in body) == (403, True)
    assert ask(server, "POST", SEARCH, login, Origin="http://evil.example")[0] == 403


def test_no_password_is_in_an_argument_or_the_log(server: Secured) -> None:
    secrets = [value for name, value in server.variables.items() if len(value) == 64]
    assert len(secrets) == 3
    shown = "".join(
        path.read_bytes().decode(errors="replace") for path in Path("/proc").glob("[0-9]*/cmdline")
    )
    for secret in (*secrets, server.password):
        assert secret not in server.log.read_text()
        assert secret not in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PGHOST", ""),
        ("PGPASSWORD", ""),
        ("MLFLOW_AUTH_ADMIN_PASSWORD", ""),
        ("MLFLOW_FLASK_SERVER_SECRET_KEY", ""),
        ("MLFLOW_FLASK_SERVER_SECRET_KEY", "short"),
    ],
)
def test_server_without_a_secret_does_not_start(server: Secured, name: str, value: str) -> None:
    environment = make_environment(**{**server.variables, name: value})
    done = subprocess.run(
        ["bash", str(DOCKER / "mlflow-server.sh")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert name in done.stderr


def test_database_wants_its_password(server: Secured) -> None:
    variables = {name: server.variables[name] for name in ("PGHOST", "PGUSER")}
    for password, code in ((server.variables["PGPASSWORD"], 0), ("wrong", 2)):
        done = subprocess.run(
            ["psql", "--no-psqlrc", "--dbname=mlflow_auth", "--command=SELECT count(*) FROM users"],
            env=make_environment(**variables, PGPASSWORD=password),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr


def test_user_logs_but_deletes_nothing_of_others(as_user: Secured, tmp_path: Path) -> None:
    client, experiment_id = connect(tmp_path)
    run = client.create_run(experiment_id)
    client.log_metric(run.info.run_id, "val_pr_auc", 0.5)
    client.log_text(run.info.run_id, "kept", "note.txt")
    assert client.get_run(run.info.run_id).data.metrics == {"val_pr_auc": 0.5}
    other = ("other", make_word())
    assert as_user.add_user(*other).stdout == "Made the user other.\n"
    told = {"run_id": run.info.run_id}
    for login in (
        other,
        (USER, as_user.password),
    ):  # nor does who made it: the experiment is the administrator's
        for route, body in (
            ("runs/delete", told),
            ("experiments/delete", {"experiment_id": experiment_id}),
        ):
            assert post(as_user, route, login, body) == 403
    assert post(as_user, "users/create", other, {"username": "x", "password": make_word()}) == 403
    assert post(as_user, "runs/set-tag", other, {**told, "key": "seen", "value": "yes"}) == 200
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "active"
    assert post(as_user, "runs/delete", ("admin", as_user.admin_password), told) == 200


def post(server: Secured, route: str, login: tuple[str, str], body: dict[str, str]) -> int:
    """Send JSON as a user; return the status."""
    words = base64.b64encode(":".join(login).encode()).decode()
    headers = {"Authorization": f"Basic {words}", "Content-Type": "application/json"}
    address = f"{server.uri}/api/2.0/mlflow/{route}"
    request = urllib.request.Request(address, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_user_is_made_once_and_can_get_a_new_password(server: Secured) -> None:
    first, second = make_word(), make_word()
    assert server.add_user("twice", first).stdout == "Made the user twice.\n"
    again = server.add_user("twice", first)
    assert (again.returncode, again.stdout) == (0, "The user twice is there already.\n")
    wrong = server.add_user("twice", second)
    assert (wrong.returncode, wrong.stderr[:45]) == (
        1,
        "error: There is a user twice with another passwo"[:45],
    )
    changed = server.add_user("twice", second, "--change-password")
    assert changed.stdout == "The user twice has a new password.\n"
    assert ask(server, "POST", SEARCH, ("twice", second))[0] == 200
    assert ask(server, "POST", SEARCH, ("twice", first))[0] == 401
    short = server.add_user("weak", "short")
    assert short.returncode == 1
    assert "error: " in short.stderr


def test_user_is_not_made_without_the_administrator(server: Secured) -> None:
    call = ["python", str(DOCKER / "add_user.py"), "new"]
    for changes, code, message in (
        ({"MLFLOW_TRACKING_PASSWORD": ""}, 2, "To make a user set MLFLOW_TRACKING_PASSWORD"),
        ({"MLFLOW_TRACKING_PASSWORD": "wrong"}, 1, "refuses the password of admin (401)"),
        ({"MLFLOW_TRACKING_URI": "http://127.0.0.1:1"}, 1, "does not answer"),
        ({"MLFLOW_TRACKING_URI": "file:///etc"}, 2, "A server is http(s)://HOST:PORT"),
        (server.client, 1, "says 403"),
    ):
        environment = make_environment(
            **{**server.admin, **changes, "NEW_USER_PASSWORD": make_word()}
        )
        done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, message in done.stderr) == (code, True), done.stderr


def test_doctor_checks_the_login(
    as_user: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert matches(check_tracker(tmp_path), "ok", f"{as_user.uri} answers")
    refused = "401.*Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    assert matches(check_tracker(tmp_path), "FAIL", refused, "server's log")
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD")
    assert matches(check_tracker(tmp_path), "FAIL", refused, "server's log")


def test_campaign_without_a_password_ends_at_its_start(
    as_user: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD")
    with pytest.raises(
        ConnectionError, match=r"401.*Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    ):
        connect(tmp_path)
    assert EXPERIMENT == "landslide-benchmark"  # docker/add_user.py makes it by this name
