"""Campaigns on real clusters of several nodes: preflight, loss of a node, placement of trials."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

from tests.faults import campaigns
from tests.faults.campaigns import CALM_WORDS, Command, kill_all, list_processes, wait_until
from tests.support.clusters import Cluster, Node, cluster
from tests.support.forked_commands import Call, Server, start_server
from tests.support.held_trials import hold_trials
from tests.support.servers import serve_mlflow, serve_s3

pytestmark = [pytest.mark.slow, pytest.mark.file_s(220)]

ROOT = Path(__file__).parents[3]
KEYS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture(autouse=True)
def tiles(twin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the tiles of the test session."""
    monkeypatch.setattr(campaigns, "EXTRA", ["--data", str(twin)])


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with serve_s3(tmp_path / "s3.txt") as uri:
        yield uri


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[str]:
    with serve_mlflow(
        f"sqlite:///{tmp_path}/server.db", tmp_path / "artifacts", tmp_path / "server.txt"
    ) as uri:
        yield uri


def run(server: Server, made: Cluster, root: Path, *words: str, **variables: str) -> str:
    """Run a campaign that must fail on a cluster; return its stderr."""
    call = ["tuning.run", "--root", str(root), *CALM_WORDS, *words]
    environment = {**made.variables, "RAY_ADDRESS": made.address, **variables}
    done = server.run(Call(call, str(ROOT), environment, silence_s=300.0, out=os.devnull))
    assert done.code == 1, done.said
    return done.said


def test_trials_of_a_lost_node_continue_elsewhere_with_the_same_results(
    tmp_path: Path, calm: Command, bucket: str, tracker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert calm.run_once() == 0, calm.read_log()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker)
    (tmp_path / "stormy").mkdir()
    with cluster() as made:
        for _ in range(2):  # no node sees the driver's folder, as if on another machine
            made.add(1, hidden=tmp_path / "stormy")
        stormy = Command(
            tmp_path / "stormy",
            [*CALM_WORDS, "--storage", bucket],
            variables={**made.variables, "RAY_ADDRESS": made.address},
        )
        driver = stormy.start()
        try:
            with hold_trials(made.nodes[0].process.pid):  # until a slow second node has begun one
                assert wait_until(lambda: is_midway(made.nodes[1]), 240), stormy.read_log()
                made.nodes[1].end()
            assert all(list((node.cache / "packs").glob("*/pack-*")) for node in made.nodes)
            assert driver.wait(timeout=400) == 0, stormy.read_log()
        finally:
            kill_all(list_processes(driver.pid))
    assert "is retried: " in stormy.read_log()
    assert compare(calm, stormy, monkeypatch) == []


def is_midway(node: Node) -> bool:
    """Return whether a trial on the node has ended its first epoch of two."""
    for file in node.cache.glob("trials/*/*/history.jsonl"):
        with suppress(FileNotFoundError):  # the trial has just ended
            if file.read_text().count("\n") == 1:
                return True
    return False


def compare(calm: Command, stormy: Command, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the differences between the two campaigns; the calm one is in its own database."""
    faults = []
    there = stormy.count_states()
    if gaps := stormy.count_gaps():
        faults.append(f"{gaps} trials with gaps")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    if calm.count_states() != there:
        faults.append(f"runs: {calm.count_states()}, {there}")
    try:
        pd.testing.assert_frame_equal(calm.read_table(), stormy.read_table())
    except AssertionError as error:
        faults.append(str(error))
    return faults


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Path]]:
    """A head that claims a GPU, and a node with other code that does not see the root; both with one core."""
    folder = tmp_path_factory.mktemp("uneven")
    other, root = folder / "other", folder / "out"
    shutil.copytree(ROOT / "tuning", other)
    (other / "losses.py").write_text("changed = True\n")
    root.mkdir()
    with cluster() as made:
        made.add(1, gpus=1)
        made.add(1, hidden=root, replaced=(other, ROOT / "tuning"))
        yield made, root


@pytest.fixture(scope="module")
def drivers(uneven: tuple[Cluster, Path]) -> Iterator[Server]:
    """A process that forks drivers; Ray reads the cluster's token mode when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in uneven[0].variables.items():
            patch.setenv(name, value)
        with start_server(("tuning.campaign.together", "tuning.settings.options")) as server:
            yield server


def test_unsuitable_nodes_are_named_before_any_data_is_made(
    drivers: Server, uneven: tuple[Cluster, Path]
) -> None:
    made, root = uneven
    cpu = ("--gpus-per-trial", "0")
    said = run(drivers, made, root, *cpu, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert "error: All nodes of a cluster must be able to run the same trials, but:\n" in said
    assert "(127.0.0.2, " in said
    assert said.count("has other code (") == 1
    assert f"does not share {root}: it does not see what the driver writes there" in said
    assert said.count("does not reach the tracker: 127.0.0.1:9 does not answer") == 2
    said = run(drivers, made, root, *cpu, "--campaign", "other", "--storage", "ftp://host/x")
    assert "A storage must be a folder or a URI of s3, gs," in said
    said = run(drivers, made, root, *cpu, "--campaign", "third")
    assert "the tracker must be a server where 2 nodes work together, but got sqlite:" in said
    said = run(drivers, made, root, *cpu, "--campaign", "large", "--cpus-per-trial", "2")
    assert "must fit into one node, but got 2 cores" in said
    assert sorted(path.name for path in root.iterdir()) == ["campaigns"]


def test_wrong_token_is_refused(drivers: Server, uneven: tuple[Cluster, Path]) -> None:
    said = run(drivers, *uneven, "--campaign", "token", RAY_AUTH_TOKEN="0" * 64)
    assert "A Ray cluster must answer at " in said
    assert "RAY_AUTH_TOKEN_PATH if it requires a token" in said


def test_trial_without_a_gpu_avoids_the_gpu_node(uneven: tuple[Cluster, Path]) -> None:
    ask = """
import sys, ray
from ray.util import placement_group_table
from tuning.cluster.ray_session import make_placement
from tuning.cluster.resources import Resources
ray.init(sys.argv[1], log_to_driver=False)
names = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes()}
for share in (Resources(1, 0), Resources(1, 0), Resources(1, 1)):
    group = make_placement(share).to_placement_group()
    ray.get(group.ready())
    print("PLACED", *[names[one] for one in placement_group_table(group)["bundles_to_node_id"].values()])
    ray.util.remove_placement_group(group)
"""
    made = uneven[0]
    done = subprocess.run(
        [sys.executable, "-c", ask, made.address],
        cwd=ROOT,
        env={**os.environ, **made.variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    placed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("PLACED")]
    assert placed[:2] == ["127.0.0.2", "127.0.0.2"]
    assert placed[2] != "127.0.0.2"
