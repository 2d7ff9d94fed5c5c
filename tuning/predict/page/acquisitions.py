"""The acquisitions that the networks of a map read, for its summary."""

from typing import Any

import numpy as np

from data.scene.base import Scene, SeriesDates


def list_acquisitions(scene: Scene) -> dict[str, list[dict[str, Any]]]:
    """Return the different acquisitions that the networks read.

    Args:
        scene: A scene that was mapped. Tiles may differ in their dates.

    Returns:
        By modality, such as ``s1asc``: ``time`` (UTC) and ``days`` from the event, negative before it, in order of time.
    """
    return {name: _list_series(series) for name, series in scene.dates.items()}


def _list_series(series: list[SeriesDates]) -> list[dict[str, Any]]:
    read = {
        (str(time.astype("datetime64[s]")), round(float((time - one.event) / _DAY), 2))
        for one in series
        for time in one.chosen
    }
    return [{"time": time, "days": days} for time, days in sorted(read)]


_DAY = np.timedelta64(1, "D")
