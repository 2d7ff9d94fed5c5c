"""The C library's heap, told to keep what is freed: a network asks for the same large blocks at every step."""

import ctypes
from functools import cache

_TRIM, _MMAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
_MOST = 2**30
_SAFE = 2**25  # the most that older releases of glibc take


@cache
def keep_freed_memory() -> bool:
    """Let glibc serve large blocks from its heap, and give none back to the system; once per process.

    By default a block beyond some megabytes is mapped anew each time, and the system clears every page of it: for feature
    maps of 16 tiles that costs more than computing them. The process' peak stays; what it holds in between grows to it.

    Returns:
        Whether the C library took it; others than glibc have no such choice, and nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    large = mallopt(_MMAP, _MOST) or mallopt(_MMAP, _SAFE)
    return bool(large and mallopt(_TRIM, 2**31 - 1))
