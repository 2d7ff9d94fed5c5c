"""A pack in memory: the arrays of all tiles, memory-mapped, and what is known about each tile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from data.pack.channels import CHANNELS, MAPS, select_steps
from data.pack.tile_row import TileRow
from data.tiles import TileSurvey, Units
from data.tiles.paths import region_of


@dataclass(frozen=True)
class Pack:
    """Memory-mapped arrays of N tiles.

    Attributes:
        path: The pack's folder.
        hash: Twelve hex digits of the hash of all tile files and of the tiles that were left out.
        synthetic: Whether the tiles are the synthetic twin's.
        seed: The twin's seed; None for other tiles.
        tile_ids: The N ids in the order of the arrays.
        digests: Hash of each tile's files by id, including excluded tiles.
        excluded: Reason for each unusable tile, by id.
        suspicious: Warnings about tiles that are used, by id.
        bands: Per modality, shape ``(N, T, C, H, W)``, float16, C as in ``data.tiles.BANDS``: backscatter in
            dB, or Sentinel-2's stored reflectance numbers; NaN = no data.
        mask: 1 = landslide, shape ``(N, H, W)``, uint8.
        dem: Height in m, shape ``(N, H, W)``, int16; -9999 = no data.
        slope: Steepness in degrees, shape ``(N, H, W)``, float16; NaN = no data.
        times: Acquisition times, shape ``(N, modalities, T)``, datetime64[s].
        moments: Count, sum and sum of squares per channel, shape ``(N, channels, 3)``.
        events: Time of each tile's event in UTC, shape ``(N,)``, datetime64[s].
        own_events: The same from the files' ``event_date`` alone; NaT without one.
        corners: West and north of each tile's upper left corner in m, shape ``(N, 2)``.
        crs: Coordinate system of each tile, such as ``EPSG:32654``.
        event_free: Whether the events are pretended, of `data.pack.placebo`.
        inputs: Hash of what the pack was asked for; `hash` covers what it leaves out, too.
        units: Unit of the backscatter in the tile files; here it is dB.
        sums: Checksums of each tile's arrays by id and name, of `data.pack.integrity`; empty for pretended series.
    """

    path: Path
    hash: str
    synthetic: bool
    seed: int | None
    tile_ids: tuple[str, ...]
    digests: dict[str, str]
    excluded: dict[str, str]
    suspicious: dict[str, list[str]]
    bands: dict[str, np.ndarray]
    mask: np.ndarray
    dem: np.ndarray
    slope: np.ndarray
    times: np.ndarray
    moments: np.ndarray
    events: np.ndarray
    own_events: np.ndarray
    corners: np.ndarray
    crs: tuple[str, ...]
    event_free: bool = False
    inputs: str = ""
    units: Units = "dB"
    sums: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def regions(self) -> tuple[str, ...]:
        """Region of each tile, N names."""
        return tuple(map(region_of, self.tile_ids))

    @property
    def modalities(self) -> tuple[str, ...]:
        """Packed modalities."""
        return tuple(self.bands)

    @property
    def channels(self) -> tuple[str, ...]:
        """Available channels, in the order of ``moments``."""
        return list_channels(self.modalities)

    def select_steps(self, steps: str, timesteps: int) -> np.ndarray:
        """Return the acquisitions that a network reads of each tile, as :func:`data.pack.channels.select_steps` does.

        Series with pretended events have no dates in common: for ``common`` they are read as for ``event``.

        Returns:
            Ascending indices, shape ``(N, modalities, timesteps)``, int64.
        """
        steps = "event" if self.event_free and steps == "common" else steps
        regions = self.regions if steps == "common" else ()
        return select_steps(self.times, steps, timesteps, self.events, self.modalities, regions)

    def rows(self, tile_ids: Sequence[str]) -> np.ndarray:
        """Return the array rows of *tile_ids*, in their order."""
        rows = {tile: row for row, tile in enumerate(self.tile_ids)}
        return np.array([rows[tile] for tile in tile_ids], dtype=np.int64)

    def tile_row(self, tile_id: str) -> TileRow:
        """Return one tile; its arrays are views of the pack's."""
        row = self.tile_ids.index(tile_id)
        return TileRow(
            bands={modality: values[row] for modality, values in self.bands.items()},
            mask=self.mask[row],
            dem=self.dem[row],
            slope=self.slope[row],
            times=self.times[row],
            moments=self.moments[row],
            event=self.own_events[row],
            corner=self.corners[row],
            crs=self.crs[row],
            synthetic=self.synthetic,
            warnings=tuple(self.suspicious.get(tile_id, ())),
        )

    def surveys(self) -> dict[str, TileSurvey]:
        """Return position, label and event of each tile by id."""
        landslide_px = self.mask.sum(axis=(1, 2), dtype=np.int64)
        return {
            tile: TileSurvey(
                tile_id=tile,
                west_m=float(self.corners[row, 0]),
                north_m=float(self.corners[row, 1]),
                annotated_px=int(landslide_px[row]),
                crs=self.crs[row],
                event=self.events[row],
                synthetic=self.synthetic,
            )
            for row, tile in enumerate(self.tile_ids)
        }


def list_channels(modalities: Sequence[str]) -> tuple[str, ...]:
    """Return the channels of some modalities, including height and slope."""
    return tuple(name for name in CHANNELS if name in MAPS or name.split(":")[0] in modalities)
