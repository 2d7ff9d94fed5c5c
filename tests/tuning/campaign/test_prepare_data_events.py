from types import SimpleNamespace

import numpy as np

from tuning.campaign.prepare_data import list_events


def test_events_are_listed_of_regions_that_have_one() -> None:
    times = ["2024-01-01T07:10", "2018-09-05T18:08", "2024-01-01T07:10", "2020-01-01", "2021-01-01"]
    regions = ("noto", "hokkaido", "noto", "italy", "italy")
    pack = SimpleNamespace(regions=regions, events=np.array(times, "datetime64[s]"))
    assert list_events(pack) == "hokkaido=2018-09-05T18:08:00 noto=2024-01-01T07:10:00"
