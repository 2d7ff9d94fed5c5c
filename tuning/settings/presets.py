"""Presets for the length of a campaign, and the tiles of the shortest one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data.io.errors import unknown_name
from data.splits import PARTS, make_split
from data.splits.events import AREA_SHARE
from data.splits.grid import group_by_region
from data.splits.names import parse_event
from data.tiles import TileSurvey

# The data set's training code uses 42, 123 and 777; the others extend the list.
SEEDS = (42, 123, 777, 2018, 906, 1867, 31, 512, 64, 9)
# Of every search trial. Not one of SEEDS: hyperparameters that suit a seed's weights and batches by luck would be
# measured with that luck once more.
SEARCH_SEED = 1968


@dataclass(frozen=True)
class Preset:
    """Values of one campaign length.

    Attributes:
        trials: Search trials per architecture.
        seeds: Repeat trials per architecture.
        search_epochs: Longest search trial.
        epochs: Length of a repeat trial.
        patience: Epochs without a better val average precision before a trial ends.
        batch_size: Tiles per step.
        timesteps: Acquisitions, unless the user sets their number.
        narrow: Which of the networks' ``NARROW`` lists replace those of their search spaces: ``none``, ``sizes`` (numbers)
            or ``all``.
        tiles_per_part: Tiles of each split part; all if None.
    """

    trials: int
    seeds: int
    search_epochs: int
    epochs: int
    patience: int
    batch_size: int
    timesteps: int
    narrow: str = "none"
    tiles_per_part: int | None = None


PRESETS = {
    "smoke": Preset(
        trials=2,
        seeds=2,
        search_epochs=2,
        epochs=2,
        patience=2,
        batch_size=4,
        timesteps=4,
        narrow="sizes",
        tiles_per_part=8,
    ),
    # Sized for two cores: 12 to 22 minutes with the twin, depending on the processor.
    "quick": Preset(
        trials=4,
        seeds=3,
        search_epochs=5,
        epochs=10,
        patience=10,
        batch_size=8,
        timesteps=4,
        narrow="all",
    ),
    "paper": Preset(
        trials=40, seeds=5, search_epochs=40, epochs=75, patience=20, batch_size=16, timesteps=15
    ),
}


def get_preset(name: str) -> Preset:
    """Return a preset.

    Raises:
        ValueError: If the name is unknown.
    """
    if name not in PRESETS:
        raise ValueError(unknown_name("preset", name, PRESETS))
    return PRESETS[name]


def pick_tiles(
    split: str, per_part: int | None, available: Mapping[str, TileSurvey], store: Path | None = None
) -> list[str] | None:
    """Pick a few tiles of each region and split part: half with the most landslide pixels, half with the fewest.

    Args:
        split: Name of the split.
        per_part: Tiles of each part; None picks all. Of the region that a split across events tests, three times as
            many, or as many as its labelled area needs.
        available: Position and landslide pixels of the data's tiles, by id.
        store: Folder of the splits that came from files.

    Returns:
        Sorted ids, or None for all.
    """
    if per_part is None:
        return None
    parts = make_split(split, available, store)
    region, shots = parse_event(split) or ("", 0)
    picked: list[str] = []
    for name, group in group_by_region(available).items():
        if name == region:
            picked += _pick_extremes(group, max(len(PARTS) * per_part, AREA_SHARE * shots))
            continue
        for part in PARTS:
            inside = {tile: group[tile] for tile in parts.part(part) if tile in group}
            picked += _pick_extremes(inside, per_part)
    return sorted(set(picked))


def _pick_extremes(tiles: Mapping[str, TileSurvey], count: int) -> list[str]:
    """Pick *count* tiles: half with the most landslide pixels, half with the fewest."""
    ranked = sorted(tiles, key=lambda tile: (-tiles[tile].annotated_px, tile))
    half = min(len(ranked), count) // 2
    return ranked[: count - half] + ranked[len(ranked) - half :]
