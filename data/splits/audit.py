"""The audit of splits: how large and how rich each part is, and which tiles touch which.

Neighbouring tiles share terrain, weather and landslides across their edge, so a test tile that touches
a train tile measures memory as well as skill. Place and label of each tile come from its file.

    python -m data.splits PATH [--split NAME_OR_FILE ...] [--map FILE.png] [--json]

The default is all named splits and ``blocks:5``. The exit code is 1 where a tile could not be used.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.splits.leakage import (
    PartMeasure,
    SplitMeasure,
    Surveyed,
    measure_part,
    measure_split,
    survey_folder,
)
from data.splits.split import SPLITS, fold_names, list_parts, restrict
from data.splits.split_file import BUFFER, PARTS, SUFFIXES, hash_parts, read_split_file
from data.splits.split_map import FOLD_COLOURS, PART_COLOURS, Group, Panel, draw_map
from data.tiles.manifest import describe_origin, read_manifest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEFAULT_SPLITS = (*SPLITS, "blocks:5")
DEFAULT_MAP = Path("mlruns/splits.png")

_COLUMNS = (
    f"{'':10}{'tiles':>7}{'with landslides':>17}{'positive px':>13}{'share':>9}{'ratio':>7}"
    f"{'touch train: edge':>19}{'edge or corner':>16}"
)

Parts = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Audit:
    """All that the audit found.

    Attributes:
        root: The folder of tiles.
        synthetic: Whether the tiles are the twin's.
        found: The folder's tiles.
        splits: Measures of every split, by what was asked for: one, or one per fold.
    """

    root: Path
    synthetic: bool
    found: Surveyed
    splits: dict[str, list[SplitMeasure]]


def audit_splits(root: Path, names: Sequence[str], *, progress: bool = False) -> Audit:
    """Audit splits on the tiles of a folder.

    Args:
        root: Folder that holds ``s1asc/`` and ``s1dsc/``, one of them, or else ``s2/``.
        names: Names as in :func:`data.splits.make_split`, cross-validations such as ``blocks:5``, and
            files as in :func:`data.splits.store_split`.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The audit. A part without any tile at hand is measured as empty.

    Raises:
        ValueError: If a name is unknown, or a file is no split.
        FileNotFoundError: If the folder holds no tiles.
    """
    asked = {name: _list_splits(name) for name in names}
    synthetic = read_manifest(root, "dB").synthetic  # the unit does not matter here
    found = survey_folder(root, progress=progress)
    splits = {
        name: [measure_split(restrict(*named, found.tiles), found.tiles) for named in some]
        for name, some in asked.items()
    }
    return Audit(root, synthetic, found, splits)


def _list_splits(name: str) -> list[tuple[str, Parts]]:
    """List name and parts of one split, or of each fold of a cross-validation."""
    if name.endswith(SUFFIXES):
        parts = read_split_file(Path(name))
        return [(f"file:{hash_parts(parts)}", parts)]
    is_fold = name.startswith("blocks:") and "/" not in name
    return [(each, list_parts(each)) for each in (fold_names(name) if is_fold else (name,))]


def as_table(audit: Audit) -> str:
    """Write the audit for people."""
    whole = measure_part(audit.found.tiles, audit.found.tiles)
    head = f"Data: {describe_origin(audit.synthetic)} tiles in {audit.root}."
    lines = [head, "", _COLUMNS, _row("all", whole)]
    for name, measures in audit.splits.items():
        for measure in measures:
            lines += ["", *_describe(name, measure)]
    return "\n".join([*lines, "", *_left_out(audit.found)])


def _describe(asked: str, measure: SplitMeasure) -> Iterator[str]:
    split = measure.split
    file = f" = {asked}" if asked.endswith(SUFFIXES) else ""
    counts = ", ".join(
        f"{len(getattr(split, rest)) or 'none'} {word}"
        for rest, word in ((BUFFER, "set aside"), ("missing", "missing"), ("unused", "unused"))
    )
    yield f"{split.name}{file}  hash {split.hash}, {counts}"
    for part in PARTS:
        touching = "".join(
            f"{len(found[part]) if part in found else '-':>{width}}"
            for found, width in ((measure.by_edge, 19), (measure.by_any, 16))
        )
        yield _row(part, measure.parts[part], touching)
    if split.buffer:
        yield f"  {BUFFER:8}{len(split.buffer):>7}  {', '.join(split.buffer)}"
    if empty := [part for part in PARTS if not split.part(part)]:
        yield f"  cannot be used here: no tile for {' and '.join(empty)}"


def _row(label: str, part: PartMeasure, touching: str = "") -> str:
    share = "-" if part.share is None else f"{100 * part.share:.2f} %"
    ratio = "-" if part.ratio is None else f"{part.ratio:.2f}"
    counts = f"{part.tiles:>7}{part.with_landslides:>17}{part.positive_px:>13,}"
    return f"  {label:8}{counts}{share:>9}{ratio:>7}{touching}"


def _left_out(found: Surveyed) -> Iterator[str]:
    if found.unpaired:
        yield f"Left out, one orbit direction only: {', '.join(found.unpaired)}"
    for tile, reason in found.unusable.items():
        yield f"Left out, unusable: {tile}: {reason}"


def as_document(audit: Audit) -> dict[str, Any]:
    """Write the audit for programs: what JSON holds."""
    measures = [measure for some in audit.splits.values() for measure in some]
    return {
        "tiles": str(audit.root),
        "synthetic": audit.synthetic,
        "all": asdict(measure_part(audit.found.tiles, audit.found.tiles)),
        "unusable": audit.found.unusable,
        "unpaired": audit.found.unpaired,
        "splits": [
            {
                "name": measure.split.name,
                "hash": measure.split.hash,
                "parts": {part: asdict(found) for part, found in measure.parts.items()},
                "touching_train_by_edge": measure.by_edge,
                "touching_train_by_edge_or_corner": measure.by_any,
                "buffer": measure.split.buffer,
                "missing": measure.split.missing,
                "unused": measure.split.unused,
            }
            for measure in measures
        ],
    }


def draw_audit(audit: Audit) -> "Figure":
    """Draw a map with a panel per split, or per cross-validation."""
    title = f"Which tiles train, validate and test: {describe_origin(audit.synthetic)} tiles"
    panels = [_make_panel(name, measures) for name, measures in audit.splits.items()]
    return draw_map(title, panels, audit.found.tiles)


def _make_panel(asked: str, measures: Sequence[SplitMeasure]) -> Panel:
    tests = sum(measure.parts["test"].tiles for measure in measures)
    by_edge = sum(len(measure.by_edge["test"]) for measure in measures)
    outlined = tuple(tile for measure in measures for tile in measure.by_any["test"])
    touching = f"{len(outlined)} of {tests} test tiles touch train"
    if outlined:
        touching += f": {by_edge} by an edge, {len(outlined) - by_edge} by a corner alone"
    first = measures[0].split
    if len(measures) == 1:
        return Panel(f"{first.name} ({first.hash})", touching, _group_parts(measures[0]), outlined)
    return Panel(
        f"{asked}: the test tiles of each fold", touching, _group_folds(measures), outlined
    )


def _group_parts(measure: SplitMeasure) -> tuple[Group, ...]:
    split = measure.split
    parts = [
        (f"{part}: {found.tiles} tiles, {found.with_landslides} with slides", part)
        for part, found in measure.parts.items()
    ]
    rests = [(f"{rest}: {len(getattr(split, rest))} tiles", rest) for rest in (BUFFER, "unused")]
    groups = [Group(label, PART_COLOURS[of], getattr(split, of)) for label, of in parts + rests]
    return tuple(group for group in groups if group.tile_ids)


def _group_folds(measures: Sequence[SplitMeasure]) -> tuple[Group, ...]:
    return tuple(
        Group(f"fold {fold}: {len(each.split.test)} tiles", colour, each.split.test, str(fold))
        for fold, (each, colour) in enumerate(zip(measures, FOLD_COLOURS, strict=False), start=1)
    )


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m data.splits", description="Audit splits on a folder of tiles."
    )
    parser.add_argument("tiles", type=Path, metavar="PATH", help="folder with s1asc/ and s1dsc/")
    parser.add_argument(
        "--split",
        nargs="+",
        default=list(DEFAULT_SPLITS),
        metavar="NAME_OR_FILE",
        help="names, blocks:K for all folds, .json or .csv; default: " + " ".join(DEFAULT_SPLITS),
    )
    parser.add_argument(
        "--map", type=Path, default=DEFAULT_MAP, metavar="FILE.png", help="default: %(default)s"
    )
    parser.add_argument("--json", action="store_true", help="write one JSON document instead")
    args = parser.parse_args(argv)
    if args.map.suffix != ".png":
        parser.error(f"A map must end in .png, but got {args.map}.")
    return args


def _is_terminal() -> bool:
    """Tell whether someone watches the progress bar."""
    return sys.stderr.isatty()
