"""The simulated models of the benchmarks, for tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from _simulated import Layout, read_layout, repeat_layout, simulate

__all__ = ["Layout", "read_layout", "repeat_layout", "simulate"]
