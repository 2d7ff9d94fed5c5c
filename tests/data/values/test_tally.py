"""What was found while reading is counted by acquisition, and judged by it."""

import numpy as np
import pytest

from data.values.tally import BackscatterError, Tally


def make_tally(**counts: list[int]) -> Tally:
    tally = Tally("VV", 2)
    tally.pixels += 1000
    tally.lows, tally.highs = -70.0, 3.0
    for kind, numbers in counts.items():
        tally.counts[kind] += np.array(numbers)
    return tally


def test_more_than_one_pixel_in_a_hundred_beyond_the_range_is_refused() -> None:
    make_tally(beyond=[10, 0]).check("dB")
    with pytest.raises(BackscatterError, match=r"VV must be in \[-50, 10\] dB, but got -70 to 3"):
        make_tally(beyond=[0, 11]).check("dB")
    with pytest.raises(BackscatterError, match="must be in"):  # of those with data
        make_tally(beyond=[10, 0], declared=[500, 0]).check("dB")
    make_tally(beyond=[10, 0], declared=[500, 0]).check("dB", whole=1000)  # more is to come


@pytest.mark.parametrize(
    ("units", "counts", "message"),
    [
        ("dB", {"contrary": [0, 600]}, "VV must be dB on every date, .* above zero .* of date 2"),
        ("linear", {"contrary": [600, 0], "powerless": [600, 0]}, "must be linear power .* below"),
    ],
)
def test_a_date_in_another_unit_is_refused(
    units: str, counts: dict[str, list[int]], message: str
) -> None:
    with pytest.raises(BackscatterError, match=f"{message}.*Convert all dates and bands") as caught:
        make_tally(**counts).check(units)  # type: ignore[arg-type]
    assert caught.value.verdict == "wrong-unit"


def test_no_data_is_reported_by_date() -> None:
    tally = make_tally(declared=[0, 100], fills=[185, 0])
    tally.add_fills(np.array([-32768, -9999], np.float32))
    assert tally.list_shares() == [{"fills": 0.185}, {"declared": 0.1}]
    assert tally.describe(["2018-03-29", "2018-04-22"], ignored=(-9999,)) == (
        "VV holds -32768 where there is no image, though the file does not declare it: "
        "taken as no data (18 % on 2018-03-29)."
    )
    assert tally.valid.tolist() == [815, 900]


def test_nothing_is_said_where_everything_is_declared() -> None:
    assert make_tally(declared=[5, 5]).describe(["a", "b"]) == ""
