"""A mutator with a seed: it damages a tile file in one of many ways, and names the verdict that a check must return."""

from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr

from data.tiles import ACQUISITIONS, DIMS, TILE_PX

Rng = np.random.Generator
BANDS = ("VV", "VH")
TEXTS = (b"no NetCDF", b"<html><title>404</title></html>", b"version https://git-lfs.github.com/")


def mutate(path: Path, kind: str, rng: Rng) -> str:
    """Damage a file of a tile with landslides; return the expected verdict or warning."""
    return KINDS[kind](path, rng)


def rewrite(path: Path, change: Callable[[xr.Dataset], xr.Dataset]) -> None:
    with xr.open_dataset(path, decode_cf=False) as file:
        changed = change(file.load())
    for name in changed.variables:
        changed[name].encoding.clear()
        changed[name].attrs.pop("_FillValue", None)  # it would not fit another kind of number
    changed.to_netcdf(path)


def edit(path: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Change one variable in place."""
    with netCDF4.Dataset(path, "r+") as file:
        file.set_auto_maskandscale(False)
        file[name][:] = change(file[name][:])


def pick_patch(rng: Rng) -> tuple[slice, ...]:
    """Choose a box of steps, columns and rows that is neither empty nor everything."""
    sizes = rng.integers(1, (5, 60, 60))
    starts = rng.integers(0, (ACQUISITIONS, TILE_PX, TILE_PX) - sizes + 1)
    return tuple(
        slice(int(start), int(start + size)) for start, size in zip(starts, sizes, strict=True)
    )


def put(value: float, expected: str) -> Callable[[Path, Rng], str]:
    """Put a value into a patch of a band."""

    def change(path: Path, rng: Rng) -> str:
        with netCDF4.Dataset(path, "r+") as file:
            file.set_auto_maskandscale(False)
            file[str(rng.choice(BANDS))][pick_patch(rng)] = value
        return expected

    return change


def put_pixel(value: float, expected: str) -> Callable[[Path, Rng], str]:
    """Put a value into one pixel of a band."""

    def change(path: Path, rng: Rng) -> str:
        place = tuple(int(n) for n in rng.integers((ACQUISITIONS, TILE_PX, TILE_PX)))
        with netCDF4.Dataset(path, "r+") as file:
            file.set_auto_maskandscale(False)
            file[str(rng.choice(BANDS))][place] = value
        return expected

    return change


def put_block(value: float, expected: str) -> Callable[[Path, Rng], str]:
    """Put a value into a block of a band's date that no scatterer could fill."""

    def change(path: Path, rng: Rng) -> str:
        step, left, top = (int(n) for n in rng.integers((ACQUISITIONS, 100, 100)))
        with netCDF4.Dataset(path, "r+") as file:
            file.set_auto_maskandscale(False)
            band = file[str(rng.choice(BANDS))]
            band[step, left : left + 20, top : top + 18] = value
        return expected

    return change


def damage(change: Callable[[bytes, Rng], bytes]) -> Callable[[Path, Rng], str]:
    """Change a file's bytes."""

    def spoil(path: Path, rng: Rng) -> str:
        path.write_bytes(change(path.read_bytes(), rng))
        return "unreadable"

    return spoil


def replace_header(content: bytes, rng: Rng) -> bytes:
    size = int(rng.integers(8, 4096))
    return rng.bytes(size) + content[size:]


def shift_bytes(content: bytes, rng: Rng) -> bytes:
    size = int(rng.integers(1, 500))  # by 512 it would be HDF5 again
    return rng.bytes(size) + content if rng.random() < 0.5 else content[size:]


def make_folder(path: Path, rng: Rng) -> str:
    path.unlink()
    path.mkdir()
    return "unreadable"


def swap_dims(path: Path, rng: Rng) -> str:
    orders = [("time", "y", "x"), ("x", "y", "time"), ("y", "x", "time"), ("x", "time", "y")]
    order = orders[rng.integers(len(orders))]
    if rng.random() < 0.5:
        rewrite(path, lambda d: d.rename({"x": "y", "y": "x"}))
        return "wrong-grid"
    rewrite(path, lambda d: d.transpose(*order))
    return "storage-order"


def cut_shape(path: Path, rng: Rng) -> str:
    cuts = ({"x": 64}, {"y": 64}, {"x": 127, "y": 127}, {"time": 14}, {"time": 1})
    cut = {name: slice(size) for name, size in cuts[rng.integers(len(cuts))].items()}
    rewrite(path, lambda d: d.isel(cut))
    return "wrong-shape"


def drop_variable(path: Path, rng: Rng) -> str:
    name = str(rng.choice([*BANDS, "MASK", "DEM", *DIMS]))
    rewrite(path, lambda d: d.drop_vars(name))
    return "missing-variable"


def change_crs(path: Path, rng: Rng) -> str:
    crs = str(rng.choice(["EPSG:32653", "EPSG:4326", "unknown", ""]))
    with netCDF4.Dataset(path, "r+") as file:
        file.crs = crs
    return "wrong-crs" if crs else "missing-attribute"


def cast(expected: str, *choices: tuple[str, str]) -> Callable[[Path, Rng], str]:
    """Store one variable as another type of number."""

    def change(path: Path, rng: Rng) -> str:
        name, dtype = choices[rng.integers(len(choices))]
        rewrite(path, lambda d: d.assign({name: d[name].astype(dtype)}))
        return expected

    return change


def shuffle_dates(path: Path, rng: Rng) -> str:
    turn = int(rng.integers(1, ACQUISITIONS))
    edit(path, "time", lambda t: np.roll(t, turn) if rng.random() < 0.5 else t[::-1])
    return "time-unsorted"


def repeat_date(path: Path, rng: Rng) -> str:
    step = int(rng.integers(1, ACQUISITIONS))
    edit(path, "time", lambda t: np.where(np.arange(t.size) == step, t[step - 1], t))
    return "time-duplicate"


def move_dates(path: Path, rng: Rng) -> str:
    later = bool(rng.random() < 0.5)
    edit(path, "time", lambda t: t + (400 if later else -400))
    return "no-date-before-event" if later else "no-date-after-event"


def clear_mask(path: Path, rng: Rng) -> str:
    edit(path, "MASK", np.zeros_like)
    return "mask-empty"


def shrink_mask(path: Path, rng: Rng) -> str:
    with netCDF4.Dataset(path, "r+") as file:
        mask = file["MASK"][0]
        columns, rows = np.nonzero(mask)
        mask[columns[0], rows[0]] = 0
        file["MASK"][:] = np.repeat(mask[None], ACQUISITIONS, axis=0)
    return "mask-empty" if len(rows) == 1 else "mask-differs-from-catalogue"


def double_mask(path: Path, rng: Rng) -> str:
    edit(path, "MASK", lambda mask: mask * 2)
    return "mask-not-binary"


def move_mask(path: Path, rng: Rng) -> str:
    with netCDF4.Dataset(path, "r+") as file:
        step = int(rng.integers(ACQUISITIONS))
        file["MASK"][step] = 1 - file["MASK"][step]
    return "mask-changes"


def dig(path: Path, rng: Rng) -> str:
    depth = int(rng.integers(1, 9000))
    edit(path, "DEM", lambda dem: np.full_like(dem, -depth if rng.random() < 0.5 else 8800 + depth))
    return "dem-out-of-range"


def swap_coordinates(path: Path, rng: Rng) -> str:
    rewrite(path, lambda d: d.assign_coords(x=d["y"].to_numpy(), y=d["x"].to_numpy()))
    return "wrong-grid"


def move(least_m: int, most_m: int, expected: str) -> Callable[[Path, Rng], str]:
    """Shift a tile along one axis, in either direction."""

    def change(path: Path, rng: Rng) -> str:
        shift_m = int(rng.integers(least_m, most_m)) * int(rng.choice([-1, 1]))
        edit(path, str(rng.choice(["x", "y"])), lambda values: values + shift_m)
        return expected

    return change


def to_linear(path: Path, rng: Rng) -> str:
    for name in BANDS:
        edit(path, name, lambda values: 10 ** (values / 10))
    return "wrong-unit"


def flatten(path: Path, rng: Rng) -> str:
    edit(path, str(rng.choice(BANDS)), lambda values: values / 1000 - 10)
    return "constant-band"


def blank_step(path: Path, rng: Rng) -> str:
    with netCDF4.Dataset(path, "r+") as file:
        file.set_auto_maskandscale(False)
        value = np.nan if rng.random() < 0.5 else -9999
        file[str(rng.choice(BANDS))][int(rng.integers(ACQUISITIONS))] = value
    return "empty-step"


def blank_band(path: Path, rng: Rng) -> str:
    edit(path, str(rng.choice(BANDS)), lambda values: np.full_like(values, np.nan))
    return "no-data"


KINDS: dict[str, Callable[[Path, Rng], str]] = {
    "truncated": damage(lambda content, rng: content[: rng.integers(len(content))]),
    "garbage header": damage(replace_header),
    "shifted by bytes": damage(shift_bytes),
    "empty file": damage(lambda content, rng: b""),
    "text file": damage(lambda content, rng: TEXTS[rng.integers(len(TEXTS))] * 50),
    "folder": make_folder,
    "dims": swap_dims,
    "shape": cut_shape,
    "missing variable": drop_variable,
    "crs": change_crs,
    "kind of number": cast("wrong-dtype", ("VV", "int16"), ("MASK", "float32"), ("DEM", "float64")),
    "wider storage": cast("storage-dtype", ("VH", "float64"), ("MASK", "int64"), ("DEM", "int32")),
    "unsorted dates": shuffle_dates,
    "duplicate date": repeat_date,
    "another year": move_dates,
    "NaN patch": put(np.nan, "nodata"),
    "-9999 patch": put(-9999, "nodata"),
    "+inf": put_pixel(np.inf, "infinite"),
    "+inf block": put_block(np.inf, "undeclared-nodata"),
    "-inf": put(-np.inf, "undeclared-nodata"),
    "netCDF's own fill": put(9.969209968386869e36, "undeclared-nodata"),
    "0 dB block": put_block(0.0, "undeclared-nodata"),
    "too loud": put(12.5, "out-of-range"),
    "too quiet": put(-60, "out-of-range"),
    "no landslide": clear_mask,
    "one landslide pixel less": shrink_mask,
    "mask of 2": double_mask,
    "moving mask": move_mask,
    "heights": dig,
    "x and y swapped": swap_coordinates,
    "moved": move(641, 50_000, "elsewhere"),
    "nudged": move(1, 641, "shifted"),
    "linear power": to_linear,
    "flat band": flatten,
    "blank step": blank_step,
    "blank band": blank_band,
}
