"""Packs of one small tile with values by hand, and inputs that read all of a pack."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from data.pack import Pack
from data.pack.channels import SAR_CHANNELS
from data.tiles import ACQUISITIONS
from tests.support.tile_files import EVENT
from tuning.baselines.inputs import Inputs

VV = "s1asc:VV"
SIDE = 5  # px


def put_by_hand(
    pack: Pack, series: dict[str, list[float]], before: int = 2, side: int = SIDE
) -> Pack:
    """Return a pack of one tile with each channel's series in dB at every pixel.

    The first dates are before the event. Repeats of the last image fill the series up to 15, as in real tiles.
    """
    orbits = sorted({channel.split(":")[0] for channel in series})
    steps = len(next(iter(series.values())))
    bands = {orbit: np.zeros((1, steps, 2, side, side), np.float16) for orbit in orbits}
    for channel, values in series.items():
        orbit, band = channel.split(":")
        bands[orbit][0, :, ["VV", "VH"].index(band)] = np.array(values)[:, None, None]
    days = (np.arange(steps) - before) * 12 + 6
    times = np.broadcast_to(EVENT + days.astype("m8[D]"), (1, len(orbits), steps)).copy()
    mask = np.zeros((1, side, side), np.uint8)
    return replace(pack, tile_ids=("a",), bands=bands, times=times, mask=mask)


def repeat_last(pack: Pack, times: int) -> Pack:
    """Return a pack whose series end with the last image so many times more."""
    at = [*range(pack.times.shape[-1]), *[-1] * times]
    bands = {orbit: values[:, at] for orbit, values in pack.bands.items()}
    return replace(pack, bands=bands, times=pack.times[..., at])


def read_all(pack: Pack, channels: Sequence[str] = SAR_CHANNELS) -> Inputs:
    """Return inputs of all acquisitions; repeats fill a shorter series up."""
    lacking = ACQUISITIONS - pack.times.shape[-1]
    return Inputs(repeat_last(pack, lacking) if lacking else pack, channels, "all", ACQUISITIONS)
