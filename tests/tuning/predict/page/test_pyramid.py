"""Tiles of each level hold the reduced pixels of a raster that is read once, strip by strip."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tuning.predict.page import pyramid
from tuning.predict.page.pyramid import (
    Painter,
    TileCutter,
    count_levels,
    encode,
    reduce_max,
    reduce_mean,
    reduce_min,
)

GREYS = np.stack([np.arange(256)] * 3 + [255 * (np.arange(256) > 0)], axis=-1).astype(np.uint8)


def read(image: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(image)).convert("RGBA"))


def cut(codes: np.ndarray, painter: Painter, most_bytes: int = 10**9) -> TileCutter:
    cutter = TileCutter(count_levels(*codes.shape), painter, most_bytes)
    cutter.add(codes[first : first + 256] for first in range(0, len(codes), 256))
    return cutter


@pytest.mark.parametrize(
    ("size", "levels"),
    [((1, 1), 1), ((256, 256), 1), ((257, 3), 2), ((512, 512), 2), ((40, 12_000), 7)],
)
def test_the_last_level_has_one_tile(size: tuple[int, int], levels: int) -> None:
    assert count_levels(*size) == levels


@pytest.mark.parametrize("shape", [(700, 1030), (256, 256), (257, 515), (30, 600), (1, 1)])
def test_every_level_is_the_reduction_of_the_one_before(shape: tuple[int, int]) -> None:
    codes = np.random.default_rng(1).integers(1, 256, shape).astype(np.uint8)
    cutter = cut(codes, Painter(GREYS, reduce_max))
    wanted = codes
    for level in cutter.tiles:
        assert level is not None
        for row in range(-(-wanted.shape[0] // 256)):
            for column in range(-(-wanted.shape[1] // 256)):
                part = wanted[256 * row : 256 * row + 256, 256 * column : 256 * column + 256]
                seen = read(level.pop((column, row)))
                assert seen.shape == (256, 256, 4)
                np.testing.assert_array_equal(seen[: part.shape[0], : part.shape[1], 0], part)
                assert seen[..., 3].sum() == 255 * part.size  # nothing beyond the raster
        assert not level
        even = np.pad(wanted, [(0, side % 2) for side in wanted.shape])
        rows, columns = even.shape
        wanted = even.reshape(rows // 2, 2, columns // 2, 2).max(axis=(1, 3))
    assert len(cutter.tiles) == count_levels(*shape)


def test_codes_are_reduced_by_their_meaning() -> None:
    quads = np.array([[0, 9], [2, 0], [3, 0], [0, 0]], np.uint8)
    assert reduce_max(quads).tolist() == [3, 9]
    assert reduce_min(quads).tolist() == [0, 0]
    assert reduce_mean(quads).tolist() == [3, 9]  # of 2 and 3, and of 9 alone
    assert reduce_mean(np.full((4, 1), 255, np.uint8)).tolist() == [255]


def test_a_tile_without_anything_to_see_is_left_out() -> None:
    codes = np.zeros((300, 600), np.uint8)
    codes[270, 590] = 7
    cutter = cut(codes, Painter(GREYS, reduce_max))
    assert [sorted(level or {}) for level in cutter.tiles] == [[(2, 1)], [(1, 0)], [(0, 0)]]


def test_a_level_that_is_too_large_is_given_up_and_coarser_ones_stay() -> None:
    codes = np.random.default_rng(1).integers(1, 256, (1024, 1024)).astype(np.uint8)
    finest, *coarser = cut(codes, Painter(GREYS, reduce_mean), 400_000).tiles
    assert finest is None
    assert all(coarser)


def test_hatching_has_no_seam_between_tiles() -> None:
    colours = GREYS.copy()
    colours[3] = (9, 9, 9, 255)
    tiles = cut(np.full((256, 512), 2, np.uint8), Painter(colours, reduce_min, hatched=2)).tiles[0]
    assert tiles is not None
    both = np.concatenate([read(tiles[0, 0]), read(tiles[1, 0])], axis=1)[..., 0]
    assert set(np.unique(both)) == {2, 9}
    np.testing.assert_array_equal(both[1:, :-1], both[:-1, 1:])  # diagonal lines


def test_without_webp_tiles_are_png(monkeypatch: pytest.MonkeyPatch) -> None:
    image = GREYS[np.arange(256, dtype=np.uint8)[None].repeat(256, axis=0)]
    assert encode(image, lossy=False)[:4] == b"RIFF"
    monkeypatch.setattr(pyramid.features, "check", lambda name: False)
    plain = encode(image, lossy=False)
    assert plain.startswith(b"\x89PNG")
    np.testing.assert_array_equal(read(plain), image)


def test_only_opaque_tiles_that_may_lose_colour_are_jpeg() -> None:
    noise = np.random.default_rng(0).integers(100, 160, (256, 256)).astype(np.uint8)
    assert encode(GREYS[noise], lossy=True).startswith(b"\xff\xd8")
    assert encode(GREYS[noise], lossy=False)[8:12] == b"WEBP"
    noise[:5] = 0
    part = encode(GREYS[noise], lossy=True)
    assert part[8:12] == b"WEBP"
    assert (read(part)[:5, :, 3] == 0).all()
    assert (read(part)[5:, :, 3] == 255).all()
