import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import from_origin

from data.pack import Pack
from data.splits import Split
from tests.support.foreign_maps import draw_maps, write_statements, write_tiffs
from tuning.score.read_predictions import read_predictions
from tuning.score.target import Target, open_target


@pytest.fixture(scope="module")
def target(logged: Path) -> Target:
    return open_target(logged, None)


def refuse(target: Target, folder: Path, pattern: str) -> None:
    with pytest.raises(ValueError, match=pattern):
        read_predictions(target, folder)


def test_whole_predictions_are_read_tile_by_tile(target: Target, maps: Path, split: Split) -> None:
    (one,) = read_predictions(target, maps)
    assert one.tile_ids == split.test
    assert one.bins.shape == (len(split.test), 128, 128)
    assert one.counts.sum() == len(split.test) * 128 * 128
    assert (one.val, one.threshold, one.seed) == (None, 0.5, 0)


def test_missing_tiles_are_counted_and_named(target: Target, maps: Path, split: Split) -> None:
    for tile in split.test[:2]:
        (maps / f"{tile}.tif").unlink()
    first, second = split.test[:2]
    refuse(
        target, maps, f"All 4 test tiles of blocks must be predicted.*2 missing: {first}, {second}"
    )


def test_tiles_of_another_part_are_refused_by_name(
    target: Target, maps: Path, pack: Pack, split: Split
) -> None:
    write_tiffs(maps, pack, draw_maps(pack, split.train[:1]))
    refuse(target, maps, f"test and val tiles of blocks alone, but got 1 others: {split.train[0]}")


def test_some_val_tiles_without_the_others_are_refused(
    target: Target, maps: Path, pack: Pack, split: Split
) -> None:
    write_tiffs(maps, pack, draw_maps(pack, split.val[:-1]))
    refuse(target, maps, f"all, or none, but got 1 of 4 missing: {split.val[-1]}")


def test_another_split_s_hash_and_none_are_refused(target: Target, maps: Path) -> None:
    (maps / "split.json").write_text(json.dumps({"split_hash": "abc"}))
    refuse(target, maps, f"split_hash {target.split_hash}, but got 'abc' in .*split.json")
    (maps / "split.json").unlink()
    refuse(target, maps, "must say of which split they are, in split.json.*--template")


@pytest.mark.parametrize(
    ("profile", "pattern"),
    [
        ({"crs": "EPSG:32653"}, "{tile} must be in EPSG:32654, but got EPSG:32653"),
        ({"crs": None}, "{tile} must be in EPSG:32654, but got no coordinate system"),
        (
            {"transform": from_origin(0, 0, 10, 10)},
            r"{tile} must have the transform \(10, 0, .*, but got \(10, 0, 0, 0, -10, 0\)",
        ),
        ({"transform": from_origin(0, 0, 20, 20)}, r"but got \(20, 0, 0, 0, -20, 0\)"),
        ({"height": 64, "width": 64}, "128 x 128 pixels, but got 64 x 64 for {tile}"),
        ({"count": 2}, "must have one band, but got 2 in"),
    ],
)
def test_wrong_georeference_shape_and_bands_are_refused(
    target: Target, maps: Path, pack: Pack, split: Split, profile: dict[str, object], pattern: str
) -> None:
    tile = split.test[1]
    write_tiffs(maps, pack, draw_maps(pack, [tile]), **profile)
    refuse(target, maps, pattern.format(tile=tile))


def put(place: tuple[int, ...], value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[place] = value
        return values

    return change


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (
            put((0, 0), np.nan),
            "must have a probability, but got NaN in 1 of 16,384 pixels of {tile}",
        ),
        (put((0, 0), 1.5), "1 of 16,384 pixels of {tile} beyond, .* to 1.5, in"),
        (put((0, 0), -np.inf), r"must lie in \[0, 1\], but got 1 of .*-inf to"),
        (lambda values: values * 100, "Apply a sigmoid to logits, and divide percentages by 100"),
        (lambda values: (values * 255).astype("u1"), "floating-point numbers, but got uint8"),
    ],
)
@pytest.mark.parametrize("kind", ["tif", "npz"])
def test_wrong_values_are_refused_with_tile_and_range(
    target: Target,
    maps: Path,
    pack: Pack,
    split: Split,
    change: Callable[[np.ndarray], np.ndarray],
    pattern: str,
    kind: str,
) -> None:
    tile = split.test[2]
    values = change(draw_maps(pack, [tile])[tile])
    if kind == "tif":
        write_tiffs(maps, pack, {tile: values})
    else:
        (maps / f"{tile}.tif").unlink()
        np.savez(maps / f"{tile}.npz", probs=values)
        if values.dtype == "u1":
            pattern = r"probs must be float of shape \(any, any\), but got dtype\('uint8'\)"
    refuse(target, maps, pattern.format(tile=tile))


def test_unreadable_files_are_refused_by_name(target: Target, maps: Path, split: Split) -> None:
    file = maps / f"{split.test[0]}.tif"
    file.write_bytes(b"no TIFF")
    refuse(target, maps, f"must be a GeoTIFF that can be read, but got .* in .*{file.name}")
    file.unlink()
    file.with_suffix(".npz").write_bytes(b"no archive")
    refuse(target, maps, f"must be an .npz file without pickled objects.*{split.test[0]}.npz")


def test_tiles_with_two_files_and_loose_files_beside_seeds_are_refused(
    target: Target, maps: Path, pack: Pack, split: Split
) -> None:
    (maps / "seed1").mkdir()
    refuse(target, maps, f"all predictions must be in them, but got {split.test[0]}.tif")
    (maps / "seed1").rmdir()
    np.savez(maps / f"{split.test[0]}.npz", probs=np.zeros((128, 128), "f4"))
    refuse(target, maps, "A tile must have one file, but got .* beside")


def test_seeds_must_agree_on_val(target: Target, tmp_path: Path, pack: Pack, split: Split) -> None:
    folder = write_statements(tmp_path / "seeds", target.split_hash)
    write_tiffs(folder / "seed0", pack, draw_maps(pack, (*split.test, *split.val)))
    write_tiffs(folder / "seed1", pack, draw_maps(pack, split.test))
    refuse(
        target, folder, "All seeds and folds must hold their val tiles, or none, but got .*seed1"
    )


def test_missing_and_empty_folders_are_refused(target: Target, tmp_path: Path) -> None:
    refuse(target, tmp_path / "nowhere", "--predictions must be a folder, but got nothing")
    refuse(target, write_statements(tmp_path / "empty", target.split_hash), "TILE_ID.tif.*got none")
