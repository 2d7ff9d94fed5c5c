"""How Sentinel-1 looks at the ground: its heading, its look direction, and slopes that it cannot see.

Sentinel-1 looks to the right of its track. In Interferometric Wide swath mode its rays meet level ground at 29.1 to 46.0 degrees
from the vertical, and at 38.5 degrees in the middle of the swath to a degree.

A slope that rises towards the radar more steeply than the incidence angle is in active layover: its top is as near to the
radar as its foot, and both fall on the same pixels. A slope that falls away from it more steeply than 90 degrees less the
incidence angle is in active shadow. Passive layover and shadow, of ground that lies before or behind such a slope, need rays
to be traced and are not found here.

References:
    ESA, Sentinel-1 User Handbook (2013), Interferometric Wide swath mode; Torres et al. (2012), GMES Sentinel-1 mission, Remote
    Sensing of Environment 120, doi 10.1016/j.rse.2011.05.028 (orbit of 98.18 degrees, 175 revolutions in 12 days).
    Capderou (2014), Handbook of Satellite Orbits, doi 10.1007/978-3-319-03416-4, chapter 8: angle of a ground track with
    the meridian.
    Kropatsch & Strobl (1990), The generation of SAR layover and shadow maps from digital elevation models, IEEE Transactions on
    Geoscience and Remote Sensing 28(1), doi 10.1109/36.45752: active and passive.
"""

import math

import numpy as np

INCIDENCE_DEG = 38.5  # in the middle of the swath
INCLINATION_DEG = 98.18
DAYS_PER_REVOLUTION = (
    12 / 175
)  # as the orbit keeps its angle to the sun, the Earth turns once a day below it

ASCENDING, DESCENDING = "s1asc", "s1dsc"


def find_heading(orbit: str, latitude_deg: float) -> float:
    """Return the direction in which Sentinel-1 flies over a latitude, in degrees clockwise from north.

    At the equator 348 degrees on an ascending and 192 degrees on a descending orbit; nearer to the poles it turns west.

    Args:
        orbit: ``s1asc`` or ``s1dsc``.
        latitude_deg: Latitude of the ground below the satellite; beyond 81.8 degrees that of its northernmost or southernmost point.

    Raises:
        ValueError: If the orbit is neither.
    """
    if orbit not in (ASCENDING, DESCENDING):
        raise ValueError(f"An orbit must be {ASCENDING} or {DESCENDING}, but got {orbit!r}.")
    sine, cosine = math.cos(math.radians(INCLINATION_DEG)), math.cos(math.radians(latitude_deg))
    # From west to east, and along the meridian, in units of the satellite's own angular speed.
    east = sine - DAYS_PER_REVOLUTION * cosine**2
    north = math.sqrt(max(cosine**2 - sine**2, 0.0))
    angle = math.degrees(math.atan2(east, north))
    return angle % 360 if orbit == ASCENDING else (180 - angle) % 360


def find_look(orbit: str, latitude_deg: float) -> float:
    """Return the direction in which Sentinel-1 looks, at right angles to its heading, in degrees clockwise from north."""
    return (find_heading(orbit, latitude_deg) + 90) % 360


def measure_facing(east: np.ndarray, north: np.ndarray, look_deg: float) -> np.ndarray:
    """Return how steeply the ground rises in the direction of look, so that it faces the radar.

    Args:
        east: Rise of the ground towards the east, in m per m, any shape.
        north: Rise towards the north, same shape.
        look_deg: Look direction, in degrees clockwise from the north of these.

    Returns:
        Degrees, the shape of *east*; negative where the ground faces away from the radar.
    """
    look = np.radians(look_deg)
    facing: np.ndarray = np.degrees(np.arctan(east * np.sin(look) + north * np.cos(look)))
    return facing


def find_layover(facing_deg: np.ndarray, incidence_deg: float = INCIDENCE_DEG) -> np.ndarray:
    """Return where slopes of :func:`measure_facing` are in active layover, bool."""
    return np.asarray(facing_deg > incidence_deg)


def find_shadow(facing_deg: np.ndarray, incidence_deg: float = INCIDENCE_DEG) -> np.ndarray:
    """Return where slopes of :func:`measure_facing` are in active shadow, bool."""
    return np.asarray(-facing_deg > 90 - incidence_deg)
