"""The files of a pack: their names, shapes and manifest, mapped into memory or written row by row."""

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

FORMAT = 3  # raise when the files' layout changes: older packs are then made again
MANIFEST = "manifest.json"
_MAPS = {"mask.u8": np.uint8, "dem.i16": np.int16, "slope.f16": np.float16}
_TABLES = ("times", "moments")
_HASH = re.compile(r"[0-9a-f]{12}")
_REMEDY = "Remove the pack's folder; it is made again."


@dataclass(frozen=True)
class Pack:
    """Arrays of N tiles, mapped into memory.

    Attributes:
        path: The pack's folder.
        hash: Twelve hex digits over the content of all tile files.
        synthetic: Whether the tiles come from the twin.
        seed: The twin's seed; None for other tiles.
        tile_ids: The N ids in the order of the arrays.
        digests: Hash of each tile's files by id, excluded tiles included.
        excluded: Reason by tile id for every tile that could not be used.
        suspicious: Findings by tile id, for tiles that are used all the same.
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
        """Return the modalities that are packed."""
        return tuple(self.bands)

    @property
    def channels(self) -> tuple[str, ...]:
        """Return the channels that can be served, in the order of ``moments``."""
        return list_channels(self.modalities)

    def rows(self, tile_ids: Sequence[str]) -> np.ndarray:
        """Return the array rows of *tile_ids*, in their order."""
        at = {tile: row for row, tile in enumerate(self.tile_ids)}
        return np.array([at[tile] for tile in tile_ids], dtype=np.int64)


def list_channels(modalities: Sequence[str]) -> tuple[str, ...]:
    """List the channels that some modalities give, height and slope included."""
    return tuple(name for name in CHANNELS if name in MAPS or name.split(":")[0] in modalities)


def _layout(modalities: Sequence[str]) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Return type and shape of a row by file name."""
    square = (TILE_PX, TILE_PX)
    bands = {f"{m}.f16": (np.float16, (ACQUISITIONS, len(BANDS[m]), *square)) for m in modalities}
    return bands | {name: (dtype, square) for name, dtype in _MAPS.items()}


def count_bytes(modalities: Sequence[str], tiles: int) -> int:
    """Count the bytes that the arrays of a pack take."""
    rows = _layout(modalities).values()
    return tiles * sum(math.prod(shape) * int(np.dtype(dtype).itemsize) for dtype, shape in rows)


class PackWriter:
    """Appends rows to the files of a pack's folder; a context manager."""

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
        """Append a tile that was read."""
        arrays = {f"{modality}.f16": values for modality, values in row.bands.items()}
        arrays |= {"mask.u8": row.mask, "dem.i16": row.dem, "slope.f16": row.slope}
        self._append(tile_id, arrays, row.times, row.moments)

    def copy(self, tile_id: str, pack: Pack) -> None:
        """Append a tile that another pack of the same modalities has."""
        at = int(pack.rows([tile_id])[0])
        arrays = {f"{modality}.f16": values[at] for modality, values in pack.bands.items()}
        arrays |= {"mask.u8": pack.mask[at], "dem.i16": pack.dem[at], "slope.f16": pack.slope[at]}
        self._append(tile_id, arrays, pack.times[at], pack.moments[at])

    def _append(
        self, tile_id: str, arrays: dict[str, np.ndarray], times: np.ndarray, moments: np.ndarray
    ) -> None:
        for name, (dtype, _) in self._layout.items():
            self._files[name].write(np.ascontiguousarray(arrays[name], dtype).data)
        self._tables["times"].append(times)
        self._tables["moments"].append(moments)
        self.tile_ids.append(tile_id)

    def finish(self, manifest: dict[str, Any]) -> None:
        """Write the tables and, last, the manifest that makes the folder a pack."""
        for name, rows in self._tables.items():
            np.save(self._folder / f"{name}.npy", np.stack(rows))
        content = {"format": FORMAT, "tile_ids": self.tile_ids, **manifest}
        (self._folder / MANIFEST).write_text(json.dumps(content, indent=1))


def load_pack(path: Path) -> Pack:
    """Map a pack's arrays into memory: all processes of a machine share one copy of them.

    Raises:
        FileNotFoundError: If *path* holds no finished pack.
        ValueError: If the pack has another format, a manifest that no pack has (at most 8 MiB of JSON), or a
            file of another size than its manifest says.
    """
    if not (path / MANIFEST).is_file():
        raise FileNotFoundError(
            f"A pack is a folder with a manifest.json, but got {path}. "
            "Make one with `python -m tuning.run`."
        )
    manifest = read_json(path / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise ValueError(
            f"A pack must have format {FORMAT}, but got {show_value(manifest.get('format'))} in {path}. "
            "Make it again with `python -m tuning.run`."
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
    """Refuse values of another kind than a pack's: they name files, and are counted and shown later."""
    ids, modalities = manifest.get("tile_ids"), manifest.get("modalities")
    if not (isinstance(ids, list) and isinstance(modalities, list) and ids and modalities):
        got = f"{show_value(ids)} and {show_value(modalities)}"
        raise refused_error("A pack's tile_ids and modalities must be lists", got, path, _REMEDY)
    if strange := [one for one in ids if not is_tile_id(one)]:
        raise refused_error(TILE_ID_RULE, show_value(strange[0]), path, _REMEDY)
    if len(set(ids)) < len(ids):
        raise refused_error("A tile must stand once in a pack", "one twice", path, _REMEDY)
    if modalities != [name for name in MODALITIES if name in modalities]:
        got = show_value(modalities)
        raise refused_error(f"Modalities must be of {', '.join(MODALITIES)}", got, path, _REMEDY)
    rest = {
        "hash": lambda one: isinstance(one, str) and _HASH.fullmatch(one),
        "synthetic": lambda one: isinstance(one, bool),
        "seed": lambda one: one is None or is_number(one, 0, 2**32 - 1, whole=True),
        "digests": is_string_map,
        "excluded": is_string_map,
        "suspicious": _is_findings,
    }
    for name, fits in rest.items():
        if not fits(manifest.get(name)):
            rule = f"A pack's {name} must be as it was written"
            raise refused_error(rule, show_value(manifest.get(name)), path, _REMEDY)


def _is_findings(content: object) -> bool:
    return isinstance(content, dict) and all(
        isinstance(some, list) and all(isinstance(one, str) for one in some)
        for some in content.values()
    )


def _map(path: Path, dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
    size, wanted = path.stat().st_size, math.prod(shape) * int(np.dtype(dtype).itemsize)
    if size != wanted:
        raise ValueError(
            f"A pack's file must have {wanted} bytes, but got {size} in {path}. {_REMEDY}"
        )
    # Copy on write: torch wants memory that it could write to, and a write must not reach the file.
    return np.memmap(path, dtype=dtype, mode="c", shape=shape)
