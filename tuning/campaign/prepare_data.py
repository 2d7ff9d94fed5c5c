"""The data of a campaign: tiles found or made, packed, split, and checked before anything is trained."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from data.pack import Pack, make_pack
from data.pack.channels import list_modalities
from data.pack.dataset import TileDataset, check_input_varies
from data.pack.normalisation import make_normalisation, save_normalisation
from data.splits import PARTS, Split, make_split
from data.tiles import list_tiles
from data.tiles.manifest import describe_origin, read_manifest
from data.twin import make_twin
from tuning.settings.presets import Preset, pick_tiles
from tuning.settings.settings import PACKS, TWIN, Settings, list_folds
from tuning.tracking.payloads import DataRecord

logger = logging.getLogger(__name__)

NAMED = 10  # suspicious tiles that the log names


def _find_tiles(root: Path, settings: Settings, preset: Preset) -> tuple[Path, list[str] | None]:
    """Make or find the tiles; return their folder and the ids to use, None for all."""
    if settings.data == TWIN:
        logger.info(
            "Data: %s tiles, made below %s.", describe_origin(synthetic=True), root / "data"
        )
        chosen = _pick(root, settings, preset, None)
        return make_twin(root / "data", tile_ids=chosen), chosen
    tiles = Path(settings.data)
    logger.info("%s", read_manifest(tiles, settings.units))
    there = list_tiles(tiles, list_modalities(settings.channels))
    return tiles, _pick(root, settings, preset, there)


def _pick(
    root: Path, settings: Settings, preset: Preset, there: list[str] | None
) -> list[str] | None:
    """Pick the tiles of a short preset, for every fold; None for all."""
    picked: set[str] = set()
    for name in list_folds(settings.split):
        some = pick_tiles(name, preset.tiles_per_part, there, root / PACKS)
        if some is None:
            return None
        picked.update(some)
    return sorted(picked)


def prepare_data(root: Path, settings: Settings, preset: Preset) -> tuple[Pack, tuple[Split, ...]]:
    """Make or find the tiles, pack them, split them, and check what a network would see.

    Returns:
        The pack, and the split of every fold; one where there is no cross-validation.

    Raises:
        ValueError: If no tile can be used, a part is empty, or a channel is constant.
    """
    tiles, chosen = _find_tiles(root, settings, preset)
    modalities = list_modalities(settings.channels)
    pack = make_pack(
        tiles, root / PACKS, units=settings.units, modalities=modalities, tile_ids=chosen
    )
    _name_tiles(pack)
    splits = []
    for name in list_folds(settings.split):
        split = make_split(name, pack.tile_ids, root / PACKS)
        _describe(split, whole=chosen is None)
        _check_labels(pack, split)
        norm = make_normalisation(settings.norm, pack, split.train, settings.channels)
        cpu = torch.device("cpu")
        check_input_varies(
            TileDataset(pack, split.train, norm, settings.timesteps, cpu, settings.steps)
        )
        save_normalisation(pack, split, norm)
        splits.append(split)
    return pack, tuple(splits)


def describe_data(pack: Pack, splits: Sequence[Split], settings: Settings) -> DataRecord:
    """Describe the data for MLflow: where they come from, channels, and each part's tiles and landslides."""
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
        name="hokkaido-twin" if pack.synthetic else "sen12landslides-hokkaido",
        digest=pack.hash,
        source=f"twin:{pack.seed}" if twin else Path(settings.data).resolve().as_uri(),
        schema={"channels": settings.channels, "acquisitions": settings.timesteps},
        profile=profile,
    )


def _check_labels(pack: Pack, split: Split) -> None:
    """Refuse a part without any landslide, since nothing can be learnt from it or measured on it."""
    for part in PARTS:
        ids = split.part(part)
        if not pack.mask[pack.rows(ids)].any():
            raise ValueError(
                f"Every part of a split needs a landslide pixel, but the {len(ids)} {part} tiles of split "
                f"{split.name!r} have none in {pack.path}. Choose another split or add tiles."
            )


def _describe(split: Split, *, whole: bool) -> None:
    """Say what a split holds, and what it does not."""
    if whole and split.missing:
        logger.warning("The split's tiles that the data lacks: %s.", ", ".join(split.missing))
    if split.buffer:
        logger.info("Set aside between test and train: %s.", ", ".join(split.buffer))
    if split.unused:
        logger.info("Tiles that split %s leaves out: %d.", split.name, len(split.unused))
    sizes = ", ".join(f"{len(split.part(part))} {part}" for part in PARTS)
    logger.info("Split %s (%s): %s tiles.", split.name, split.hash, sizes)


def _name_tiles(pack: Pack) -> None:
    """Name every tile that is left out, and the first of those that look odd."""
    for tile, reason in pack.excluded.items():
        logger.warning("Excluded %s: %s", tile, reason)
    for tile, findings in list(pack.suspicious.items())[:NAMED]:
        logger.warning("Suspicious, but used: %s: %s", tile, " ".join(findings))
    if (more := len(pack.suspicious) - NAMED) > 0:
        logger.warning("%d more suspicious tiles are in %s.", more, pack.path / "manifest.json")
