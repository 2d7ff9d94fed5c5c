"""All tiles as arrays on disk, and batches from them."""

from data.pack.build import READER_CRASHED, make_pack
from data.pack.file_format import Pack, load_pack

__all__ = ["READER_CRASHED", "Pack", "load_pack", "make_pack"]
