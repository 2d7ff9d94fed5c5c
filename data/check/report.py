"""Records of a folder's check, which serialise to JSON."""

from collections.abc import Sequence
from dataclasses import dataclass

from data.check.leak import LeakAudit
from data.tiles.rules import TileWarning

USABLE, SUSPICIOUS, UNUSABLE = STATES = ("usable", "suspicious", "unusable")


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
        event: Day of the event from the file's ``event_date``; empty without one.
        synthetic: Whether the file says that it is the synthetic twin's.
        days: Day of each acquisition.
        corner: West and north of the tile in m.
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
    event: str = ""
    synthetic: bool = False
    days: tuple[str, ...] = ()
    corner: tuple[float, float] = (0.0, 0.0)


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
        synthetic: Whether the tiles are synthetic, which the files and the manifest say; None if there is neither a
            usable file nor a manifest.
        manifest: Whether the folder has a manifest.
        units: Unit that all Sentinel-1 files must have; empty if there are none.
        modalities: The folder's modalities.
        regions: Number of tiles of each region that was checked.
        files: One report per file, sorted by path.
        tiles: One report per tile, sorted by id.
        ignored: Files in the subfolders that are not NetCDF files.
        leaks: Whether the dates of all acquisitions tell annotated tiles from others, by region.
    """

    root: str
    synthetic: bool | None
    manifest: bool
    units: str
    modalities: tuple[str, ...]
    regions: dict[str, int]
    files: tuple[FileReport, ...]
    tiles: tuple[TileReport, ...]
    ignored: tuple[str, ...] = ()
    leaks: tuple[LeakAudit, ...] = ()

    @property
    def unusable(self) -> list[FileReport | TileReport]:
        """The reports of unusable files, then of unusable tiles."""
        reports: list[FileReport | TileReport] = [*self.files, *self.tiles]
        return [report for report in reports if report.state == UNUSABLE]


def classify(verdict: str, warnings: Sequence[TileWarning]) -> str:
    """Return the state of a file or tile with this verdict and these warnings."""
    return UNUSABLE if verdict else SUSPICIOUS if warnings else USABLE
