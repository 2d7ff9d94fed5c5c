"""Settings of the C library's allocator: a network allocates the same large blocks at every step."""

import ctypes
from functools import cache

_TRIM, _MMAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
_THRESHOLD = 2**30
_OLD_THRESHOLD = 2**25  # the largest value that older releases of glibc accept


@cache
def keep_freed_memory() -> bool:
    """Make glibc keep freed memory and allocate large blocks from its heap; once per process.

    By default glibc maps a block of several megabytes anew each time, and the kernel clears each of its pages: for the
    feature maps of 16 tiles this takes longer than computing them. The process' peak memory stays the same, but it is
    held between allocations too.

    Returns:
        Whether the C library accepted the settings; libraries other than glibc lack them, and nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    large = mallopt(_MMAP, _THRESHOLD) or mallopt(_MMAP, _OLD_THRESHOLD)
    return bool(large and mallopt(_TRIM, 2**31 - 1))
