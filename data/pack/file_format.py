"""The files of a pack: names, shapes and manifest; memory-mapped for reading, written row by row."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Self, get_args

import numpy as np

from data.io.safe_arrays import ArraySpec, read_array
from data.io.safe_json import is_number, is_string_map, read_json, refused_error, show_value
from data.io.seals import has_seal, seal, sum_bytes
from data.pack.integrity import (
    REMEDY,
    check_pack,
    is_sums,
    sum_row,
)
from data.pack.pack import Pack, list_channels
from data.pack.tile_row import TileRow
from data.tiles import (
    ACQUISITIONS,
    BANDS,
    MODALITIES,
    TILE_ID_RULE,
    TILE_PX,
    Units,
    is_tile_id,
)
from data.tiles.events import check_given_events, fill_events
from data.tiles.manifest import mixed_error
from data.tiles.paths import region_of

FORMAT = 7  # increase when the layout of the files changes: older packs are then rebuilt
MANIFEST = "manifest.json"
_MAPS = {"mask.u8": np.uint8, "dem.i16": np.int16, "slope.f16": np.float16}
_TABLES = ("times", "moments", "own_events", "corners")
_HASH = re.compile(r"[0-9a-f]{12}")


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
        self._tables: dict[str, list[Any]] = {name: [] for name in _TABLES}
        self._crs: list[str] = []
        self._sums: dict[str, dict[str, str]] = {}
        self._marks: dict[bool, str] = {}  # the first synthetic and the first real tile

    def __enter__(self) -> Self:
        for name in self._layout:
            self._files[name] = self._stack.enter_context((self._folder / name).open("wb"))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, tile_id: str, row: TileRow) -> None:
        """Append a tile.

        Raises:
            TileError: If it is synthetic and an earlier one is real, or the other way round.
        """
        self._marks.setdefault(row.synthetic, tile_id)
        if len(self._marks) == 2:
            raise mixed_error(self._marks[True], self._marks[False])
        arrays = {f"{modality}.f16": values for modality, values in row.bands.items()}
        arrays |= {"mask.u8": row.mask, "dem.i16": row.dem, "slope.f16": row.slope}
        for name, (dtype, _) in self._layout.items():
            self._files[name].write(np.ascontiguousarray(arrays[name], dtype).data)
        self._tables["times"].append(row.times)
        self._tables["moments"].append(row.moments)
        self._tables["own_events"].append(row.event)
        self._tables["corners"].append(row.corner)
        self._crs.append(row.crs)
        self._sums[tile_id] = sum_row(row)
        self.tile_ids.append(tile_id)

    def finish(
        self, manifest: dict[str, Any], given: Mapping[str, np.datetime64] | None = None
    ) -> None:
        """Write the tables and, last, the manifest: a folder without it is not a pack.

        Args:
            manifest: Further content of the manifest.
            given: The user's times of events by region, as in :func:`data.tiles.events.fill_events`.

        Raises:
            TileError: If a tile is synthetic, but the manifest says that the folder's tiles are real.
            ValueError: If a region's event is unknown, or a given one has no acquisitions on one side.
        """
        if True in self._marks and not manifest["synthetic"]:
            raise mixed_error(self._marks[True], "another tile of the folder")
        tables = {name: np.stack(rows) for name, rows in self._tables.items()}
        regions = [region_of(tile) for tile in self.tile_ids]
        check_given_events(given or {}, tables["times"], regions)
        tables["events"] = fill_events(tables["own_events"], regions, given)
        for name, values in tables.items():
            np.save(self._folder / f"{name}.npy", values)
        own = {"format": FORMAT, "tile_ids": self.tile_ids, "crs": self._crs, "sums": self._sums}
        content = seal({**own, "events": sum_bytes([tables["events"].tobytes()]), **manifest})
        (self._folder / MANIFEST).write_text(json.dumps(content, indent=1))


def load_pack(path: Path, *, check: bool = True) -> Pack:
    """Memory-map a pack's arrays; all processes of a machine share one copy.

    Args:
        path: The pack's folder.
        check: Whether to read and check every value (0.5 s for 600 MB); False where this machine has just done so.

    Raises:
        FileNotFoundError: If *path* does not contain a finished pack.
        DamagedPackError: If values are not those that were written.
        ValueError: If the pack has another format, its manifest is invalid or larger than 8 MiB, or the size of a
            file does not match the manifest.
    """
    pack = _open_pack(path)
    return check_pack(pack) if check else pack


def _open_pack(path: Path) -> Pack:
    if not (path / MANIFEST).is_file():
        raise FileNotFoundError(
            f"A pack must be a folder with a manifest.json, but got {path}. "
            "Build one with `python -m tuning.run`."
        )
    manifest: dict[str, Any] = read_json(path / MANIFEST)
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
        **{name: manifest[name] for name in ("suspicious", "inputs", "sums", "units")},
        crs=tuple(manifest["crs"]),
        events=_read_events(path, count, manifest["events"]),
        own_events=read_array(path / "own_events.npy", ArraySpec("datetime64[s]", (count,))),
        corners=read_array(path / "corners.npy", ArraySpec("float64", (count, 2))),
        times=read_array(
            path / "times.npy", ArraySpec("datetime64[s]", (count, len(modalities), ACQUISITIONS))
        ),
        moments=read_array(
            path / "moments.npy", ArraySpec("float64", (count, len(list_channels(modalities)), 3))
        ),
    )


def _read_events(path: Path, count: int, expected: object) -> np.ndarray:
    events = read_array(path / "events.npy", ArraySpec("datetime64[s]", (count,)))
    if (got := sum_bytes([events.tobytes()])) != expected:
        rule = f"The pack's events must have the checksum {show_value(expected)}"
        raise refused_error(rule, got, path / "events.npy", REMEDY)
    return events


def _check_manifest(manifest: dict[str, Any], path: Path) -> None:
    """Check the manifest's values: file names are derived from them, and reports show them."""
    ids, modalities = manifest.get("tile_ids"), manifest.get("modalities")
    if not (isinstance(ids, list) and isinstance(modalities, list) and ids and modalities):
        got = f"{show_value(ids)} and {show_value(modalities)}"
        raise refused_error("A pack's tile_ids and modalities must be lists", got, path, REMEDY)
    if bad := [tile for tile in ids if not is_tile_id(tile)]:
        raise refused_error(TILE_ID_RULE, show_value(bad[0]), path, REMEDY)
    if len(set(ids)) < len(ids):
        raise refused_error("A pack must contain each tile once", "one twice", path, REMEDY)
    if modalities != [name for name in MODALITIES if name in modalities]:
        got = show_value(modalities)
        raise refused_error(
            f"Modalities must be among {', '.join(MODALITIES)}, in this order", got, path, REMEDY
        )
    checks: dict[str, Callable[[Any], object]] = {
        "hash": lambda value: isinstance(value, str) and _HASH.fullmatch(value),
        "synthetic": lambda value: isinstance(value, bool),
        "seed": lambda value: value is None or is_number(value, 0, 2**32 - 1, whole=True),
        "digests": is_string_map,
        "excluded": is_string_map,
        "suspicious": _is_warnings,
        "crs": _is_list_of_texts,
        "inputs": lambda value: isinstance(value, str) and _HASH.fullmatch(value),
        "sums": is_sums,
        "events": lambda value: isinstance(value, str),
        "units": lambda value: value in get_args(Units),
    }
    for name, is_valid in checks.items():
        if not is_valid(manifest.get(name)):
            rule = f"A pack's {name} must be unchanged since it was built"
            raise refused_error(rule, show_value(manifest.get(name)), path, REMEDY)
    if not has_seal(manifest):
        rule = "A pack's manifest must have its own checksum"
        raise refused_error(rule, "another", path / MANIFEST, REMEDY)


def _is_list_of_texts(content: object) -> bool:
    return isinstance(content, list) and all(isinstance(text, str) for text in content)


def _is_warnings(content: object) -> bool:
    return isinstance(content, dict) and all(_is_list_of_texts(texts) for texts in content.values())


def _map(path: Path, dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
    size, expected = path.stat().st_size, math.prod(shape) * int(np.dtype(dtype).itemsize)
    if size != expected:
        raise ValueError(
            f"A pack's file must have {expected} bytes, but got {size} in {path}. {REMEDY}"
        )
    # Copy on write: torch needs writable memory, but no write may reach the file.
    return np.memmap(path, dtype=dtype, mode="c", shape=shape)
