"""A folder's check as text: tables by modality and by region, then each finding and each broken rule once, with examples."""

from collections.abc import Iterable, Sequence
from textwrap import fill

from data.check.leak_text import describe_audits
from data.check.report import (
    STATES,
    SUSPICIOUS,
    UNUSABLE,
    Facts,
    FileReport,
    FolderReport,
    TileReport,
)
from data.tiles.manifest import describe_origin
from data.tiles.paths import region_of
from data.tiles.rules import DIMS, MODALITIES

EXAMPLES = 3  # names shown of a group of more than ALL_SHOWN
ALL_SHOWN = 12
_WIDTH = 120

_Entry = tuple[str, str, str]  # the file or tile it is about, the tile, the sentence


def format_report(report: FolderReport, *, verbose: bool = False) -> str:
    """Return a report as text.

    Args:
        report: The report.
        verbose: Whether to name every file and its reason, instead of the number and a few examples.
    """
    blocks = [_format_head(report), _format_modalities(report), *_format_regions(report)]
    blocks += _format_groups(SUSPICIOUS, _group_warnings(report), verbose)
    blocks += _format_groups(UNUSABLE, _group_unusable(report), verbose)
    blocks += [_fill(text, "", "  ") for text in describe_audits(report.leaks)]
    if report.ignored:
        blocks.append(_wrap("ignored, not .nc: ", _shorten(report.ignored, verbose)))
    return "\n\n".join([*blocks, _format_totals(report)])


def _format_head(report: FolderReport) -> str:
    kind = "of unknown origin" if report.synthetic is None else describe_origin(report.synthetic)
    regions = list(report.regions)
    where = f"region {regions[0]}" if len(regions) == 1 else f"{len(regions)} regions"
    note = "" if report.manifest else ", without a manifest"
    return f"Data: {kind}, {where}: {_count(len(report.tiles), 'tile')} in {report.root}{note}."


def _format_modalities(report: FolderReport) -> str:
    dims = f"({', '.join(DIMS)})"
    rows = [["modality", "files", *STATES, dims, "dates", "unit", "nodata", "mask", "crs"]]
    for modality in (name for name in MODALITIES if name in report.modalities):
        files = [file for file in report.files if file.modality == modality]
        facts = [file.facts for file in files if file.facts]
        rows.append([modality, f"{len(files):,}", *_count_each(files), *_format_facts(facts)])
    return _align(rows)


def _format_facts(facts: Sequence[Facts]) -> list[str]:
    if not facts:
        return ["-"] * 6
    return [
        _join(f"({', '.join(map(str, fact.shape))})" for fact in facts),
        f"{min(fact.first for fact in facts)} to {max(fact.last for fact in facts)}",
        _join(fact.units or "-" for fact in facts),
        f"{100 * sum(fact.nodata_share for fact in facts) / len(facts):.2f} %",
        f"{100 * sum(fact.mask_share for fact in facts) / len(facts):.2f} %",
        _join(fact.crs for fact in facts),
    ]


def _format_regions(report: FolderReport) -> list[str]:
    """Return a table with one line per region, if there are several."""
    if len(report.regions) < 2:
        return []
    files: dict[str, list[FileReport]] = {name: [] for name in report.regions}
    for file in report.files:
        if file.tile_id:
            files[region_of(file.tile_id)].append(file)
    rows = [["region", "tiles", "files", *STATES, "events"]]
    for name, tiles in report.regions.items():
        events = {file.facts.event for file in files[name] if file.facts and file.facts.event}
        counts = [f"{tiles:,}", f"{len(files[name]):,}", *_count_each(files[name])]
        rows.append([name, *counts, _join(events) if len(events) < 3 else f"{len(events)} days"])
    return [_align(rows)]


def _group_warnings(report: FolderReport) -> dict[str, list[_Entry]]:
    groups: dict[str, list[_Entry]] = {}
    subjects = [(file.path, file) for file in report.files] + [(t.tile_id, t) for t in report.tiles]
    for place, subject in subjects:
        for warning in subject.warnings:
            entry = (f"{place}: ", subject.tile_id or place, warning.text)
            groups.setdefault(warning.name, []).append(entry)
    return groups


def _group_unusable(report: FolderReport) -> dict[str, list[_Entry]]:
    groups: dict[str, list[_Entry]] = {}
    for item in report.unusable:
        place = item.path if isinstance(item, FileReport) else item.tile_id
        groups.setdefault(item.verdict, []).append(("", place, item.reason))
    return groups


def _format_groups(state: str, groups: dict[str, list[_Entry]], verbose: bool) -> list[str]:
    """Return a block per name: how many there are, the first as an example, and what they are about.

    Up to ``EXAMPLES`` reasons of unusable files are all shown; they name their file.
    """
    blocks = []
    for name, entries in sorted(groups.items()):
        every = verbose or (state == UNUSABLE and len(entries) <= EXAMPLES)
        shown = entries if every else entries[:1]
        lines = [f"{state}: {name} ({len(entries):,})"]
        lines += [_indent(f"{'' if every else 'e.g. '}{place}{text}") for place, _, text in shown]
        if not every:
            lines.append(
                _wrap("  ", _shorten(sorted({one for _, one, _ in entries}, key=_by_number)))
            )
        blocks.append("\n".join(lines))
    return blocks


def _format_totals(report: FolderReport) -> str:
    used = {file.tile_id for file in report.files if file.facts}
    tiles = [tile for tile in report.tiles if tile.tile_id in used]
    lines = [f"{_count(len(report.files), 'file')}: {_count_states(report.files)}."]
    if tiles:
        lines.append(f"{_count(len(tiles), 'tile')} across their files: {_count_states(tiles)}.")
    if without := len(report.tiles) - len(tiles):
        lines.append(f"{_count(without, 'tile')} without a usable file.")
    return "\n".join(lines)


def _count_each(reports: Sequence[FileReport | TileReport]) -> list[str]:
    states = [report.state for report in reports]
    return [f"{states.count(state):,}" for state in STATES]


def _count_states(reports: Sequence[FileReport | TileReport]) -> str:
    pairs = zip(_count_each(reports), STATES, strict=True)
    return ", ".join(f"{count} {state}" for count, state in pairs)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _shorten(names: Iterable[str], verbose: bool = False) -> list[str]:
    """Return the names, or of many the first ones and how many more there are."""
    every = list(names)
    if verbose or len(every) <= ALL_SHOWN:
        return every
    return [*every[:EXAMPLES], f"and {len(every) - EXAMPLES:,} more (--verbose names all)"]


def _by_number(name: str) -> tuple[str, int, str]:
    """Sort ``hokkaido_31`` before ``hokkaido_199``."""
    start, _, number = name.removesuffix(".nc").rpartition("_")
    return start, int(number) if number.isdecimal() else -1, name


def _join(values: Iterable[str]) -> str:
    return " or ".join(sorted(set(values)))


def _align(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _indent(text: str) -> str:
    return _fill(text, "  ", "  ")


def _wrap(start: str, names: Iterable[str]) -> str:
    indent = " " * (len(start) - len(start.lstrip()))
    return _fill(start + ", ".join(names).replace(", and ", " and "), "", indent)


def _fill(text: str, first: str, others: str) -> str:
    """Wrap text, but never within a path."""
    return fill(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
