"""The audit of splits: size and landslide share of each part, and the tiles that touch a train tile.

Neighbouring tiles share terrain, weather and landslides across their edge, so a test tile that touches a train tile
measures memory as well as skill. The position and label of each tile are read from its file.

    python -m data.splits PATH [--split NAME_OR_FILE ...] [--map FILE.png] [--json]
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.splits.leakage import (
    FolderSurvey,
    PartStatistics,
    SplitStatistics,
    compute_part_statistics,
    compute_split_statistics,
    survey_folder,
)
from data.splits.split import list_fold_names, list_parts, restrict_split
from data.splits.split_file import BUFFER, PARTS, SUFFIXES, hash_parts, read_split_file
from data.splits.split_map import FOLD_COLOURS, PART_COLOURS, Panel, TileGroup, draw_map
from data.tiles.manifest import describe_origin, read_manifest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = (
    f"{'':10}{'tiles':>7}{'with landslides':>17}{'positive px':>13}{'share':>9}{'ratio':>7}"
    f"{'touch train: edge':>19}{'edge or corner':>16}"
)


@dataclass(frozen=True)
class Audit:
    """The audit of several splits on one folder.

    Attributes:
        root: The folder of tiles.
        synthetic: Whether the tiles are the synthetic twin's.
        survey: The folder's tiles.
        splits: Statistics by requested name: of one split, or of each fold of a cross-validation.
    """

    root: Path
    synthetic: bool
    survey: FolderSurvey
    splits: dict[str, list[SplitStatistics]]


def audit_splits(root: Path, names: Sequence[str], *, progress: bool = False) -> Audit:
    """Audit splits on the tiles of a folder.

    Args:
        root: Folder that holds ``s1asc/`` and ``s1dsc/``, one of them, or else ``s2/``.
        names: Names as in :func:`data.splits.make_split`, cross-validations such as ``blocks:5``, and
            files as in :func:`data.splits.store_split`.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The audit. A part without any tile in the folder has the statistics of an empty part.

    Raises:
        ValueError: If a name is unknown or a file is not a split.
        FileNotFoundError: If the folder holds no tiles.
    """
    requested = {name: _list_splits(name) for name in names}
    synthetic = read_manifest(root, "dB").synthetic  # the unit does not matter here
    survey = survey_folder(root, progress=progress)
    tiles = survey.tiles
    splits = {
        name: [
            compute_split_statistics(restrict_split(split, parts, tiles), tiles)
            for split, parts in pairs
        ]
        for name, pairs in requested.items()
    }
    return Audit(root, synthetic, survey, splits)


def _list_splits(name: str) -> list[tuple[str, Mapping[str, Sequence[str]]]]:
    """Return name and parts of one split, or of each fold of a cross-validation."""
    if name.endswith(SUFFIXES):
        parts = read_split_file(Path(name))
        return [(f"file:{hash_parts(parts)}", parts)]
    is_cross_validation = name.startswith("blocks:") and "/" not in name
    names = list_fold_names(name) if is_cross_validation else (name,)
    return [(split, list_parts(split)) for split in names]


def format_audit(audit: Audit) -> str:
    """Return the audit as a text table."""
    tiles = audit.survey.tiles
    head = f"Data: {describe_origin(audit.synthetic)} tiles in {audit.root}."
    lines = [head, "", _COLUMNS, _format_row("all", compute_part_statistics(tiles, tiles))]
    for name, splits in audit.splits.items():
        for split in splits:
            lines += ["", *_format_split(name, split)]
    return "\n".join([*lines, "", *_format_skipped(audit.survey)])


def _format_split(name: str, statistics: SplitStatistics) -> Iterator[str]:
    split = statistics.split
    file = f" = {name}" if name.endswith(SUFFIXES) else ""
    counts = ", ".join(
        f"{len(getattr(split, group)) or 'none'} {word}"
        for group, word in ((BUFFER, "in the buffer"), ("missing", "missing"), ("unused", "unused"))
    )
    yield f"{split.name}{file}  hash {split.hash}, {counts}"
    for part in PARTS:
        touching = "".join(
            f"{len(touching[part]) if part in touching else '-':>{width}}"
            for touching, width in (
                (statistics.touching_by_edge, 19),
                (statistics.touching, 16),
            )
        )
        yield _format_row(part, statistics.parts[part], touching)
    if split.buffer:
        yield f"  {BUFFER:8}{len(split.buffer):>7}  {', '.join(split.buffer)}"
    if empty := [part for part in PARTS if not split.part(part)]:
        yield f"  not usable with this folder: no tile in {' and '.join(empty)}"


def _format_row(label: str, part: PartStatistics, touching: str = "") -> str:
    share = "-" if part.share is None else f"{100 * part.share:.2f} %"
    ratio = "-" if part.ratio is None else f"{part.ratio:.2f}"
    counts = f"{part.tiles:>7}{part.with_landslides:>17}{part.positive_px:>13,}"
    return f"  {label:8}{counts}{share:>9}{ratio:>7}{touching}"


def _format_skipped(survey: FolderSurvey) -> Iterator[str]:
    if survey.unpaired:
        yield f"Skipped, one orbit direction only: {', '.join(survey.unpaired)}"
    for tile, reason in survey.unusable.items():
        yield f"Skipped, unusable: {tile}: {reason}"


def audit_to_dict(audit: Audit) -> dict[str, Any]:
    """Return the audit as a dictionary that JSON can hold."""
    survey = audit.survey
    return {
        "tiles": str(audit.root),
        "synthetic": audit.synthetic,
        "all": asdict(compute_part_statistics(survey.tiles, survey.tiles)),
        "unusable": survey.unusable,
        "unpaired": survey.unpaired,
        "splits": [
            {
                "name": statistics.split.name,
                "hash": statistics.split.hash,
                "parts": {name: asdict(part) for name, part in statistics.parts.items()},
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


def draw_audit(audit: Audit) -> "Figure":
    """Draw a map with one panel per split or cross-validation."""
    title = f"Splits of {describe_origin(audit.synthetic)} tiles"
    panels = [_make_panel(name, splits) for name, splits in audit.splits.items()]
    return draw_map(title, panels, audit.survey.tiles)


def _make_panel(name: str, splits: Sequence[SplitStatistics]) -> Panel:
    tests = sum(split.parts["test"].tiles for split in splits)
    by_edge = sum(len(split.touching_by_edge["test"]) for split in splits)
    outlined = tuple(tile for split in splits for tile in split.touching["test"])
    subtitle = f"{len(outlined)} of {tests} test tiles touch train"
    if outlined:
        subtitle += f": {by_edge} by an edge, {len(outlined) - by_edge} by a corner only"
    if len(splits) == 1:
        split = splits[0].split
        return Panel(f"{split.name} ({split.hash})", subtitle, _group_by_part(splits[0]), outlined)
    return Panel(f"{name}: test tiles by fold", subtitle, _group_by_fold(splits), outlined)


def _group_by_part(statistics: SplitStatistics) -> tuple[TileGroup, ...]:
    split = statistics.split
    labels = {
        name: f"{name}: {part.tiles} tiles, {part.with_landslides} with landslides"
        for name, part in statistics.parts.items()
    }
    labels |= {name: f"{name}: {len(getattr(split, name))} tiles" for name in (BUFFER, "unused")}
    groups = [
        TileGroup(label, PART_COLOURS[name], getattr(split, name)) for name, label in labels.items()
    ]
    return tuple(group for group in groups if group.tile_ids)


def _group_by_fold(splits: Sequence[SplitStatistics]) -> tuple[TileGroup, ...]:
    tests = [statistics.split.test for statistics in splits]
    return tuple(
        TileGroup(f"fold {fold}: {len(test)} tiles", colour, test, str(fold))
        for fold, (test, colour) in enumerate(zip(tests, FOLD_COLOURS, strict=False), start=1)
    )
