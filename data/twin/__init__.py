"""The synthetic twin of Hokkaido's tiles, and an invented second region: terrain, backscatter, landslides, files."""

from data.twin.write_twin import MANIFEST, make_twin

__all__ = ["MANIFEST", "make_twin"]
