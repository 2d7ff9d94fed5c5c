"""The synthetic twin of the Hokkaido tiles: terrain, backscatter, landslides, files."""

from data.twin.write_twin import MANIFEST, make_twin

__all__ = ["MANIFEST", "make_twin"]
