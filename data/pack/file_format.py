"""The files of a pack: names, shapes and manifest; memory-mapped for reading, written row by row."""

import json
import math
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np

from data.io.safe_arrays import ArraySpec, read_array
from data.io.safe_json import is_number, is_string_map, read_json, refused_error, show_value
from data.pack.channels import CHANNELS, MAPS
from data.pack.tile_row import TileRow
from data.tiles import ACQUISITIONS, BANDS, MODALITIES, TILE_ID_RULE, TILE_PX, is_tile_id

FORMAT = 4  # increase when the layout of the files changes: older packs are then rebuilt
MANIFEST = "manifest.json"
_MAPS = {"mask.u8": np.uint8, "dem.i16": np.int16, "slope.f16": np.float16}
_TABLES = ("times", "moments")
_HASH = re.compile(r"[0-9a-f]{12}")
_REMEDY = "Delete the pack's folder; the next run builds it again."


@dataclass(frozen=True)
class Pack:
    """Memory-mapped arrays of N tiles.

    Attributes:
        path: The pack's folder.
        hash: Twelve hex digits of the hash of all tile files.
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

    @property
    def modalities(self) -> tuple[str, ...]:
        """Packed modalities."""
        return tuple(self.bands)

    @property
    def channels(self) -> tuple[str, ...]:
        """Available channels, in the order of ``moments``."""
        return list_channels(self.modalities)

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
            warnings=tuple(self.suspicious.get(tile_id, ())),
        )


def list_channels(modalities: Sequence[str]) -> tuple[str, ...]:
    """Return the channels of some modalities, including height and slope."""
    return tuple(name for name in CHANNELS if name in MAPS or name.split(":")[0] in modalities)


def _layout(modalities: Sequence[str]) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Return data type and shape of a row by file name."""
    square = (TILE_PX, TILE_PX)
    bands = {f"{m}.f16": (np.float16, (ACQUISITIONS, len(BANDS[m]), *square)) for m in modalities}
    return bands | {name: (dtype, square) for name, dtype in _MAPS.items()}


def count_bytes(modalities: Sequence[str], tiles: int) -> int:
    """Return the size of a pack's arrays in bytes."""
    rows = _layout(modalities).values()
    return tiles * sum(math.prod(shape) * int(np.dtype(dtype).itemsize) for dtype, shape in rows)


class PackWriter:
    """Context manager that appends rows to the files of a pack's folder."""

    def __init__(self, folder: Path, modalities: Sequence[str]) -> None:
        self.tile_ids: list[str] = []
        self._folder, self._layout, self._stack = folder, _layout(modalities), ExitStack()
        self._files: dict[str, BinaryIO] = {}
        self._tables: dict[str, list[np.ndarray]] = {name: [] for name in _TABLES}

    def __enter__(self) -> Self:
        for name in self._layout:
            self._files[name] = self._stack.enter_context((self._folder / name).open("wb"))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, tile_id: str, row: TileRow) -> None:
        """Append a tile."""
        arrays = {f"{modality}.f16": values for modality, values in row.bands.items()}
        arrays |= {"mask.u8": row.mask, "dem.i16": row.dem, "slope.f16": row.slope}
        for name, (dtype, _) in self._layout.items():
            self._files[name].write(np.ascontiguousarray(arrays[name], dtype).data)
        self._tables["times"].append(row.times)
        self._tables["moments"].append(row.moments)
        self.tile_ids.append(tile_id)

    def finish(self, manifest: dict[str, Any]) -> None:
        """Write the tables and, last, the manifest: a folder without it is not a pack."""
        for name, rows in self._tables.items():
            np.save(self._folder / f"{name}.npy", np.stack(rows))
        content = {"format": FORMAT, "tile_ids": self.tile_ids, **manifest}
        (self._folder / MANIFEST).write_text(json.dumps(content, indent=1))


