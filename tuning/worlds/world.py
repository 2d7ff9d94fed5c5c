"""One twin world: the tiles that a comparison needs are simulated in memory and measured; sums per tile are kept.

A world is the twin of one seed. Worlds of a region have the same places and the same number of annotated pixels per tile; weather,
ground, landslides, drawing and speckle differ, as between events.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from data.io.errors import unknown_name
from data.io.safe_arrays import ArraySpec, read_arrays
from data.pack import Pack
from data.splits import Split, make_split
from data.tiles import TileSurvey
from data.twin.regions import REGIONS, read_sites
from tuning.baselines.baselines import BASELINES, is_deterministic, make_baseline_config
from tuning.baselines.measure import make_predictor
from tuning.metrics.histogram import count_stored, to_bins
from tuning.metrics.tile_sums import reduce_counts
from tuning.worlds.simulate import simulate_pack

SPLIT = "blocks"
TILE_BINS = 4096  # of a tile's histogram; average precision is off by less than 0.001
LEARN_SEEDS = (0, 1, 2)  # of a baseline that draws train pixels
TRAIN_TILES = 40  # for baselines that learn: half a million pixels of the region's train part


@dataclass(frozen=True)
class World:
    """The measured models of one world on its N test tiles.

    Attributes:
        seed: The twin's seed.
        tile_ids: The tiles.
        corners: West and north of each tile in m, shape ``(N, 2)``.
        labels: Histograms against the labels by model, shape ``(S, N, 2 * TILE_BINS)``.
        truth: The same against the true ground.
    """

    seed: int
    tile_ids: tuple[str, ...]
    corners: np.ndarray
    labels: dict[str, np.ndarray]
    truth: dict[str, np.ndarray]


def check_models(models: Sequence[str]) -> tuple[str, ...]:
    """Return the baselines to compare; raise ValueError for an unknown one, a repeated one or fewer than two."""
    for key in models:
        if key not in BASELINES:
            raise ValueError(unknown_name("baseline", key, BASELINES))
    if len(set(models)) != len(models) or len(models) < 2:
        raise ValueError(
            f"A comparison needs two models or more, each once, but got {' '.join(models) or 'none'}. "
            f"Choose of {', '.join(BASELINES)}."
        )
    return tuple(models)


def survey_sites(region: str) -> dict[str, TileSurvey]:
    """Return position and landslide pixels of the twin's tiles of a region by id, without writing one."""
    if region not in REGIONS:
        raise ValueError(unknown_name("region of the twin", region, REGIONS))
    crs = f"EPSG:{32600 + REGIONS[region].utm_zone}"
    sites = [site for site in read_sites().values() if site.region == region]
    return {s.tile_id: TileSurvey(s.tile_id, *s.corner_m, s.annotated_px, crs) for s in sites}


def choose_tiles(region: str, models: Sequence[str], most: int | None = None) -> Split:
    """Return the tiles that a comparison needs: test, and some of train if a model learns. Models are not tuned, so val is not.

    Args:
        region: Region of the twin.
        models: Keys of baselines.
        most: Of each part, keep so many tiles, evenly chosen; for trials of the command.
    """
    split = make_split(SPLIT, survey_sites(region))
    count = 0 if all(map(is_deterministic, models)) else min(most or TRAIN_TILES, TRAIN_TILES)
    return replace(split, train=_thin(split.train, count), val=(), test=_thin(split.test, most))


def _thin(tiles: tuple[str, ...], most: int | None) -> tuple[str, ...]:
    if most is None or most >= len(tiles):
        return tiles
    return tuple(tiles[k] for k in np.linspace(0, len(tiles) - 1, most).round().astype(int))


def measure_world(seed: int, split: Split, models: Sequence[str]) -> World:
    """Simulate the twin of *seed* in memory and measure the models on its test tiles.

    Args:
        seed: Seed of the twin.
        split: Its tiles, from :func:`choose_tiles`.
        models: Keys of baselines.
    """
    pack, ground = simulate_pack(seed, [*split.train, *split.test])
    rows = pack.rows(split.test)
    grounds = {"labels": pack.mask[rows], "truth": ground[rows]}
    sums: dict[str, dict[str, np.ndarray]] = {name: {} for name in grounds}
    for key in models:
        seeds = (0,) if is_deterministic(key) else LEARN_SEEDS
        bins = [_predict(pack, split, key, one) for one in seeds]
        for name, slid in grounds.items():
            sums[name][key] = np.stack([count_tiles(each, slid) for each in bins])
    return World(seed, split.test, pack.corners[rows], **sums)


def _predict(pack: Pack, split: Split, key: str, seed: int) -> np.ndarray:
    """Return the probability bins of the test tiles, shape ``(N, H, W)``."""
    config = make_baseline_config(key, split.name, pack.hash, seed)
    predict = make_predictor(config, pack, split)(pack)
    parts = [to_bins(torch.from_numpy(predict([tile]))).numpy() for tile in split.test]
    return np.concatenate(parts)


def count_tiles(bins: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Count the pixels of each tile by class and bin, shape ``(N, 2 * TILE_BINS)``, from bins and ground ``(N, H, W)``."""
    counts = [
        reduce_counts(count_stored(*tile), TILE_BINS) for tile in zip(bins, ground, strict=True)
    ]
    return np.stack(counts).reshape(len(bins), -1).astype(np.uint16)


def save_world(world: World, file: Path) -> None:
    """Write a world's sums; the file appears whole or not at all."""
    arrays = {
        f"{name}/{key}": sums
        for name in ("labels", "truth")
        for key, sums in getattr(world, name).items()
    }
    temporary = file.with_suffix(".part.npz")
    np.savez_compressed(
        temporary, tile_ids=np.array(world.tile_ids), corners=world.corners, **arrays
    )
    temporary.replace(file)


def load_world(file: Path, seed: int, models: Sequence[str]) -> World:
    """Read a world's sums; raise ValueError if the file is another or damaged."""
    spec = ArraySpec("uint16", (None, None, 2 * TILE_BINS))
    specs = {f"{name}/{key}": spec for name in ("labels", "truth") for key in models}
    head = {"tile_ids": ArraySpec("str", (None,)), "corners": ArraySpec("float64", (None, 2))}
    arrays = read_arrays(file, head | specs)
    ids = tuple(str(tile) for tile in arrays["tile_ids"])
    labels, truth = (
        {key: arrays[f"{name}/{key}"] for key in models} for name in ("labels", "truth")
    )
    return World(seed, ids, arrays["corners"], labels, truth)
