"""What a check of a folder found, as records that serialise to JSON and as text to read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import fill

from data.tiles.manifest import describe_origin
from data.tiles.rules import DIMS, MODALITIES, TileWarning

USABLE, SUSPICIOUS, UNUSABLE = STATES = ("usable", "suspicious", "unusable")
_WIDTH = 100


@dataclass(frozen=True)
class Facts:
    """What a usable file holds.

    Attributes:
        dims: Names of the dimensions in the file's order.
        shape: Their sizes.
        dates: Number of acquisitions.
        first: Day of the first acquisition, such as ``2018-03-29``.
        last: Day of the last one.
        units: ``dB`` or ``linear`` as the values look; empty for Sentinel-2.
        nodata_share: Share of the bands' values without data, from 0 to 1.
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
    """What is known of one file.

    Attributes:
        path: Relative to the folder, such as ``s1asc/hokkaido_s1asc_579.nc``.
        modality: The folder it lies in.
        tile_id: Such as ``hokkaido_579``, empty where the name has none.
        state: ``usable``, ``suspicious`` (usable, with findings) or ``unusable``.
        verdict: Short name of the broken rule, empty unless unusable.
        reason: The whole sentence on it, empty unless unusable.
        findings: What is suspicious.
        facts: None where the file is unusable.
    """

    path: str
    modality: str
    tile_id: str
    state: str
    verdict: str = ""
    reason: str = ""
    findings: tuple[TileWarning, ...] = ()
    facts: Facts | None = None


@dataclass(frozen=True)
class TileReport:
    """What is known of one tile across its files; fields as in :class:`FileReport`."""

    tile_id: str
    modalities: tuple[str, ...]
    state: str
    verdict: str = ""
    reason: str = ""
    findings: tuple[TileWarning, ...] = ()


@dataclass(frozen=True)
class FolderReport:
    """What is known of a folder.

    Attributes:
        root: The folder.
        synthetic: Whether the tiles are the twin's by the folder's manifest; None without one.
        units: Unit that Sentinel-1's files must have; empty where there are none.
        modalities: Those that the folder has.
        files: One report for each file, sorted by path.
        tiles: One report for each tile, sorted by id.
        ignored: Files in the modalities' folders that are no NetCDF files.
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
        """The reports of what cannot be used, files first."""
        reports: list[FileReport | TileReport] = [*self.files, *self.tiles]
        return [report for report in reports if report.state == UNUSABLE]


def classify(verdict: str, findings: Sequence[TileWarning]) -> str:
    """Return the state that a verdict and findings amount to."""
    return UNUSABLE if verdict else SUSPICIOUS if findings else USABLE


def render(report: FolderReport) -> str:
    """Write a report as text: a table, the findings by name, each unusable file with its reason."""
    origin = " without a manifest" if report.synthetic is None else ""
    kind = describe_origin(bool(report.synthetic))
    head = f"Data: {kind} tiles in {report.root}{origin}: {_count(len(report.tiles), 'tile')}."
    parts = [head, _make_table(report), *_list_findings(report), *_list_unusable(report)]
    if report.ignored:
        parts.append(_wrap("Not looked at, no .nc: ", report.ignored))
    totals = [
        f"{_count(len(report.files), 'file')}: {_list_states(report.files)}.",
        f"{_count(len(report.tiles), 'tile')} across their files: {_list_states(report.tiles)}.",
    ]
    return "\n\n".join([*parts, "\n".join(totals)])


def _list_states(reports: Sequence[FileReport | TileReport]) -> str:
    states = [report.state for report in reports]
    return ", ".join(f"{states.count(state)} {state}" for state in STATES)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _make_table(report: FolderReport) -> str:
    names = [
        "modality",
        "files",
        *STATES,
        f"({', '.join(DIMS)})",
        "dates",
        "unit",
        "nodata",
        "mask",
    ]
    rows = [[*names, "crs"]]
    for modality in (name for name in MODALITIES if name in report.modalities):
        files = [file for file in report.files if file.modality == modality]
        states = [file.state for file in files]
        rows.append([modality, str(len(files)), *(str(states.count(state)) for state in STATES)])
        rows[-1] += _describe([file.facts for file in files if file.facts])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def _describe(facts: Sequence[Facts]) -> list[str]:
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


def _list_findings(report: FolderReport) -> list[str]:
    """Group findings by name: how many, the first as an example, and the tiles they are about."""
    groups: dict[str, list[tuple[str, str, str]]] = {}
    about = [(file.path, file) for file in report.files] + [(t.tile_id, t) for t in report.tiles]
    for place, subject in about:
        for found in subject.findings:
            entry = (place, subject.tile_id or place, found.text)
            groups.setdefault(found.name, []).append(entry)
    return [_write_group(name, entries) for name, entries in sorted(groups.items())]


def _write_group(name: str, entries: Sequence[tuple[str, str, str]]) -> str:
    place, _, text = entries[0]
    title = f"suspicious: {name} ({len(entries)})"
    example = fill(f"e.g. {place}: {text}", _WIDTH, initial_indent="  ", subsequent_indent="  ")
    return "\n".join([title, example, _wrap("  ", sorted({tile for _, tile, _ in entries}))])


def _wrap(start: str, names: Iterable[str]) -> str:
    indent = " " * (len(start) - len(start.lstrip()))
    return fill(start + ", ".join(names), _WIDTH, subsequent_indent=indent, break_long_words=False)


def _list_unusable(report: FolderReport) -> list[str]:
    """Write each unusable file or tile with its whole reason."""
    return [
        f"unusable: {one.path if isinstance(one, FileReport) else one.tile_id} ({one.verdict})\n"
        f"  {one.reason}"
        for one in report.unusable
    ]
