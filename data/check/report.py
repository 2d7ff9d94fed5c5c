"""Records of a folder's check, which serialise to JSON, and their text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import fill

from data.tiles.manifest import describe_origin
from data.tiles.rules import DIMS, MODALITIES, TileWarning

USABLE, SUSPICIOUS, UNUSABLE = STATES = ("usable", "suspicious", "unusable")
_WIDTH = 100


@dataclass(frozen=True)
class Facts:
    """The content of a usable file.

    Attributes:
        dims: Names of the dimensions in the file's order.
        shape: Their sizes.
        dates: Number of acquisitions.
        first: Day of the first acquisition, such as ``2018-03-29``.
        last: Day of the last acquisition.
        units: ``dB`` or ``linear``, guessed from the values; empty for Sentinel-2.
        nodata_share: Share of band values without data, from 0 to 1.
        mask_share: Share of landslide pixels, from 0 to 1.
        crs: Such as ``EPSG:32654``.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dates: int
    first: str
    last: str
    units: str
    nodata_share: float
    mask_share: float
    crs: str


@dataclass(frozen=True)
class FileReport:
    """The result for one file.

    Attributes:
        path: Relative to the folder, such as ``s1asc/hokkaido_s1asc_579.nc``.
        modality: The subfolder it is in.
        tile_id: Such as ``hokkaido_579``; empty if the file name has none.
        state: ``usable``, ``suspicious`` (usable, with warnings) or ``unusable``.
        verdict: Short name of the broken rule; empty unless unusable.
        reason: The error message; empty unless unusable.
        warnings: What is suspicious.
        facts: None if the file is unusable.
    """

    path: str
    modality: str
    tile_id: str
    state: str
    verdict: str = ""
    reason: str = ""
    warnings: tuple[TileWarning, ...] = ()
    facts: Facts | None = None


@dataclass(frozen=True)
class TileReport:
    """The result for one tile across its files; fields as in :class:`FileReport`."""

    tile_id: str
    modalities: tuple[str, ...]
    state: str
    verdict: str = ""
    reason: str = ""
    warnings: tuple[TileWarning, ...] = ()


@dataclass(frozen=True)
class FolderReport:
    """The result for a folder.

    Attributes:
        root: The folder.
        synthetic: Whether the folder's manifest says that the tiles are synthetic; None without a manifest.
        units: Unit that all Sentinel-1 files must have; empty if there are none.
        modalities: The folder's modalities.
        files: One report per file, sorted by path.
        tiles: One report per tile, sorted by id.
        ignored: Files in the subfolders that are not NetCDF files.
    """

    root: str
    synthetic: bool | None
    units: str
    modalities: tuple[str, ...]
    files: tuple[FileReport, ...]
    tiles: tuple[TileReport, ...]
    ignored: tuple[str, ...] = ()

    @property
    def unusable(self) -> list[FileReport | TileReport]:
        """The reports of unusable files, then of unusable tiles."""
        reports: list[FileReport | TileReport] = [*self.files, *self.tiles]
        return [report for report in reports if report.state == UNUSABLE]


def classify(verdict: str, warnings: Sequence[TileWarning]) -> str:
    """Return the state of a file or tile with this verdict and these warnings."""
    return UNUSABLE if verdict else SUSPICIOUS if warnings else USABLE


def format_report(report: FolderReport) -> str:
    """Return a report as text: a table, the warnings by name, and each unusable file with its reason."""
    note = ", without a manifest" if report.synthetic is None else ""
    kind = describe_origin(bool(report.synthetic))
    head = f"Data: {kind} tiles in {report.root}{note}: {_count(len(report.tiles), 'tile')}."
    blocks = [head, _format_table(report), *_format_warnings(report), *_format_unusable(report)]
    if report.ignored:
        blocks.append(_wrap("ignored, not .nc: ", report.ignored))
    totals = [
        f"{_count(len(report.files), 'file')}: {_count_states(report.files)}.",
        f"{_count(len(report.tiles), 'tile')} across their files: {_count_states(report.tiles)}.",
    ]
    return "\n\n".join([*blocks, "\n".join(totals)])


def _count_states(reports: Sequence[FileReport | TileReport]) -> str:
    states = [report.state for report in reports]
    return ", ".join(f"{states.count(state)} {state}" for state in STATES)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _format_table(report: FolderReport) -> str:
    dims = f"({', '.join(DIMS)})"
    rows = [["modality", "files", *STATES, dims, "dates", "unit", "nodata", "mask", "crs"]]
    for modality in (name for name in MODALITIES if name in report.modalities):
        files = [file for file in report.files if file.modality == modality]
        states = [file.state for file in files]
        counts = [str(len(files)), *(str(states.count(state)) for state in STATES)]
        facts = [file.facts for file in files if file.facts]
        rows.append([modality, *counts, *_format_facts(facts)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


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


def _join(values: Iterable[str]) -> str:
    return " or ".join(sorted(set(values)))


def _format_warnings(report: FolderReport) -> list[str]:
    """Group warnings by name: how many there are, the first as an example, and the tiles they are about."""
    groups: dict[str, list[tuple[str, str, str]]] = {}
    subjects = [(file.path, file) for file in report.files] + [(t.tile_id, t) for t in report.tiles]
    for place, subject in subjects:
        for warning in subject.warnings:
            entry = (place, subject.tile_id or place, warning.text)
            groups.setdefault(warning.name, []).append(entry)
    return [_format_group(name, entries) for name, entries in sorted(groups.items())]


def _format_group(name: str, entries: Sequence[tuple[str, str, str]]) -> str:
    place, _, text = entries[0]
    title = f"suspicious: {name} ({len(entries)})"
    example = fill(f"e.g. {place}: {text}", _WIDTH, initial_indent="  ", subsequent_indent="  ")
    return "\n".join([title, example, _wrap("  ", sorted({tile for _, tile, _ in entries}))])


def _wrap(start: str, names: Iterable[str]) -> str:
    indent = " " * (len(start) - len(start.lstrip()))
    return fill(start + ", ".join(names), _WIDTH, subsequent_indent=indent, break_long_words=False)


def _format_unusable(report: FolderReport) -> list[str]:
    return [
        f"unusable: {item.path if isinstance(item, FileReport) else item.tile_id} ({item.verdict})\n"
        f"  {item.reason}"
        for item in report.unusable
    ]
