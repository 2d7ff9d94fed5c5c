"""Tiles of a map at each zoom, cut in one pass over a raster from top to bottom.

Level 0 has a raster's own pixels, and each further level half the resolution of the one before it. A strip of each level is kept
until the next one has come, so memory grows with the raster's width, not with its height.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, features

TILE_PX = 256  # side of a tile, and rows of a strip
LOSSY_QUALITY = 55  # of JPEG and WebP, from 0 to 100: a relief's noise costs most of a page

_HATCH_PX = 8  # period of the lines, a divisor of the tile's side: no seam is seen between tiles
_HATCH = np.add(*np.indices((TILE_PX, TILE_PX))) % _HATCH_PX < 2

Place = tuple[int, int]  # column and row of a tile


@dataclass(frozen=True)
class Painter:
    """How the codes of a layer become images.

    Attributes:
        colours: Red, green, blue and opacity of each code, shape ``(256, 4)``, uint8; code 0 is transparent.
        reduce: Makes one code of the four in a square: arguments and result are arrays of codes of one shape.
        lossy: Whether small errors of colour may save bytes.
        hatched: A code whose pixels are hatched with the colour of the next code; 0 for none.
    """

    colours: np.ndarray
    reduce: Callable[[np.ndarray], np.ndarray]
    lossy: bool = False
    hatched: int = 0

    def paint(self, codes: np.ndarray) -> bytes | None:
        """Return a tile of codes, at most 256 x 256, as image of 256 x 256 px; None if nothing is visible."""
        if not codes.any():
            return None
        whole = np.zeros((TILE_PX, TILE_PX), np.uint8)
        whole[: codes.shape[0], : codes.shape[1]] = codes
        if self.hatched:
            whole[(whole == self.hatched) & _HATCH] += 1
        image = self.colours.view(np.uint32).ravel()[whole].view(np.uint8)
        return encode(image.reshape(TILE_PX, TILE_PX, 4), lossy=self.lossy)


def encode(image: np.ndarray, *, lossy: bool) -> bytes:
    """Return an image, shape ``(H, W, 4)``, uint8, as JPEG if it is opaque and may be lossy, else as WebP.

    Where the imaging library was built without WebP, PNG takes its place.
    """
    picture = Image.fromarray(image)
    opaque = picture.getchannel("A").getextrema()[0] == 255
    target = BytesIO()
    if lossy and opaque:  # ten times faster than WebP, and no larger
        picture.convert("RGB").save(target, "JPEG", quality=LOSSY_QUALITY)
    elif not features.check("webp"):
        picture.save(target, "PNG")
    elif lossy:
        picture.save(target, "WEBP", quality=LOSSY_QUALITY, method=0)
    else:
        picture.save(target, "WEBP", quality=40, method=2, lossless=True)
    return target.getvalue()


def count_levels(height: int, width: int) -> int:
    """Return the number of levels of which the last has a single tile."""
    return max(0, (max(height, width) - 1).bit_length() - (TILE_PX - 1).bit_length()) + 1


def reduce_max(quads: np.ndarray) -> np.ndarray:
    """Return the highest of four codes, shape ``(4, ...)`` to ``(...)``."""
    return np.asarray(quads.max(axis=0))


def reduce_min(quads: np.ndarray) -> np.ndarray:
    """Return the lowest of four codes, shape ``(4, ...)`` to ``(...)``."""
    return np.asarray(quads.min(axis=0))


def reduce_mean(quads: np.ndarray) -> np.ndarray:
    """Return the rounded mean of those of four codes that are not 0, else 0, shape ``(4, ...)`` to ``(...)``."""
    count = (quads > 0).sum(axis=0, dtype=np.uint16)
    total = quads.sum(axis=0, dtype=np.uint16)
    return np.asarray((total + count // 2) // np.maximum(count, 1)).astype(np.uint8)


class TileCutter:
    """Cuts the tiles of all levels from strips of codes.

    Args:
        levels: Number of levels.
        painter: Makes a tile's image, and one code of four.
        most_bytes: A level but the last is given up as soon as its tiles exceed this, in bytes.

    Attributes:
        tiles: Images by column and row for each level, finest first; None for a level that was given up.
    """

    def __init__(self, levels: int, painter: Painter, most_bytes: int) -> None:
        self.painter, self.most_bytes = painter, most_bytes
        self.tiles: list[dict[Place, bytes] | None] = [{} for _ in range(levels)]
        self._bytes = [0] * levels
        self._row = [0] * levels
        self._waiting: list[list[np.ndarray]] = [[] for _ in range(levels)]

    def add(self, strips: Iterable[np.ndarray]) -> None:
        """Cut all strips of a raster: codes ``(256, W)``, uint8, of which the last one may have fewer rows."""
        before: np.ndarray | None = None
        for strip in strips:
            if before is not None:
                self._feed(0, before, last=False)
            before = strip
        if before is not None:
            self._feed(0, before, last=True)

    def _feed(self, level: int, strip: np.ndarray, *, last: bool) -> None:
        self._cut(level, strip)
        self._row[level] += 1
        waiting = self._waiting[level]
        waiting.append(strip)
        if level + 1 < len(self.tiles) and (last or len(waiting) == 2):
            rows = np.concatenate(waiting)
            waiting.clear()
            self._feed(level + 1, self._halve(rows), last=last)

    def _halve(self, rows: np.ndarray) -> np.ndarray:
        even = np.pad(rows, [(0, side % 2) for side in rows.shape], mode="edge")
        return self.painter.reduce(
            np.stack([even[row::2, column::2] for row in (0, 1) for column in (0, 1)])
        )

    def _cut(self, level: int, strip: np.ndarray) -> None:
        for column, left in enumerate(range(0, strip.shape[1], TILE_PX)):
            tiles = self.tiles[level]
            if tiles is None:
                return
            image = self.painter.paint(strip[:, left : left + TILE_PX])
            if image is not None:
                tiles[column, self._row[level]] = image
                self._bytes[level] += len(image)
                if self._bytes[level] > self.most_bytes and level + 1 < len(self.tiles):
                    self.tiles[level] = None