def load_pack(path: Path) -> Pack:
    """Memory-map a pack's arrays; all processes of a machine share one copy.

    Raises:
        FileNotFoundError: If *path* does not contain a finished pack.
        ValueError: If the pack has another format, its manifest is invalid or larger than 8 MiB, or the size of a
            file does not match the manifest.
    """
    if not (path / MANIFEST).is_file():
        raise FileNotFoundError(
            f"A pack must be a folder with a manifest.json, but got {path}. "
            "Build one with `python -m tuning.run`."
        )
    manifest = read_json(path / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise ValueError(
            f"A pack must have format {FORMAT}, but got {show_value(manifest.get('format'))} in {path}. "
            "Build it again with `python -m tuning.run`."
        )
    _check_manifest(manifest, path)
    count, modalities = len(manifest["tile_ids"]), manifest["modalities"]
    arrays = {
        name: _map(path / name, dtype, (count, *shape))
        for name, (dtype, shape) in _layout(modalities).items()
    }
    return Pack(
        path=path.resolve(),
        tile_ids=tuple(manifest["tile_ids"]),
        bands={modality: arrays[f"{modality}.f16"] for modality in modalities},
        mask=arrays["mask.u8"],
        dem=arrays["dem.i16"],
        slope=arrays["slope.f16"],
        **{name: manifest[name] for name in ("hash", "synthetic", "seed", "digests", "excluded")},
        suspicious=manifest["suspicious"],
        times=read_array(
            path / "times.npy", ArraySpec("datetime64[s]", (count, len(modalities), ACQUISITIONS))
        ),
        moments=read_array(
            path / "moments.npy", ArraySpec("float64", (count, len(list_channels(modalities)), 3))
        ),
    )


def _check_manifest(manifest: dict[str, Any], path: Path) -> None:
    """Check the manifest's values: file names are derived from them, and reports show them."""
    ids, modalities = manifest.get("tile_ids"), manifest.get("modalities")
    if not (isinstance(ids, list) and isinstance(modalities, list) and ids and modalities):
        got = f"{show_value(ids)} and {show_value(modalities)}"
        raise refused_error("A pack's tile_ids and modalities must be lists", got, path, _REMEDY)
    if bad := [tile for tile in ids if not is_tile_id(tile)]:
        raise refused_error(TILE_ID_RULE, show_value(bad[0]), path, _REMEDY)
    if len(set(ids)) < len(ids):
        raise refused_error("A pack must contain each tile once", "one twice", path, _REMEDY)
    if modalities != [name for name in MODALITIES if name in modalities]:
        got = show_value(modalities)
        raise refused_error(
            f"Modalities must be among {', '.join(MODALITIES)}, in this order", got, path, _REMEDY
        )
    checks = {
        "hash": lambda value: isinstance(value, str) and _HASH.fullmatch(value),
        "synthetic": lambda value: isinstance(value, bool),
        "seed": lambda value: value is None or is_number(value, 0, 2**32 - 1, whole=True),
        "digests": is_string_map,
        "excluded": is_string_map,
        "suspicious": _is_warnings,
    }
    for name, is_valid in checks.items():
        if not is_valid(manifest.get(name)):
            rule = f"A pack's {name} must be unchanged since it was built"
            raise refused_error(rule, show_value(manifest.get(name)), path, _REMEDY)


def _is_warnings(content: object) -> bool:
    return isinstance(content, dict) and all(
        isinstance(texts, list) and all(isinstance(text, str) for text in texts)
        for texts in content.values()
    )


def _map(path: Path, dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
    size, expected = path.stat().st_size, math.prod(shape) * int(np.dtype(dtype).itemsize)
    if size != expected:
        raise ValueError(
            f"A pack's file must have {expected} bytes, but got {size} in {path}. {_REMEDY}"
        )
    # Copy on write: torch needs writable memory, but no write may reach the file.
    return np.memmap(path, dtype=dtype, mode="c", shape=shape)
