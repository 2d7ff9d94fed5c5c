"""A campaign's tiles: the twin's or a folder's, of the chosen regions, all or the few of a short preset."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data.pack import Pack
from data.splits import list_folds
from data.splits.grid import group_by_region
from data.splits.leakage import FolderSurvey, survey_folder
from data.tiles import TileSurvey, list_tiles
from data.tiles.manifest import describe_origin, read_manifest
from data.tiles.regions import format_regions, read_regions
from data.twin import make_twin
from data.twin.regions import REGIONS, read_sites
from tuning.campaign.identity import TileSource
from tuning.settings.presets import Preset, pick_tiles
from tuning.settings.settings import PACKS, TWIN, Settings

logger = logging.getLogger(__name__)

_NORTH = 32600  # EPSG code of UTM on the northern hemisphere, plus the zone


def find_tiles(root: Path, settings: Settings, preset: Preset) -> tuple[Path, list[str]]:
    """Make or find the tiles of the campaign's regions.

    Args:
        root: Output folder, below which the twin is made.
        settings: The user's settings.
        preset: May use a few tiles of each part alone.

    Returns:
        The folder of the tiles, and the sorted ids of those that the campaign uses.

    Raises:
        ValueError: If the tiles cannot be split.
    """
    places, regions = format_regions(settings.regions), settings.regions
    if settings.data == TWIN:
        origin, below = describe_origin(synthetic=True), root / "data"
        logger.info("Data: %s tiles of %s, made below %s.", origin, places, below)
        tile_ids = pick_campaign_tiles(
            root, settings, preset, lambda: FolderSurvey(survey_twin(regions))
        )
        chosen = sorted(survey_twin(regions)) if tile_ids is None else tile_ids
        return make_twin(below, regions=regions, tile_ids=chosen), chosen
    tiles, modalities = Path(settings.data), settings.packed
    logger.info("%s Regions: %s.", read_manifest(tiles, settings.units), places)
    tile_ids = pick_campaign_tiles(
        root, settings, preset, lambda: survey_folder(tiles, regions, modalities=modalities)
    )
    return tiles, list_tiles(tiles, modalities, regions) if tile_ids is None else tile_ids


def locate_tiles(
    root: Path, settings: Settings, tile_ids: tuple[str, ...], *, whole: bool
) -> TileSource:
    """Return the present tiles of a campaign that is resumed.

    Args:
        root: Output folder, below which the twin is made.
        settings: The campaign's settings.
        tile_ids: Tiles that it began with.
        whole: Whether it uses all tiles of its regions.
    """
    modalities = settings.packed
    if settings.data == TWIN:
        twin = make_twin(root / "data", regions=settings.regions, tile_ids=tile_ids)
        return TileSource(twin, modalities, ())
    tiles = Path(settings.data)
    present = list_tiles(tiles, modalities, settings.regions) if whole else ()
    return TileSource(tiles, modalities, tuple(present))


def survey_twin(regions: tuple[str, ...]) -> dict[str, TileSurvey]:
    """Return position and landslide pixels of the twin's tiles of some regions by id, before they are made."""
    return {
        tile_id: TileSurvey(
            tile_id=tile_id,
            west_m=site.corner_m[0],
            north_m=site.corner_m[1],
            annotated_px=site.annotated_px,
            crs=f"EPSG:{_NORTH + REGIONS[site.region].utm_zone}",
            synthetic=True,
        )
        for tile_id, site in read_sites().items()
        if site.region in regions
    }


def pick_campaign_tiles(
    root: Path, settings: Settings, preset: Preset, survey: Callable[[], FolderSurvey]
) -> list[str] | None:
    """Return the tiles that a short preset uses in any fold and the unusable ones, which the pack names; None for all."""
    if preset.tiles_per_part is None:
        return None
    found = survey()
    tile_ids = set(found.unusable)
    if not found.tiles:  # the pack says why
        return sorted(tile_ids)
    for name in list_folds(settings.split, group_by_region(found.tiles)):
        tile_ids.update(pick_tiles(name, preset.tiles_per_part, found.tiles, root / PACKS) or ())
    return sorted(tile_ids)


def describe_events(pack: Pack, given: dict[str, str]) -> list[str]:
    """Describe the time of each region's event and where it comes from, one sentence per region.

    Args:
        pack: The packed tiles.
        given: Times by region that the user gave.
    """
    regions = np.array(pack.regions)
    return [
        f"Event of {region}: {_format_times(pack.events[regions == region])} UTC, from "
        f"{_name_source(region, pack.own_events[regions == region], given)}."
        for region in sorted(set(pack.regions))
    ]


def _format_times(events: np.ndarray) -> str:
    times = np.unique(events)
    if len(times) == 1:
        return str(times[0])
    return f"{len(times)} times from {times[0]} to {times[-1]}"


def _name_source(region: str, own: np.ndarray, given: dict[str, str]) -> str:
    """Return the source of a region's times; *own* are those of the files' ``event_date``, NaT without one."""
    if region in given:
        return "--event"
    silent, known = int(np.isnat(own).sum()), read_regions().get(region)
    dated = f"event_date of {len(own) - silent} tiles"
    if not silent:
        return dated
    catalogue = known is not None and known.event is not None
    if silent == len(own):
        return "the catalogue"
    other = "the catalogue" if catalogue else "the most frequent event_date"
    return f"{dated} and, for the {silent} tiles without one, {other}"
