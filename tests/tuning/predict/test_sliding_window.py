"""A map equals the network's prediction, whatever its windows."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data.pack import make_pack
from data.pack.channels import select_even_steps
from data.pack.dataset import TileDataset
from data.scene.base import InputSpec, Scene
from data.scene.datacube import open_cube
from data.scene.tile_mosaic import Mosaic, open_mosaic
from models import narrow_arch
from tests.support.cube_files import change_all, make_groups, write_netcdf
from tests.support.served_fixtures import make_norm, write_checkpoint, write_network_files
from tuning.predict.ensemble import Member
from tuning.predict.predictor import Predictor
from tuning.predict.sliding_window import map_scene
from tuning.serving.program import load_program
from tuning.serving.stored_network import read_network
from tuning.train.checkpoints import load_checkpoint
from tuning.train.evaluate import predict

pytestmark = pytest.mark.file_s(120)

S1 = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")
CPU = torch.device("cpu")


def make_member(folder: Path, *, seed: int = 0, **changes: object) -> Member:
    """Make a network as a logged model holds it."""
    folder.mkdir()
    path = write_network_files(folder, noise=0.1 * seed, seed=seed, **changes)
    network = read_network(folder)
    config = network.config
    spec = InputSpec(tuple(config["channels"]), config["timesteps"], config["steps"])
    loaded = load_program(path, threads=1)
    return Member(f"seed {seed}", loaded, network, spec, 0.25 + 0.1 * seed, synthetic=True)


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Member:
    return make_member(tmp_path_factory.mktemp("member") / "one")


def map_whole(
    scene: Scene,
    members: Sequence[Member],
    side: int = 64,
    overlap: int = 16,
    *,
    flips: bool = False,
) -> dict[str, np.ndarray]:
    """Map a scene; return its layers."""
    predictor = Predictor(members, CPU, flips=flips)
    rows: dict[str, list[np.ndarray]] = {}

    def write(name: str, first_row: int, values: np.ndarray) -> None:
        assert first_row == sum(part.shape[-2] for part in rows.setdefault(name, []))
        rows[name].append(values)

    windows = scene.list_windows(side, overlap)
    seen: list[int] = []
    map_scene(scene, windows, predictor, write, threshold=predictor.threshold, progress=seen.append)
    assert sum(seen) == len(windows)
    return {name: np.concatenate(parts, axis=-2) for name, parts in rows.items()}


def test_a_mosaic_equals_training_away_from_seams(
    quad: Path, member: Member, tmp_path: Path
) -> None:
    scene = open_mosaic(quad, member.spec)
    found = map_whole(scene, [member])["probability"]
    network = load_checkpoint(write_checkpoint(tmp_path).best)
    pack = make_pack(quad, tmp_path)
    tiles = TileDataset(pack, pack.tile_ids, make_norm(), 4, CPU)
    probs = predict(network.model, tiles.batch(range(4))).numpy()
    away = np.zeros((256, 256), bool)
    for row in (0, 128):
        for column in (0, 128):
            away[row + 16 : row + 112, column + 16 : column + 112] = True
    away[:16] |= away[16]
    away[-16:] |= away[16]
    away[:, :16] |= away[:, [16]]
    away[:, -16:] |= away[:, [16]]
    for (row, column), tile_id in scene.tiles.items():
        cut = (slice(row * 128, row * 128 + 128), slice(column * 128, column * 128 + 128))
        gap = np.abs(found[cut] - probs[pack.tile_ids.index(tile_id)])
        assert gap[away[cut]].max() < 1e-5
        assert gap.max() > 1e-3  # blended near the seams


def test_seams_fade_from_tile_to_tile(quad: Path, member: Member) -> None:
    """Near a seam a map is the weighted mean of the tile and of the window over the seam."""
    scene = open_mosaic(quad, member.spec)
    found = map_whole(scene, [member])["probability"]
    predictor, answers = Predictor([member], CPU), {}
    for window in scene.list_windows(64, 32):
        window_data = scene.read(window)
        assert window_data is not None
        answer = predictor(window_data.x[None], window_data.days[None])["probability"][0]
        answers[window.rows.start, window.columns.start] = answer
    west, over, east = answers[0, 0], answers[0, 64], answers[0, 128]
    for away in range(
        8
    ):  # px from the seam, in a row far from the other seam; half of overlap 16 is 8
        share = (away + 0.5) / 8
        left, right = found[40, 127 - away], found[40, 128 + away]
        assert left == pytest.approx(
            share * west[40, 127 - away] + (1 - share) * over[40, 63 - away], abs=1e-6
        )
        assert right == pytest.approx(
            share * east[40, away] + (1 - share) * over[40, 64 + away], abs=1e-6
        )
    assert found[40, 119] == pytest.approx(west[40, 119], abs=1e-6)


@pytest.mark.parametrize("size", [(64, 80), (50, 37)])
def test_a_cube_in_one_window_equals_the_networks_prediction(
    tmp_path: Path, member: Member, size: tuple[int, int]
) -> None:
    groups = make_groups(*size)
    cube = open_cube(write_netcdf(groups, tmp_path / "cube.nc"), member.spec)
    layers = [groups[name.split(":")[0]][name.split(":")[1]].values for name in S1]
    x = np.stack(layers, axis=1).astype(np.float16).astype(np.float32)[None]
    padded = np.full((*x.shape[:3], *(-(-one // 8) * 8 for one in size)), np.nan, np.float32)
    padded[..., : size[0], : size[1]] = x
    answer = member.program(padded[:, select_even_steps(4)])[0]
    found = map_whole(cube, [member], side=80)["probability"]
    np.testing.assert_allclose(found, answer[: size[0], : size[1]], atol=1e-5)


def test_predictions_far_from_window_edges_do_not_depend_on_the_window(
    tmp_path: Path, member: Member
) -> None:
    cube = open_cube(write_netcdf(make_groups(64, 325), tmp_path / "cube.nc"), member.spec)
    whole = map_whole(cube, [member], side=336)["probability"]
    parts = map_whole(cube, [member], side=160)["probability"]
    np.testing.assert_allclose(parts[:, :80], whole[:, :80], atol=1e-5)
    np.testing.assert_allclose(parts[:, 250:], whole[:, 250:], atol=1e-5)
    assert np.abs(parts - whole).max() > 1e-3


def test_a_map_does_not_depend_on_threads_and_restores_their_number(
    tmp_path: Path, member: Member
) -> None:
    before = torch.get_num_threads()
    cube = open_cube(write_netcdf(make_groups(200, 144), tmp_path / "cube.nc"), member.spec)
    found = []
    try:
        for threads in (1, 4):
            torch.set_num_threads(threads)
            found.append(map_whole(cube, [member], side=48)["probability"])
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*found)


def test_an_error_of_the_network_stops_the_map(
    tmp_path: Path, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Predictor, x: np.ndarray, days: np.ndarray) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(Predictor, "__call__", fail)
    before = torch.get_num_threads()
    cube = open_cube(write_netcdf(make_groups(200, 144), tmp_path / "cube.nc"), member.spec)
    with pytest.raises(RuntimeError, match="out of memory"):
        map_whole(cube, [member], side=48)
    assert torch.get_num_threads() == before


def test_an_error_of_the_writer_stops_the_map(tmp_path: Path, member: Member) -> None:
    def write(name: str, first_row: int, values: np.ndarray) -> None:
        written.append(first_row)
        if first_row:
            raise OSError("disk full")

    written: list[int] = []
    cube = open_cube(write_netcdf(make_groups(400, 80), tmp_path / "cube.nc"), member.spec)
    windows = cube.list_windows(48, 16)
    with pytest.raises(OSError, match="disk full"):
        map_scene(cube, windows, Predictor([member], CPU), write, threshold=0.5)
    assert max(written) < 200  # long before the end


def test_pixels_without_backscatter_have_no_value(tmp_path: Path, member: Member) -> None:
    groups = make_groups(96, 80)
    for dataset in groups.values():
        for name in ("VV", "VH"):
            dataset[name][:, :70, :30] = np.nan
    layers = map_whole(
        open_cube(write_netcdf(groups, tmp_path / "cube.nc"), member.spec), [member], 32, 8
    )
    empty = np.zeros((96, 80), bool)
    empty[:70, :30] = True
    np.testing.assert_array_equal(np.isnan(layers["probability"]), empty)
    np.testing.assert_array_equal(layers["mask"] == 255, empty)
    expected = layers["probability"][~empty] >= member.threshold
    np.testing.assert_array_equal(layers["mask"][~empty], expected)
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(layers["coverage"][0], np.where(empty, 255, 2))


def test_pixels_without_images_after_the_event_are_counted_but_not_predicted(
    tmp_path: Path, member: Member
) -> None:
    groups = make_groups(96, 80)
    late = groups["s1dsc"]["time"] > np.datetime64("2018-09-06")
    for name in ("VV", "VH"):
        groups["s1dsc"][name][np.flatnonzero(late), 40:] = np.nan
        groups["s1dsc"][name][0, :10] = np.nan
    cube = open_cube(write_netcdf(groups, tmp_path / "cube.nc"), member.spec)
    predicted: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        call = Predictor.__call__
        patch.setattr(
            Predictor,
            "__call__",
            lambda self, x, days: (predicted.append(len(x)), call(self, x, days))[1],
        )
        layers = map_whole(cube, [member], 32, 8)
    assert 0 < sum(predicted) < len(cube.list_windows(32, 8))
    np.testing.assert_array_equal(np.isnan(layers["probability"]).all(axis=1), np.arange(96) >= 40)
    np.testing.assert_array_equal((layers["mask"] == 255).all(axis=1), np.arange(96) >= 40)
    before, after = layers["coverage"]
    assert (before[:10] == 1).all()
    assert (before[10:] == 2).all()
    assert (after[:40] == 2).all()
    assert (after[40:] == 0).all()


def test_an_ensemble_averages_its_seeds_and_computes_their_spread(
    tmp_path: Path, member: Member
) -> None:
    members = [member, *(make_member(tmp_path / str(seed), seed=seed) for seed in (1, 2))]
    cube = open_cube(write_netcdf(make_groups(), tmp_path / "cube.nc"), member.spec)
    single = np.stack([map_whole(cube, [one], 160)["probability"] for one in members])
    layers = map_whole(cube, members, 160)
    np.testing.assert_allclose(layers["probability"], single.mean(0), atol=1e-6)
    np.testing.assert_allclose(layers["spread"], single.std(0, ddof=1), atol=1e-6)
    assert Predictor(members, CPU).threshold == pytest.approx(0.35)
    assert layers["spread"].max() > 0.01


def test_flips_are_flipped_back_and_averaged(tmp_path: Path, member: Member) -> None:
    groups = make_groups(64, 64)
    cube = open_cube(write_netcdf(groups, tmp_path / "cube.nc"), member.spec)
    answers = []
    for axes in ((), ("y",), ("x",), ("y", "x")):
        order = {axis: slice(None, None, -1) for axis in axes}
        turned = change_all(groups, lambda d, o=order: d.isel(o).assign_coords(y=d["y"], x=d["x"]))
        part = map_whole(open_cube(write_netcdf(turned, tmp_path / "t.nc"), member.spec), [member])
        flipped = tuple(-1 if axis in axes else 1 for axis in ("y", "x"))
        answers.append(part["probability"][:: flipped[0], :: flipped[1]])
    found = map_whole(cube, [member], flips=True)["probability"]
    np.testing.assert_allclose(found, np.mean(answers, axis=0), atol=1e-5)


def test_an_event_network_reads_only_its_dates(tmp_path: Path) -> None:
    member = make_member(tmp_path / "event", timesteps=2, steps="event")
    groups = make_groups()
    cube = open_cube(write_netcdf(groups, tmp_path / "cube.nc"), member.spec)
    found = map_whole(cube, [member], 160)["probability"]
    layers = [groups[name.split(":")[0]][name.split(":")[1]].values[[6, 7]] for name in S1]
    x = np.stack(layers, axis=1).clip(max=0).astype(np.float16).astype(np.float32)[None]
    np.testing.assert_allclose(found, member.program(x)[0], atol=1e-5)
    assert select_even_steps(2) == [0, 14]


@pytest.mark.parametrize("steps", ["event", "even"])
def test_a_network_that_reads_dates_maps_tiles_with_those_of_training(
    quad: Path, tmp_path: Path, steps: str
) -> None:
    changes = {"model": "unet_ltae", "arch": narrow_arch("unet_ltae"), "steps": steps}
    member = make_member(tmp_path / "dated", **changes)
    pack, network = make_pack(quad, tmp_path), load_checkpoint(tmp_path / "dated" / "best.pt")
    tiles = TileDataset(pack, pack.tile_ids, network.norm, 4, CPU, steps)
    batch = tiles.batch(range(4))
    probs = predict(network.model, batch).numpy()
    scene = open_mosaic(quad, member.spec)
    found = map_whole(scene, [member], overlap=2)["probability"]
    shifted = predict(network.model, replace(batch, days=batch.days - 40)).numpy()
    for (row, column), tile_id in scene.tiles.items():
        inside = (
            slice(row * 128 + 1, row * 128 + 127),
            slice(column * 128 + 1, column * 128 + 127),
        )
        own = pack.tile_ids.index(tile_id)
        np.testing.assert_allclose(found[inside], probs[own, 1:-1, 1:-1], atol=1e-4)
        assert np.abs(shifted[own] - probs[own]).max() > 1e-3


def test_networks_with_different_inputs_are_no_ensemble(tmp_path: Path, member: Member) -> None:
    other = make_member(tmp_path / "other", channels=list(S1[:2]))
    with pytest.raises(
        ValueError, match=r"must read the same input, but seed 0 reads .* and seed 0 reads"
    ):
        Predictor([member, other], CPU)


def test_a_network_with_group_norm_is_not_local(tmp_path: Path, member: Member) -> None:
    arch = {"width": 4, "depth": 3, "conv": "plain", "norm": "group"}
    assert not Predictor([make_member(tmp_path / "group", arch=arch)], CPU).local
    assert Predictor([member], CPU).local


def test_padding_does_not_depend_on_earlier_windows(member: Member) -> None:
    predictor = Predictor([member], CPU)
    rng = np.random.default_rng(0)
    large, small = (
        rng.normal(-12, 3, (1, 4, 4, side, side)).astype(np.float32) for side in (64, 60)
    )
    days = np.zeros((1, 4), np.float32)
    alone = Predictor([member], CPU)(small, days)["probability"]
    predictor(small, days)
    predictor(large, days)
    np.testing.assert_array_equal(predictor(small, days)["probability"], alone)


def test_a_window_that_cannot_be_read_stops_the_map(tmp_path: Path, member: Member) -> None:
    groups = make_groups(200, 80)
    groups["s1asc"]["VV"][0, 190, 3] = np.inf
    cube = open_cube(write_netcdf(groups, tmp_path / "cube.nc"), member.spec)
    with pytest.raises(ValueError, match=r"must be finite.* inf in VV of s1asc .*, rows 160 to"):
        map_whole(cube, [member])


def test_an_empty_mosaic_maps_nothing(quad: Path, member: Member) -> None:
    scene = open_mosaic(quad, member.spec)
    assert isinstance(scene, Mosaic)
    scene.tiles.clear()
    layers = map_whole(scene, [member])
    assert np.isnan(layers["probability"]).all()
    assert (layers["mask"] == 255).all()
