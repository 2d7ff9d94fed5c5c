"""A campaign's data: find or make the tiles, pack and split them, check them before anything is trained."""

import logging
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from data.pack import Pack, make_pack
from data.pack.dataset import TileDataset, check_input_varies
from data.pack.log_ratio import describe_pairs
from data.pack.normalisation import make_normalisation, save_normalisation
from data.splits import PARTS, Split, list_folds, make_split, shrink_train
from data.tiles import Units, tile_path
from tuning.campaign.find_tiles import describe_events, find_tiles, locate_tiles, survey_twin
from tuning.campaign.identity import (
    CampaignInputs,
    check_same_pack,
    check_same_splits,
    load_kept_pack,
    open_kept_pack,
)
from tuning.objects.label_noise import label_train, make_label_noise
from tuning.settings.presets import Preset, get_preset
from tuning.settings.regions import read_events
from tuning.settings.settings import PACKS, TWIN, Settings
from tuning.statistics.blocks import MIN_BLOCKS, check_blocks, make_units
from tuning.tracking.payloads import DataRecord

logger = logging.getLogger(__name__)

LOGGED_TILES = 10  # suspicious tiles named in the log
_REGIONS_NAMED = 3  # in the data set's name in MLflow


def prepare_data(
    root: Path,
    settings: Settings,
    preset: Preset,
    kept: CampaignInputs | None = None,
    *,
    keep_pack: bool = False,
) -> tuple[Pack, tuple[Split, ...]]:
    """Make or find the tiles, pack and split them, and check a network's input.

    Args:
        root: Output folder.
        settings: The user's settings.
        preset: The preset that they name.
        kept: What a resumed campaign began with; None for a new one.
        keep_pack: Whether a resumed campaign goes on with its own pack whatever became of its tiles.

    Returns:
        The pack, and the split of every fold; a single split without cross-validation.

    Raises:
        ValueError: If a resumed campaign began with other tiles or another split, no tile can be used, train, val or test is empty, a channel is constant, or several models cannot be
            compared because there are too few spatial blocks of test tiles.
    """
    if kept is None:
        pack = pack_tiles(root, settings)
    else:
        pack = _find_kept_pack(root, settings, preset, kept, keep_pack=keep_pack)
    for sentence in describe_events(pack, settings.events):
        logger.info("%s", sentence)
    _log_tiles(pack)
    splits = []
    for name in list_folds(settings.split, pack.regions):
        split = make_split(name, pack.surveys(), root / PACKS)
        split = replace(split, missing=_find_absent(split, settings))
        split = shrink_train(split, pack.surveys(), settings.train_share, preset.batch_size)
        _log_split(split)
        _check_labels(pack, split)
        _disturb_labels(pack, split, settings)
        norm = make_normalisation(settings.norm, pack, split.train, settings.channels)
        cpu = torch.device("cpu")
        check_input_varies(
            TileDataset(pack, split.train, norm, settings.timesteps, cpu, settings.steps)
        )
        save_normalisation(pack, split, norm)
        splits.append(split)
    if kept is not None:
        check_same_splits(kept, splits)
    _check_test_blocks(pack, splits, settings)
    return pack, tuple(splits)


def pack_tiles(root: Path, settings: Settings) -> Pack:
    """Make or find the tiles of a new campaign, and pack them; the same pack at every call.

    Raises:
        ValueError: If the tiles cannot be split, or none can be used.
    """
    tiles = find_tiles(root, settings, get_preset(settings.preset))
    return _make_pack(root, settings, *tiles, settings.units)


def _make_pack(
    root: Path, settings: Settings, tiles: Path, tile_ids: Sequence[str], units: Units | None
) -> Pack:
    return make_pack(
        tiles,
        root / PACKS,
        units=units,
        modalities=settings.packed,
        tile_ids=tile_ids,
        events=read_events(settings.events, settings.regions),
    )


def _find_kept_pack(
    root: Path, settings: Settings, preset: Preset, kept: CampaignInputs, *, keep_pack: bool
) -> Pack:
    """Return a resumed campaign's own pack; if it is lost, build it again from the same tiles."""
    if keep_pack:
        logger.warning("Going on with the campaign's own pack, whatever became of its tiles.")
        return load_kept_pack(kept, root / PACKS)
    source = locate_tiles(root, settings, tuple(kept.tiles), whole=preset.tiles_per_part is None)
    resume = f"python -m tuning.run --resume {settings.campaign} --root {shlex.quote(str(root))}"
    pack = open_kept_pack(kept, source, root / PACKS, resume)
    if pack is None:
        pack = _make_pack(root, settings, source.root, tuple(kept.tiles), kept.units)
        check_same_pack(kept, pack)
    return pack


