"""The map of an audit: one panel per split, region and coordinate system."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from data.splits.audit import Audit
from data.splits.grid import group_by_region
from data.splits.leakage import SplitStatistics, compute_part_statistics
from data.splits.names import parse_event
from data.splits.split import Split
from data.splits.split_file import BUFFER, PARTS
from data.splits.split_map import FOLD_COLOURS, PART_COLOURS, Panel, TileGroup, draw_map
from data.tiles import TileSurvey
from data.tiles.manifest import describe_origin

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Tiles = Mapping[str, TileSurvey]


def draw_audit(audit: Audit) -> "Figure":
    """Draw a map with one panel per split or cross-validation, region and coordinate system."""
    title = f"Splits of {describe_origin(audit.synthetic)} tiles"
    facets = list(_list_facets(audit.survey.tiles)) or [("", {})]
    panels = [
        panel
        for name, splits in audit.splits.items()
        for region, tiles in facets
        for panel in _make_panels(name, splits, region, tiles)
    ]
    return draw_map(title, panels, audit.survey.tiles)


def _list_facets(tiles: Tiles) -> Iterator[tuple[str, dict[str, TileSurvey]]]:
    """Yield the region and the tiles of each map; the region's name is empty if there is one only."""
    regions = group_by_region(tiles)
    for region, group in regions.items():
        for crs in sorted({tile.crs for tile in group.values()}):
            there = {tile_id: tile for tile_id, tile in group.items() if tile.crs == crs}
            yield region if len(regions) > 1 else "", there


def _make_panels(
    name: str, splits: Sequence[SplitStatistics], region: str, tiles: Tiles
) -> Iterator[Panel]:
    """Yield the panel of a split or cross-validation in one facet; none if the split has no tile there."""
    if len(splits) > 1:
        events = [parse_event(statistics.split.name) for statistics in splits]
        here = [s for s, event in zip(splits, events, strict=True) if event and event[0] == region]
        splits = here or splits  # of a cross-validation across events, the fold that tests here
    tests = [tile for s in splits for tile in s.split.test if tile in tiles]
    by_edge, outlined = (
        tuple(tile for touching in group for tile in touching["test"] if tile in tiles)
        for group in ([s.touching_by_edge for s in splits], [s.touching for s in splits])
    )
    subtitle = (
        f"{len(outlined)} of {len(tests)} test tiles touch train" if tests else "no test tile"
    )
    if outlined:
        corners = len(outlined) - len(by_edge)
        subtitle += f": {len(by_edge)} by an edge, {corners} by a corner only"
    if len(splits) == 1:
        split = splits[0].split
        title, groups = f"{split.name} ({split.hash})", _group_by_part(split, tiles)
    else:
        title, groups = f"{name}: test tiles by fold", _group_by_fold(splits, tiles)
    if groups or not tiles:
        yield Panel(f"{region} · {title}" if region else title, subtitle, groups, outlined)


def _group_by_part(split: Split, tiles: Tiles) -> tuple[TileGroup, ...]:
    groups = []
    for name in (*PARTS, BUFFER, "unused"):
        ids = tuple(tile for tile in getattr(split, name) if tile in tiles)
        label = f"{name}: {len(ids)} tiles"
        if name in PARTS:
            label += f", {compute_part_statistics(ids, tiles).with_landslides} with landslides"
        groups.append(TileGroup(label, PART_COLOURS[name], ids))
    return tuple(group for group in groups if group.tile_ids)


def _group_by_fold(splits: Sequence[SplitStatistics], tiles: Tiles) -> tuple[TileGroup, ...]:
    tests = [tuple(tile for tile in s.split.test if tile in tiles) for s in splits]
    return tuple(
        TileGroup(f"fold {fold}: {len(test)} tiles", colour, test, str(fold))
        for fold, (test, colour) in enumerate(zip(tests, FOLD_COLOURS, strict=False), start=1)
        if test
    )
