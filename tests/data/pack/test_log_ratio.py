from dataclasses import replace

import numpy as np

from data.pack import Pack
from data.pack.log_ratio import describe_pairs, log_ratio
from data.splits import Split
from tests.support.tile_files import EVENT


def test_log_ratio_is_after_minus_before(pack: Pack, split: Split) -> None:
    tile = split.test[0]
    row = pack.rows([tile])[0]
    changes = []
    for number, orbit in enumerate(("s1asc", "s1dsc")):
        series = pack.bands[orbit][row, :, 0].astype(np.float64)
        after = pack.times[row, number] > EVENT
        changes.append(series[after].mean(0) - series[~after].mean(0))
    assert np.allclose(log_ratio(pack, [tile])[0], np.mean(changes, axis=0), atol=1e-4)


def test_log_ratio_rises_on_landslides(pack: Pack, split: Split) -> None:
    change, mask = log_ratio(pack, split.test), pack.mask[pack.rows(split.test)]
    assert change[mask == 1].mean() > change[mask == 0].mean() + 0.5


def test_series_of_several_tracks_are_counted(pack: Pack) -> None:
    assert describe_pairs(pack) == ""
    times = pack.times.copy()
    times[0, 0, ::2] += np.timedelta64(5, "D")  # tracks with dates on both sides of the event
    times[1, 1, times[1, 1] > EVENT] += np.timedelta64(
        5, "D"
    )  # a track before it, another after it
    assert describe_pairs(replace(pack, times=times)) == (
        "Dates span several tracks in 2 of 24 series of Sentinel-1. Acquisitions around the event and "
        "bi-temporal baselines compare one track in 1 of them, two tracks in 1."
    )
