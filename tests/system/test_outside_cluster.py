"""A network whose file is on the driver's machine alone is trained on a cluster; one that nodes cannot import is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.campaigns import Command
from tests.support.clusters import Cluster, cluster
from tests.support.outside_networks import write_tiny
from tests.support.servers import serve_mlflow
from tuning.tracking.client import connect, find_runs

pytestmark = [pytest.mark.slow, pytest.mark.file_s(100)]

REASON = "Every node must build the same network needy_net, but node "


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Path]]:
    """Two nodes that do not see the folder with the networks, and that folder."""
    home = tmp_path_factory.mktemp("home")
    with cluster() as made:
        for _ in range(2):
            made.add(1, hidden=home)
        yield made, home


@pytest.fixture(scope="module")
def command(
    nodes: tuple[Cluster, Path], tmp_path_factory: pytest.TempPathFactory, twin: Path
) -> Iterator[Command]:
    made, home = nodes
    tiny, root = write_tiny(home), tmp_path_factory.mktemp("shared")
    (home / "path").mkdir()
    (home / "path" / "driver_only.py").write_text("")
    text = (home / "tiny.py").read_text().replace("TinyNet", "NeedyNet")
    (home / "needy.py").write_text(f"{text}\nimport driver_only  # on PYTHONPATH\n")
    words = "--preset smoke --trials 1 --seeds 1 --cpus-per-trial 1"
    networks = ["--model", tiny, f"{home / 'needy.py'}:NeedyNet"]
    with serve_mlflow(f"sqlite:///{root}/server.db", root / "artifacts", root / "log.txt") as uri:
        variables = {
            **made.variables,
            "RAY_ADDRESS": made.address,
            "MLFLOW_TRACKING_URI": uri,
            "PYTHONPATH": str(home / "path"),
        }
        campaign = [*networks, *words.split(), "--data", str(twin)]
        yield Command(root / "mlruns", campaign, variables=variables)


def test_sources_reach_every_node_and_a_network_that_lacks_a_module_there_is_named(
    command: Command, nodes: tuple[Cluster, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command.run() == 1, command.read_log()
    log = command.read_log()
    assert f"error: {REASON}" in log
    assert "ModuleNotFoundError: No module named 'driver_only'. Install the package of " in log
    assert (command.root / "reports").exists(), log
    assert list(command.read_table()["model"]) == ["TinyNet"]
    for node in nodes[0].nodes:
        (copy,) = (node.cache / "networks").glob("tiny_net-*")
        assert {file.name for file in copy.glob("*.py")} == {"tiny.py", "layers_of_tiny.py"}
    page = (command.root / "reports" / command.name / "report.html").read_text()
    assert f"needy_net has 0 of 1 repeat runs. {REASON}" in page
    monkeypatch.setenv("MLFLOW_TRACKING_URI", command.variables["MLFLOW_TRACKING_URI"])
    runs = find_runs(*connect(command.root), campaign=command.name, kind="trial")
    assert {run.data.tags["study"] for run in runs} == {"tiny_net"}
    assert {run.info.status for run in runs} == {"FINISHED"}
