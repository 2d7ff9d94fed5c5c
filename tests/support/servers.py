"""Real servers for the tests, on loopback: MLflow, an object store."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_S = 120


def find_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until a server answers; fail with its log when it ends or takes too long."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise RuntimeError(f"{address} does not answer:\n{log.read_text()[-3000:]}")


@contextmanager
def running(arguments: list[str], address: str, log: Path, **variables: str) -> Iterator[None]:
    """Run a server in its own process group; end that group at the end."""
    environment = {**os.environ, **variables}
    with log.open("wb") as out:
        server = subprocess.Popen(
            arguments, stdout=out, stderr=out, env=environment, start_new_session=True
        )
    try:
        wait_for(address, server, log)
        yield
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


@contextmanager
def serve_mlflow(store: str, artifacts: Path, log: Path, port: int | None = None) -> Iterator[str]:
    """Serve a store on a port of loopback, a free one by default; yield the address."""
    port = port or find_port()
    arguments = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store]
    arguments += ["--artifacts-destination", str(artifacts), "--workers", "1"]
    arguments += ["--host", "127.0.0.1", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    # Without its job runner the server is two processes, not ten of 240 MB.
    with running(arguments, f"{address}/health", log, MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false"):
        yield address


@contextmanager
def serve_s3(log: Path) -> Iterator[str]:
    """Serve an object store with one empty bucket on a free port of loopback; yield its ``s3://`` address."""
    port = find_port()
    arguments = [
        str(Path(sys.executable).with_name("moto_server")),
        "-H",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    with running(arguments, f"http://127.0.0.1:{port}/moto-api/", log):
        put = urllib.request.Request(f"http://127.0.0.1:{port}/bucket", method="PUT")
        urllib.request.urlopen(put, timeout=30).close()
        yield f"s3://bucket/some?scheme=http&endpoint_override=127.0.0.1:{port}&region=us-east-1"
