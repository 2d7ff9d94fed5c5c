"""The table of an audit, and what it leaves out."""

from collections.abc import Iterator, Sequence

from data.io.errors import list_first
from data.splits.audit import Audit
from data.splits.grid import group_by_region
from data.splits.leakage import PartStatistics, SplitStatistics, compute_part_statistics
from data.splits.split_file import BUFFER, PARTS, SUFFIXES
from data.tiles.manifest import describe_origin

_LABEL = 20  # characters of a row's label
_COLUMNS = (
    f"{'':{_LABEL + 2}}{'tiles':>7}{'with landslides':>17}{'positive px':>13}{'share':>9}{'ratio':>7}"
    f"{'touch train: edge':>19}{'edge or corner':>16}"
)
_LISTED = 20  # tile ids in a line


def format_audit(audit: Audit) -> str:
    """Return the audit as a text table, with rows per region if there are several."""
    tiles = audit.survey.tiles
    regions = group_by_region(tiles)
    head = f"Data: {describe_origin(audit.synthetic)} tiles in {audit.root}."
    lines = [head, "", _COLUMNS, _format_row("all", compute_part_statistics(tiles, tiles))]
    if len(regions) > 1:
        for region, group in regions.items():
            lines.append(_format_row(f"  {region}", compute_part_statistics(group, group)))
    for name, splits in audit.splits.items():
        for split in splits:
            lines += ["", *_format_split(name, split)]
    for name, reason in audit.impossible.items():
        lines += ["", f"{name}  not possible: {reason}"]
    return "\n".join([*lines, "", *_format_skipped(audit)])


def _format_split(name: str, statistics: SplitStatistics) -> Iterator[str]:
    split = statistics.split
    file = f" = {name}" if name.endswith(SUFFIXES) else ""
    counts = ", ".join(
        f"{len(getattr(split, group)) or 'none'} {word}"
        for group, word in ((BUFFER, "in the buffer"), ("missing", "missing"), ("unused", "unused"))
    )
    yield f"{split.name}{file}  hash {split.hash}, {counts}"
    for part in PARTS:
        yield from _format_part(part, statistics)
    if split.buffer:
        yield f"  {BUFFER:{_LABEL}}{len(split.buffer):>7}  {_list_ids(split.buffer)}"
    if empty := [part for part in PARTS if not split.part(part)]:
        yield f"  not usable with this folder: no tile in {' and '.join(empty)}"


def _format_part(part: str, statistics: SplitStatistics) -> Iterator[str]:
    """Yield the row of a part, and its rows by region if the folder holds several."""
    touching = "".join(
        f"{len(touching[part]) if part in touching else '-':>{width}}"
        for touching, width in ((statistics.touching_by_edge, 19), (statistics.touching, 16))
    )
    yield _format_row(part, statistics.parts[part], touching)
    if len(statistics.regions) > 1:
        for region, parts in statistics.regions.items():
            if parts[part].tiles:
                yield _format_row(f"  {region}", parts[part])


def _format_row(label: str, part: PartStatistics, touching: str = "") -> str:
    share = "-" if part.share is None else f"{100 * part.share:.2f} %"
    ratio = "-" if part.ratio is None else f"{part.ratio:.2f}"
    counts = f"{part.tiles:>7}{part.with_landslides:>17}{part.positive_px:>13,}"
    return f"  {label:{_LABEL}}{counts}{share:>9}{ratio:>7}{touching}"


def _format_skipped(audit: Audit) -> Iterator[str]:
    survey = audit.survey
    if audit.others:
        others = ", ".join(f"{region} ({count})" for region, count in audit.others.items())
        yield f"Other regions, not audited (--region all): {others}"
    if survey.unpaired:
        yield f"Skipped, one orbit direction only: {_list_ids(survey.unpaired)}"
    for tile, reason in survey.unusable.items():
        yield f"Skipped, unusable: {tile}: {reason}"


def _list_ids(ids: Sequence[str]) -> str:
    return list_first(ids, _LISTED)
