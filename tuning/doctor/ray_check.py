"""Check of Ray: start or join it, run a task on every node, and stop.

A child process does this, because Ray may hang or crash: ``python -m tuning.doctor.ray_check ADDRESS FOLDER`` prints
one JSON document.
"""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

from tuning.cluster.head import find_head_fault
from tuning.doctor.check_result import INSTALL, CheckResult, failure, nearest_folder, passed
from tuning.doctor.folders import temporary_folder

START_S = 120
JOIN = "On the cluster's head node: ray start --head --port=6379. Or omit --address and unset RAY_ADDRESS."
REMEDIES = {  # by a pattern of the error
    "AuthToken": "RAY_AUTH_MODE=token, with the head node's token in ~/.ray/auth_token",
    "No module named": INSTALL,
    "Version mismatch": "Install the same Ray and Python on every node.",
    "AF_UNIX": "RAY_TMPDIR=FOLDER with a short path, such as /tmp",
    "Errno.*HOME": "HOME=FOLDER that is writable",
}


def check_ray(address: str | None, root: Path) -> CheckResult:
    """Check that Ray runs a task.

    Args:
        address: Cluster to join; a local Ray is started if it is None.
        root: Output folder, which every node of a cluster must share.
    """
    if address and address != "local" and (error := find_head_fault(address)):
        return failure(f"the cluster {address} cannot be reached: {error}", JOIN)
    began = time.monotonic()
    answer = run_child([address or "local", str(nearest_folder(root))], START_S)
    seconds = time.monotonic() - began
    name = f"the cluster {address}" if address else "a local Ray"
    if "error" in answer:
        error = str(answer["error"]).replace(str(Path.home()), "$HOME")
        other = JOIN if address else f"Read the newest logs in {temporary_folder() / 'ray'}."
        known = (remedy for pattern, remedy in REMEDIES.items() if re.search(pattern, error))
        return failure(f"{name} did not run a task: {error}", next(known, other))
    found = f"{name} ran a task on every node in {seconds:.0f} s, start and stop included"
    return passed(f"{found}: {answer['CPU']:g} cores, {answer['GPU']:g} GPUs")


def run_child(arguments: list[str], seconds: float) -> dict[str, float | str]:
    """Run this module as a command in its own session; return what it printed, or an ``error``."""
    command = [sys.executable, "-m", "tuning.doctor.ray_check", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - this module
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {seconds:g} s"}
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        return {"error": f"its process ended with {done.returncode}: {' '.join(last)}"}
    answer: dict[str, float | str] = json.loads(done.stdout.splitlines()[-1])
    return answer


def probe(address: str, folder: str) -> dict[str, float]:
    """Start or join Ray as a campaign does, ask every node, and stop; return the resources."""
    import ray

    from data.io.shared_storage import SharedStorage
    from tuning.cluster.preflight import check_nodes
    from tuning.cluster.ray_session import join_cluster, quiet_ray, start_local
    from tuning.tracking.client import tracking_uri

    quiet_ray()
    start_local() if address == "local" else join_cluster(address)
    try:
        check_nodes(SharedStorage(folder), tracking_uri(Path(folder)))
        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
        return {name: resources.get(name, 0) for name in ("CPU", "GPU")}
    finally:
        ray.shutdown()


if __name__ == "__main__":
    try:
        print(json.dumps(probe(*sys.argv[1:])))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the parent reports it
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        cause: BaseException = error
        while cause.__cause__:  # more precise than Ray's own text
            cause = cause.__cause__
            text += f" Cause: {' '.join(str(cause).split())}"
        print(json.dumps({"error": text}))
