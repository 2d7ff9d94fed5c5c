"""Soil moisture and rain over a region: what changes with the date everywhere, and how long it lasts.

Soil moisture is shared by both orbit directions and carried over from date to date; rain and wet leaves are of one date.

Reference:
    Memory of surface soil moisture, days to weeks: McColl et al. (2017), doi 10.1038/ngeo2868.
"""

from dataclasses import dataclass, field

import numpy as np

from data.twin.noise import Noise, NoiseWindow

_MEMORY_DAYS = 18  # moisture is drawn at this interval, and interpolated between
_FRONT_PX, _SHOWER_PX = 300, 25  # sizes of its patterns


@dataclass(frozen=True)
class Weather:
    """The weather over one window of pixels; maps have shape ``(H, W)``, and are standardised."""

    window: NoiseWindow
    noise: Noise
    _nodes: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    def moisture(self, day: int) -> np.ndarray:
        """Return the soil moisture of an ordinal day: its correlation over 12 days is about 0.6."""
        node, part = divmod(day, _MEMORY_DAYS)
        later = part / _MEMORY_DAYS
        both = (1 - later) * self._draw_node(node) + later * self._draw_node(node + 1)
        return np.asarray(both / np.hypot(1 - later, later), np.float32)

    def rain(self, day: int, orbit: str) -> np.ndarray:
        """Return what only one overpass sees."""
        own = self.noise.normal(f"rain {orbit}", np.array([day]), np.array([0]))
        fields = self._draw_fields(f"rain {orbit} {day}")
        return np.asarray(0.6 * own + 0.8 * fields, np.float32)

    def draw(self, day: int, orbit: str, count: int) -> np.ndarray:
        """Draw standard normal numbers of one overpass, shape ``(count,)``."""
        return self.noise.normal(f"weather {orbit}", np.full(count, day), np.arange(count))

    def _draw_node(self, node: int) -> np.ndarray:
        if node not in self._nodes:
            own = self.noise.normal("moisture", np.array([node]), np.array([0]))
            fields = self._draw_fields(f"moisture {node}")
            self._nodes[node] = np.asarray(0.6 * own + 0.8 * fields, np.float32)
        return self._nodes[node]

    def _draw_fields(self, name: str) -> np.ndarray:
        front = self.noise.smooth(f"{name} front", _FRONT_PX, self.window)
        shower = self.noise.smooth(f"{name} shower", _SHOWER_PX, self.window)
        return np.asarray((front + shower) / np.sqrt(2), np.float32)
