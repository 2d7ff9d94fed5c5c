"""A tracker behind a gateway whose answers are lost, late or wrong after the work is done."""

from collections import Counter
from pathlib import Path

from tests.faults.campaigns import Command
from tests.faults.outage import tracked
from tests.faults.proxy import Choose, open_gateway
from tests.support.servers import serve_mlflow
from tuning.store.duplicates import DUPLICATE
from tuning.tracking.client import connect, find_runs

WORDS = ["--model", "log_ratio_vv", "--preset", "smoke"]
KINDS = {"campaign": 1, "study": 1, "trial": 1}


def run_behind_gateway(root: Path, choose: Choose) -> tuple[str, list[str]]:
    """Run a campaign of one baseline behind a gateway; count runs, and those that stay open."""
    root.mkdir(parents=True, exist_ok=True)
    store = f"sqlite:///{root / 'server.db'}"
    with serve_mlflow(store, root / "kept", root / "server.log") as server:
        with open_gateway(server, choose) as gateway:
            variables = {"MLFLOW_TRACKING_URI": gateway.address, "MLFLOW_HTTP_REQUEST_TIMEOUT": "3"}
            command = Command(root, WORDS, variables=variables)
            code = command.run()
            if code:
                code = command.run()  # what a user does: --resume
        with tracked(server):
            runs = find_runs(*connect(root), campaign=command.name)
    faults = [] if code == 0 else [f"exit code {code}:\n{command.read_log()[-2000:]}"]
    counting = [run for run in runs if not run.data.tags.get(DUPLICATE)]
    kinds = Counter(run.data.tags["kind"] for run in counting)
    if kinds != KINDS:
        faults.append(f"runs that count: {dict(kinds)}")
    if left := [run.info.run_id for run in runs if run.info.status == "RUNNING"]:
        faults.append(f"RUNNING for ever: {left}")
    doubled = len(runs) - len(counting)
    return f"{dict(gateway.faults)}, exit code {code}, {doubled} marked as doubled", faults
