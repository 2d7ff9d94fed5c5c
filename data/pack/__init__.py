"""All tiles as arrays on disk, and batches from them."""

from data.pack.build import READER_CRASHED, make_pack
from data.pack.file_format import load_pack
from data.pack.pack import Pack

__all__ = ["READER_CRASHED", "Pack", "load_pack", "make_pack"]
