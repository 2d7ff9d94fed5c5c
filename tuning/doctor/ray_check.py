"""Check of Ray: it starts or is joined, runs one task, and ends, in a process of its own that may hang or die.

``python -m tuning.doctor.ray_check [ADDRESS [FILE]]`` is that process. It prints one JSON document.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tuning.doctor.finding import INSTALL, CheckResult, fail, first_line, nearest_folder, ok, warn
from tuning.doctor.folders import temporary_folder

START_S, ANSWER_S = 120, 5
HERE = "Leave --address out and RAY_ADDRESS unset to start a Ray of your own."
JOIN = f"On the cluster's head node: ray start --head --port=6379. {HERE}"


def check_ray(address: str | None, root: Path) -> CheckResult:
    """Check that Ray runs one task.

    Args:
        address: Cluster to join; a local Ray is started when it is None.
        root: Output folder, which every node of a cluster must see.
    """
    if address and (why := knock(address)):
        return fail(f"nothing answers at {address}: {why}", JOIN)
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        words = []
        if address:
            with contextlib.suppress(OSError):  # the check of the folder says so
                shared = stack.enter_context(
                    tempfile.NamedTemporaryFile(dir=nearest_folder(root), prefix=".doctor-")
                )
                words = [shared.name]
        answer = run_apart([address or "local", *words], START_S)
    seconds = time.monotonic() - began
    where = f"the cluster {address}" if address else "a local Ray"
    if "error" in answer:
        return _explain(where, address, str(answer["error"]))
    found = f"{where} ran a task in {seconds:.0f} s, start and end included: "
    found += f"{answer['cpus']:g} cores, {answer['gpus']:g} GPUs"
    if not answer["knows"]:
        return fail(f"{found}; but its nodes do not have this project", f"{INSTALL} on every node")
    if not answer["sees"]:
        return fail(
            f"{found}; but node {answer['node']} does not see {root}",
            "--root FOLDER on shared storage",
        )
    return warn_of_dead(found)


def knock(address: str) -> str:
    """Try to connect to HOST:PORT; return why that failed, empty where it did not or there is no port.

    Ray itself would try for minutes.
    """
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if not port.isdecimal():
        return ""  # auto, or what Ray will refuse
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
    except (OSError, OverflowError) as error:
        return first_line(error)
    return ""


def run_apart(words: list[str], seconds: float) -> dict[str, Any]:
    """Run this module as a command in a session of its own; return what it printed, or an ``error``."""
    command = [sys.executable, "-m", "tuning.doctor.ray_check", *words]
    with subprocess.Popen(  # noqa: S603 - this module
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as child:
        try:
            out, err = child.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(child.pid, signal.SIGKILL)  # with the Ray that it began to start
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return {"error": f"no answer within {seconds:g} s"}
    for line in reversed(out.splitlines()):
        with contextlib.suppress(ValueError):
            if isinstance(answer := json.loads(line), dict):
                return answer
    last = [line for line in err.splitlines() if line.strip()][-1:]
    return {"error": f"its process ended with {child.returncode}: {' '.join(last)}"}


def _explain(where: str, address: str | None, error: str) -> CheckResult:
    """Name the remedy of an error by its words."""
    found = f"{where} did not run a task: {error}"
    if "Errno" in error and str(Path.home()) in error:  # where Ray keeps its token
        return fail(found, "HOME=FOLDER that can be written to, or RAY_AUTH_MODE=disabled")
    for word, remedy in (
        ("AuthToken", "RAY_AUTH_MODE=token, with the head node's token in ~/.ray/auth_token"),
        ("No module named", INSTALL),
        ("Version mismatch", f"Give every node the same Ray and Python. {HERE}"),
        ("AF_UNIX", "RAY_TMPDIR=FOLDER with a short path, such as /tmp"),
    ):
        if word in error:
            return fail(found, remedy)
    if address:
        return fail(found, JOIN)
    return fail(
        found,
        f"Look at the newest logs below {temporary_folder() / 'ray'}.",
    )


def warn_of_dead(found: str) -> CheckResult:
    """Warn where a file names a cluster that is gone, which ``--address auto`` would try to join."""
    file = temporary_folder() / "ray" / "ray_current_cluster"
    if not file.is_file() or not knock(file.read_text().strip()):
        return ok(found)
    return warn(
        f"{found}; {file} names a cluster that is gone, which only --address auto would join",
        f"rm {file}",
    )


def probe(address: str, shared: str = "") -> dict[str, Any]:
    """Start or join Ray, run one task, and leave; return what there is."""
    import ray

    from tuning.cluster.ray_session import quiet_ray, start_local

    quiet_ray()
    if address == "local":  # as a campaign starts it
        start_local()
    else:
        ray.init(address, log_to_driver=False)

    def look() -> dict[str, Any]:
        import importlib.util
        import os
        import platform

        return {
            "knows": importlib.util.find_spec("tuning") is not None,
            "sees": not shared or os.path.exists(shared),
            "node": platform.node(),
        }

    try:
        found: dict[str, Any] = ray.get(ray.remote(look).remote(), timeout=START_S / 2)
        there = ray.cluster_resources()  # type: ignore[no-untyped-call]
        return found | {"cpus": there.get("CPU", 0), "gpus": there.get("GPU", 0)}
    finally:
        ray.shutdown()


def main(words: list[str]) -> int:
    """Print what the probe found, or its error."""
    try:
        answer = probe(*words)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the answer tells of it
        cause = str(error.__cause__ or "").strip().splitlines()[-1:]  # Ray's own words say little
        answer = {"error": ": ".join([type(error).__name__, first_line(error), *cause])}
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
