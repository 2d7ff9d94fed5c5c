"""What the machine at hand has."""

import os


def count_cpus() -> int:
    """Count the cores that this process may use, which on Linux may be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
