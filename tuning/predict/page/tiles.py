"""The tiles of a page's map within a number of bytes: the finest zooms of a large scene are left out."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tuning.predict.page.layers import MapLayer
from tuning.predict.page.pyramid import Place, TileCutter


def count_base64(size: int) -> int:
    """Return the length of bytes as base64."""
    return -(-size // 3) * 4


@dataclass
class TileSet:
    """Tiles of several layers; equal images are stored once.

    Attributes:
        images: Images as base64, each once.
        layers: By layer ``key``, ``title``, ``shown``, ``switch``, ``finest`` (level of its finest tiles: 0 is the raster's own
            resolution, each further one has half of it) and ``tiles``, numbers of images by ``level/column/row``.
    """

    images: list[str] = field(default_factory=list)
    layers: list[dict[str, Any]] = field(default_factory=list)
    _numbers: dict[bytes, int] = field(default_factory=dict, repr=False)

    def add(self, image: bytes) -> int:
        """Return the number of an image, which is stored if it is new."""
        if image not in self._numbers:
            self._numbers[image] = len(self.images)
            self.images.append(base64.b64encode(image).decode())
        return self._numbers[image]


def cut_tiles(layers: Sequence[MapLayer], levels: int, most_bytes: int) -> TileSet:
    """Cut the tiles of all layers, from coarse to fine, as long as they stay within a number of bytes.

    Each raster is read once. A layer whose tiles of a level do not fit ends with the level before it; the others may go on.

    Args:
        layers: The layers, the most important one first.
        levels: Number of levels, of which the last has a single tile.
        most_bytes: The most that all tiles may have as base64. The coarsest level is always there.
    """
    cut = {}
    for layer in layers:
        cutter = TileCutter(levels, layer.painter, most_bytes * 3 // 4)
        cutter.add(layer.strips())
        cut[layer.key] = cutter.tiles
    finest = _choose_levels(cut, levels, most_bytes)
    chosen = TileSet()
    for layer in layers:
        numbers = {}
        for level in range(levels - 1, finest[layer.key] - 1, -1):
            for (column, row), image in (cut[layer.key][level] or {}).items():
                numbers[f"{level}/{column}/{row}"] = chosen.add(image)
        about = {name: getattr(layer, name) for name in ("key", "title", "shown", "switch")}
        chosen.layers.append(about | {"finest": finest[layer.key], "tiles": numbers})
    return chosen


def _choose_levels(
    cut: dict[str, list[dict[Place, bytes] | None]], levels: int, most_bytes: int
) -> dict[str, int]:
    """Return the finest level of each layer that fits."""
    finest = dict.fromkeys(cut, levels - 1)
    growing = list(cut)
    total = 0
    for level in range(levels - 1, -1, -1):
        for key in list(growing):
            tiles = cut[key][level]
            size = sum(count_base64(len(image)) for image in (tiles or {}).values())
            if tiles is None or (level < levels - 1 and total + size > most_bytes):
                growing.remove(key)
                continue
            total += size
            finest[key] = level
    return finest
