"""Networks in files outside the project go from their first trial to a map.

Every command finds them again, and a changed file is refused with both hashes.
"""

import json
from pathlib import Path

import mlflow
import numpy as np
import onnx
import pytest
import rasterio

from tests.faults.campaigns import PROJECT, Command
from tests.support.forked_commands import Answer, Call, Server
from tests.support.outside_networks import read_example, write_tiny
from tuning.predict.__main__ import main as predict
from tuning.tracking.client import connect, find_runs, tracking_uri
from tuning.tracking.model_digest import PROGRAM

pytestmark = [pytest.mark.slow, pytest.mark.file_s(150)]

NAME, MODELS = "hokkaido-warped", {"Warped", "MyNet", "TinyNet"}
NETWORK = '''"""Attention over the acquisitions of each pixel, then a learnt shift of the map.

Attention: Vaswani et al. (2017), arXiv 1706.03762; sampling grid: Jaderberg et al. (2015), arXiv 1506.02025.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample


class Warped(nn.Module):
    """Attention over dates and a sampling grid.

    Shape:
        x ``(B, T, C, H, W)``; logits ``(B, 1, H, W)``.
    """

    def __init__(self, in_channels: int, timesteps: int, width: int = 8) -> None:
        super().__init__()
        self.lift = nn.Linear(in_channels, width)
        self.place = nn.Parameter(0.1 * torch.randn(timesteps, width))
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.head = nn.Linear(timesteps * width, 1)
        self.shift = nn.Parameter(torch.tensor([0.05, -0.1]))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(B, 1, H, W)`` of ``x (B, T, C, H, W)``."""
        batch, _, _, height, width = x.shape
        series = self.lift(x.permute(0, 3, 4, 1, 2).flatten(0, 2)) + self.place
        mixed, _ = self.attention(series, series, series)
        logits = self.head((series + mixed).flatten(1)).reshape(batch, 1, height, width)
        rows, columns = (
            (2 * torch.arange(size, device=x.device) + 1) / size - 1 for size in (height, width)
        )
        grid = torch.stack(torch.broadcast_tensors(columns, rows[:, None]), dim=-1)
        moved = (grid + self.shift.tanh() / 50).expand(batch, height, width, 2)
        return grid_sample(logits, moved, padding_mode="border", align_corners=False)
'''


REFUSED = r"error: The network tiny_net must be the one that was trained, but the source files of"


@pytest.fixture(scope="module")
def server(commands: Server) -> Server:
    return commands


@pytest.fixture(scope="module")
def command(server: Server, tmp_path_factory: pytest.TempPathFactory, twin: Path) -> Command:
    """A smoke campaign of networks whose files are in folders outside the project."""
    root = tmp_path_factory.mktemp("outside")
    (root / "warped.py").write_text(NETWORK)
    (root / "my_net.py").write_text(read_example())
    networks = [f"{root / 'warped.py'}:Warped", f"{root / 'my_net.py'}:MyNet"]
    networks += [write_tiny(root / "home")]
    words = "--preset smoke --trials 1 --seeds 1 --cpus-per-trial 1"
    made = Command(root / "mlruns", ["--model", *networks, *words.split(), "--data", str(twin)])
    new = ["tuning.run", "--root", str(made.root), "--campaign", made.name, *made.words]
    threads = {"OMP_NUM_THREADS": None}  # as a user starts it
    done = server.run(Call(new, str(PROJECT), threads, silence_s=240.0))
    assert done.code == 0, done.said
    made.log.write_text(done.said)
    return made


def test_network_is_trained_and_registered(command: Command) -> None:
    assert "warped can be exported: tiles of multiples of 1 px" in command.read_log()
    assert set(command.read_table()["architecture"]) == {"warped", "my_net", "tiny_net"}
    assert set(command.read_table()["model"]) == MODELS
    client, experiment_id = connect(command.root)
    (version,) = client.search_model_versions(f"name='{NAME}'")
    runs = find_runs(client, experiment_id, kind="trial", study="warped")
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert all("model_uri" in run.data.tags for run in runs)
    assert version.run_id in {run.info.run_id for run in runs}


def test_network_answers_where_its_class_is_unknown(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri(command.root))
    folder = mlflow.artifacts.download_artifacts(f"models:/{NAME}/1", dst_path=str(tmp_path))
    used = {node.op_type for node in onnx.load(Path(folder) / PROGRAM).graph.node}
    assert {"GridSample", "Softmax", "MatMul"} <= used
    assert "Conv" not in used
    model = mlflow.pyfunc.load_model(f"models:/{NAME}/1")
    x = model.input_example
    noise = np.random.default_rng(0).normal(-12, 4, (3, *x.shape[1:3], 48, 80))
    probs = model.predict(noise.astype(np.float32))
    assert probs.shape == (3, 48, 80)
    assert 0 <= probs.min() < probs.max() <= 1


def test_network_maps_tiles(command: Command, quad: Path, tmp_path: Path) -> None:
    words = ["--model", f"models:/{NAME}/1", "--input", str(quad), "--out", str(tmp_path / "map")]
    # A barely trained network fails its gate.
    assert predict([*words, "--root", str(command.root), "--untrusted"]) == 0
    with rasterio.open(tmp_path / "map" / "probability.tif") as file:
        probs = file.read(1, masked=True)
    assert probs.shape == (256, 256)
    assert probs.count() > 60_000
    assert len(np.unique(probs.compressed())) > 1000


def call(server: Server, *words: str | Path) -> Answer:
    return server.run(Call([*map(str, words)], str(PROJECT), silence_s=240.0))


def train(server: Server, command: Command, to: Path) -> Answer:
    configs = sorted((command.folder / "trials").glob("*/config.json"))
    networks = {file: json.loads(file.read_text()).get("network", "") for file in configs}
    (config, *_) = [file for file, one in networks.items() if one.endswith("tiny.py:TinyNet")]
    (pack,) = (command.root / "packs").glob("pack-*")
    return call(server, "tuning.train", config, "--pack", pack, "--to", to)


def reproduce(server: Server, command: Command) -> Answer:
    found = find_runs(*connect(command.root), kind="trial", study="tiny_net")
    return call(server, "tuning.reproduce", found[0].info.run_id, "--root", command.root)


def report(server: Server, command: Command) -> Answer:
    return call(server, "tuning.report", "--campaign", command.name, "--root", command.root)


def test_other_processes_find_the_network(server: Server, command: Command, tmp_path: Path) -> None:
    for done in (
        train(server, command, tmp_path / "again"),
        reproduce(server, command),
        report(server, command),
    ):
        assert done.code == 0, done.said
    assert set(command.read_table()["model"]) == MODELS


def test_report_needs_no_file_of_the_network(server: Server, command: Command) -> None:
    home = command.root.parent / "home"
    home.rename(home.with_name("away"))
    try:
        done = report(server, command)
        assert done.code == 0, done.said
        assert set(command.read_table()["model"]) == MODELS
        lost = reproduce(server, command)
        assert lost.code == 2
        assert "A network's file must exist, but got " in lost.said
    finally:
        home.with_name("away").rename(home)


def test_changed_file_is_refused_with_both_hashes(
    server: Server, command: Command, tmp_path: Path
) -> None:
    home = command.root.parent / "home"
    write_tiny(home, "raise SystemExit('it was run')\n")
    try:
        for done in (
            train(server, command, tmp_path / "again"),
            reproduce(server, command),
            call(server, "tuning.run", "--resume", command.name, "--root", command.root),
        ):
            assert done.code != 0
            assert REFUSED in done.said, done.said
            assert "it was run" not in done.said
    finally:
        write_tiny(home)
