"""All tiles as arrays on disk, and batches from them."""

from data.pack.build import DIED, make_pack
from data.pack.file_format import Pack, load_pack

__all__ = ["DIED", "Pack", "load_pack", "make_pack"]