def _check_test_blocks(pack: Pack, splits: Sequence[Split], settings: Settings) -> None:
    """Raise ValueError if several models cannot be compared, because blocks are so large that there are too few.

    With fewer test tiles than blocks are needed, no block size helps: the campaign runs, and its report decides nothing.
    """
    if len(settings.models) + len(settings.baselines) < 2:
        return
    folds, tiles = zip(
        *((split.name, tile) for split in splits for tile in split.test), strict=True
    )
    rows, edge = pack.rows(tiles), settings.block_tiles
    if len(rows) < MIN_BLOCKS:
        logger.warning(
            "A comparison needs %d spatial blocks, but there are %d test tiles: every verdict will be undecided.",
            MIN_BLOCKS,
            len(rows),
        )
        return
    regions = [pack.regions[row] for row in rows]
    check_blocks(make_units(pack.corners[rows], folds, regions, block_tiles=edge), edge)


def describe_data(pack: Pack, splits: Sequence[Split], settings: Settings) -> DataRecord:
    """Describe the data for MLflow: source, channels, tiles and landslide share of train, val and test."""
    profile = {
        split.name: {
            part: {
                "tiles": len(split.part(part)),
                "landslide_share": round(float(pack.mask[pack.rows(split.part(part))].mean()), 5),
            }
            for part in PARTS
        }
        for split in splits
    }
    twin = settings.data == TWIN
    return DataRecord(
        name=_name_data(pack),
        digest=pack.hash,
        source=f"twin:{pack.seed}" if twin else Path(settings.data).resolve().as_uri(),
        schema={"channels": settings.channels, "acquisitions": settings.timesteps},
        profile=profile,
    )


def list_events(pack: Pack) -> str:
    """Return the event of each region whose tiles have one, as in `CampaignContext`."""
    found: dict[str, set[str]] = {}
    for region, event in zip(pack.regions, np.datetime_as_string(pack.events), strict=True):
        found.setdefault(region, set()).add(str(event))
    return " ".join(f"{name}={min(ev)}" for name, ev in sorted(found.items()) if len(ev) == 1)


def _name_data(pack: Pack) -> str:
    """Return a name such as ``hokkaido-twin``, ``sen12landslides-italy`` or ``sen12landslides-13-regions``."""
    regions = sorted(set(pack.regions))
    names = "-".join(regions) if len(regions) <= _REGIONS_NAMED else f"{len(regions)}-regions"
    return f"{names}-twin" if pack.synthetic else f"sen12landslides-{names}"


def _check_labels(pack: Pack, split: Split) -> None:
    """Refuse a split part without landslides: it can neither be trained on nor measured."""
    for part in PARTS:
        ids = split.part(part)
        if not pack.mask[pack.rows(ids)].any():
            raise ValueError(
                f"Train, val and test each need a landslide pixel, but the {len(ids)} {part} tiles of split "
                f"{split.name!r} have none in {pack.path}. Choose another split or add tiles."
            )


def _disturb_labels(pack: Pack, split: Split, settings: Settings) -> None:
    """Log what label noise does to train; refuse noise that leaves no landslide."""
    if settings.label_noise:
        rows = pack.rows(split.train)
        labels = label_train(pack, split.train, settings.label_noise)[rows]
        before, after = int(pack.mask[rows].sum()), int(labels.sum())
        shared = int((labels & pack.mask[rows]).sum())
        text = "Label noise %s in train: %d landslide pixels, of which %d are landslides; without noise %d."
        logger.warning(text, make_label_noise(settings.label_noise), after, shared, before)


def _find_absent(split: Split, settings: Settings) -> tuple[str, ...]:
    """Return the tiles of a split that the data lack; those that a short preset leaves out are not among them."""
    if settings.data == TWIN:
        known = survey_twin(settings.regions)
        return tuple(tile for tile in split.missing if tile not in known)
    folder, modalities = Path(settings.data), settings.packed
    return tuple(
        tile
        for tile in split.missing
        if not all(tile_path(folder, tile, one).is_file() for one in modalities)
    )


def _log_split(split: Split) -> None:
    """Log the sizes of a split, and the tiles that it does not use."""
    if split.missing:
        logger.warning(
            "Tiles of the split that are missing in the data: %s.", ", ".join(split.missing)
        )
    if split.buffer:
        logger.info("Buffer tiles between test and train, not used: %s.", ", ".join(split.buffer))
    if split.unused:
        logger.info("Tiles that split %s does not use: %d.", split.name, len(split.unused))
    sizes = ", ".join(f"{len(split.part(part))} {part}" for part in PARTS)
    logger.info("Split %s (%s): %s tiles.", split.name, split.hash, sizes)


def _log_tiles(pack: Pack) -> None:
    """Log every excluded tile, and the first suspicious tiles."""
    for tile, reason in pack.excluded.items():
        logger.warning("Excluded %s: %s", tile, reason)
    for tile, findings in list(pack.suspicious.items())[:LOGGED_TILES]:
        logger.warning("Suspicious, but used: %s: %s", tile, " ".join(findings))
    if (more := len(pack.suspicious) - LOGGED_TILES) > 0:
        logger.warning("%d more suspicious tiles are in %s.", more, pack.path / "manifest.json")
    if text := describe_pairs(pack):
        logger.warning("%s", text)
