"""The audit of splits: size and landslide share of each part, and the tiles that touch a train tile.

Neighbouring tiles share terrain, weather and landslides across their edge, so a test tile that touches a train tile
measures memory as well as skill. The position and label of each tile are read from its file.

    python -m data.splits PATH [--region NAME ... | all] [--split NAME_OR_FILE ...] [--map FILE.png] [--json]
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from data.io.digests import hash_parts
from data.splits.grid import group_by_region
from data.splits.leakage import (
    FolderSurvey,
    PartStatistics,
    SplitStatistics,
    compute_part_statistics,
    compute_split_statistics,
    survey_folder,
)
from data.splits.names import HOKKAIDO_SPLITS, check_splits, list_folds
from data.splits.split import list_parts, restrict_split
from data.splits.split_file import SUFFIXES, read_split_file
from data.tiles import TileSurvey
from data.tiles.catalogue import CATALOGUE_REGION
from data.tiles.manifest import are_synthetic, read_manifest
from data.tiles.paths import list_regions
from data.tiles.regions import ALL_REGIONS, DEFAULT_REGION, choose_regions


@dataclass(frozen=True)
class Audit:
    """The audit of several splits on one folder.

    Attributes:
        root: The folder of tiles.
        synthetic: Whether the tiles are the synthetic twin's.
        survey: The folder's tiles.
        splits: Statistics by requested name: of one split, or of each fold of a cross-validation.
        impossible: Why the tiles cannot be split so, by name; only of splits that nobody asked for.
        others: Tiles of regions that are not audited, by region.
    """

    root: Path
    synthetic: bool
    survey: FolderSurvey
    splits: dict[str, list[SplitStatistics]]
    impossible: dict[str, str] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)


def audit_splits(
    root: Path,
    names: Sequence[str] | None = None,
    regions: Sequence[str] | None = None,
    *,
    progress: bool = False,
) -> Audit:
    """Audit splits on the tiles of a folder.

    Args:
        root: Folder that holds ``s1asc/`` and ``s1dsc/``, one of them, or else ``s2/``.
        names: Names as in :func:`data.splits.make_split`, cross-validations such as ``blocks:5`` or ``events``, and
            files as in :func:`data.splits.store_split`. By default those that the regions can have.
        regions: Names of regions, or ``all``; by default Hokkaido if the folder has it, else all.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The audit. A part without any tile in the folder has the statistics of an empty part.

    Raises:
        ValueError: If a name is unknown, a file is not a split, or the tiles cannot be split so.
        TileError: If some tiles are synthetic and others real.
        FileNotFoundError: If the folder holds no tiles.
    """
    for name in names or ():
        if not name.endswith(SUFFIXES):
            check_splits(name)
    source = read_manifest(root, "dB")  # the unit does not matter here
    counts = list_regions(root)
    if regions is None:
        regions = [DEFAULT_REGION] if DEFAULT_REGION in counts else [ALL_REGIONS]
    chosen = choose_regions(regions, counts)
    survey = survey_folder(root, chosen or None, progress=progress)
    synthetic = are_synthetic(survey.tiles) or source.synthetic
    others = {region: count for region, count in counts.items() if region not in chosen}
    return replace(audit_survey(root, survey, names, synthetic=synthetic), others=others)


def audit_survey(
    root: Path, survey: FolderSurvey, names: Sequence[str] | None = None, *, synthetic: bool
) -> Audit:
    """Audit splits of tiles that have been surveyed; see :func:`audit_splits`."""
    splits: dict[str, list[SplitStatistics]] = {}
    impossible = {}
    for name in names or _list_defaults(group_by_region(survey.tiles)):
        try:
            splits[name] = _audit_split(name, survey.tiles)
        except ValueError as error:
            if names:
                raise
            impossible[name] = str(error)
    return Audit(root, synthetic, survey, splits, impossible)


def _list_defaults(regions: Collection[str]) -> tuple[str, ...]:
    """Return the splits that the tiles of some regions can have."""
    published = HOKKAIDO_SPLITS if CATALOGUE_REGION in regions else ()
    return ("blocks", *published, "blocks:5", *(["events"] if len(regions) > 1 else []))


def _audit_split(name: str, tiles: Mapping[str, TileSurvey]) -> list[SplitStatistics]:
    """Return the statistics of one split, or of each fold of a cross-validation."""
    if name.endswith(SUFFIXES):
        parts = read_split_file(Path(name))
        pairs: list[tuple[str, Mapping[str, Sequence[str]]]]
        pairs = [(f"file:{hash_parts(parts)}", parts)]
    else:
        folds = list_folds(name, group_by_region(tiles))
        pairs = [(fold, list_parts(fold, tiles)) for fold in folds]
    return [
        compute_split_statistics(restrict_split(split, parts, tiles), tiles)
        for split, parts in pairs
    ]


def audit_to_dict(audit: Audit) -> dict[str, Any]:
    """Return the audit as a dictionary that JSON can hold."""
    survey = audit.survey
    return {
        "tiles": str(audit.root),
        "synthetic": audit.synthetic,
        "all": asdict(compute_part_statistics(survey.tiles, survey.tiles)),
        "unusable": survey.unusable,
        "unpaired": survey.unpaired,
        "other_regions": audit.others,
        "impossible": audit.impossible,
        "splits": [
            {
                "name": statistics.split.name,
                "hash": statistics.split.hash,
                "parts": _parts_to_dict(statistics.parts),
                "regions": {
                    region: _parts_to_dict(parts) for region, parts in statistics.regions.items()
                },
                "touching_train_by_edge": statistics.touching_by_edge,
                "touching_train_by_edge_or_corner": statistics.touching,
                "buffer": statistics.split.buffer,
                "missing": statistics.split.missing,
                "unused": statistics.split.unused,
            }
            for splits in audit.splits.values()
            for statistics in splits
        ],
    }


def _parts_to_dict(parts: Mapping[str, PartStatistics]) -> dict[str, dict[str, Any]]:
    return {name: asdict(part) for name, part in parts.items()}
