"""Change of backscatter after an event, by orbit: what each orbit saw, before any network has judged it."""

from collections.abc import Sequence

import numpy as np

from data.values.coverage import OrbitDates

STEPS_PER_DB = 64  # far finer than speckle; coarser numbers compress to a third of the size


def measure_change(
    channels: Sequence[str], x: np.ndarray, orbits: Sequence[OrbitDates]
) -> np.ndarray:
    """Measure the change of backscatter after the event among the acquisitions that a network reads.

    It is the mean over the polarisations of the mean of the acquisitions after the event less the mean of those before it.
    An acquisition that is repeated counts once, and one has data where all its polarisations have, as in
    :func:`data.values.coverage.count_acquisitions`.

    Args:
        channels: Channel names.
        x: The acquisitions, shape ``(T, C, H, W)``, float32, backscatter in dB; NaN = no data.
        orbits: Their dates, K orbits.

    Returns:
        dB in steps of 1/64, shape ``(K, H, W)``, float32; NaN where an orbit has no acquisition on one side of the event.
    """
    change = np.empty((len(orbits), *x.shape[2:]), np.float32)
    for orbit, out in zip(orbits, change, strict=True):
        bands = _list_bands(channels, orbit)
        out[:] = _subtract(bands, x, orbit)
        if np.isnan(out.sum(dtype=np.float32)):
            out[:] = _subtract_known(bands, x, orbit)
    change *= np.float32(STEPS_PER_DB)
    np.rint(change, out=change)
    change *= np.float32(1 / STEPS_PER_DB)
    return change


def _list_bands(channels: Sequence[str], orbit: OrbitDates) -> list[int]:
    return [place for place, name in enumerate(channels) if name.startswith(f"{orbit.name}:")]


def _subtract(bands: Sequence[int], x: np.ndarray, orbit: OrbitDates) -> np.ndarray:
    """Return one orbit's change as one weighted sum of its planes: exact where none lacks data, else NaN."""
    weights = np.zeros((len(bands), x.shape[0]), np.float32)
    steps = orbit.list_different()
    for side, sign in ((False, -1), (True, 1)):
        own = [step for step, late in steps if late is side]
        weights[:, own or [0]] = sign / (len(own) * len(bands)) if own else np.nan
    # Channels of an orbit are neighbours, and windows lie in memory with the time axis inside the channel axis: no copy.
    together = bands[-1] - bands[0] + 1 == len(bands)
    own_x = x.swapaxes(0, 1)[slice(bands[0], bands[-1] + 1) if together else list(bands)]
    planes = own_x.reshape(weights.size, -1)
    with np.errstate(invalid="ignore"):
        total: np.ndarray = weights.ravel() @ planes
    return total.reshape(x.shape[2:])


def _subtract_known(bands: Sequence[int], x: np.ndarray, orbit: OrbitDates) -> np.ndarray:
    """Return one orbit's change of the acquisitions that have data, shape ``(H, W)``."""
    shape = (2, *x.shape[2:])
    total, count = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for step, late in orbit.list_different():
        values = x[step, bands].mean(axis=0)
        known = ~np.isnan(values)
        np.add(total[int(late)], values, out=total[int(late)], where=known)
        count[int(late)] += known
    with np.errstate(invalid="ignore"):  # 0 / 0 on a side without data
        before, after = total / count
    change: np.ndarray = after - before
    return change
