"""Tiny maps on disk, as `python -m tuning.predict` writes them."""

from pathlib import Path

import numpy as np

from data.scene.georeference import Grid
from data.tiles import ORBITS
from tuning.predict.cog import RasterWriter, choose_layers

LAYERS = choose_layers(["probability", "spread"], ORBITS)


def make_grid(height: int, width: int) -> Grid:
    return Grid("EPSG:32654", 570_880.0, 4_738_560.0, 10.0, height, width)


def make_probability(seed: int, height: int, width: int) -> np.ndarray:
    """Make random probabilities, whose masks have touching corners and holes, with some pixels without data."""
    rng = np.random.default_rng(seed)
    probability = rng.random((height, width), dtype=np.float32)
    probability[rng.random((height, width)) < 0.05] = np.nan
    return probability


def make_mask(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Return the mask of probabilities: 1 landslide, 0 background, 255 no data."""
    return np.where(np.isnan(probability), 255, probability >= threshold).astype(np.uint8)


def make_coverage(mask: np.ndarray) -> np.ndarray:
    """Return acquisitions before and after the event of a mask's pixels; every second one without data has some."""
    counts = np.where(mask == 255, 0, 2).astype(np.uint8)
    rows, columns = np.indices(mask.shape)
    counts[(mask == 255) & ((rows + columns) % 2 == 0)] = 255
    return np.stack([np.where(counts == 0, 1, counts), counts]).astype(np.uint8)


def write_map(folder: Path, mask: np.ndarray, **layers: np.ndarray) -> dict[str, Path]:
    """Write a mask and other layers at once; return their files."""
    values = {"mask": mask} | layers
    chosen = {name: LAYERS[name] for name in values if name != "relief"}
    with RasterWriter(folder, make_grid(*mask.shape), chosen, {}) as rasters:
        for name in chosen:
            rasters.write(name, 0, values[name])
        return rasters.finish()
