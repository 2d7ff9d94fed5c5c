"""The input of a map: a datacube, GeoTIFFs or a mosaic of tiles, read window by window."""

from data.scene.open import open_scene

__all__ = ["open_scene"]
