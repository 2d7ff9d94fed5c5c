"""Names of products, tracks of absolute orbits, and directions from the local time."""

from datetime import UTC, datetime

import pytest

from data.search.products import direction_of, read_granule, read_product, track_of


def test_name_of_esa_says_time_and_track() -> None:
    name = "S1B_IW_GRDH_1SDV_20180906T083510_20180906T083535_012600_0173F1_rtc"
    product = read_product(name)
    assert product is not None
    assert (product.platform, product.track) == ("sentinel-1b", (12600 - 27) % 175 + 1)
    assert product.start == datetime(2018, 9, 6, 8, 35, 10, tzinfo=UTC)


def test_name_of_opera_says_burst_track_and_processing() -> None:
    name = "OPERA_L2_RTC-S1_T035-073251-IW2_20240105T211204Z_20240106T035531Z_S1A_30_v1.0"
    product = read_product(f"https://example.org/{name}/{name}_VV.tif")
    assert product is not None
    assert (product.name, product.track, product.burst) == (name, 35, "T035-073251-IW2")
    assert product.made == datetime(2024, 1, 6, 3, 55, 31, tzinfo=UTC)


@pytest.mark.parametrize("quantity", ["gp", "sd"])
def test_name_of_hyp3_says_what_it_holds(quantity: str) -> None:
    product = read_product(f"S1A_IW_20180906T083510_DVP_RTC10_G_{quantity}uned_B8D9_VV.tif")
    assert product is not None
    assert (product.quantity, product.track) == (quantity, None)


@pytest.mark.parametrize("name", ["", "image.tif", "S2A_MSIL2A_20180906T012701_N0208_R074_T54TWN"])
def test_other_names_say_nothing(name: str) -> None:
    assert read_product(name) is None


def test_granule_is_found_in_the_text_of_a_note() -> None:
    granule = "S1A_IW_SLC__1SDV_20180906T083509_20180906T083536_023570_02911E_CF51"
    product = read_granule(f"The source granule used to generate the products is:\n{granule}\n")
    assert product is not None
    assert product.track == (23570 - 73) % 175 + 1


@pytest.mark.parametrize(
    ("satellite", "orbit", "day", "track"),
    [
        ("S1A", 43004, "2022-04-30", 57),
        ("sentinel-1b", 27, "2016-05-01", 1),
        ("S1C", 1000, "2025-01-10", 129),
        ("S1C", 9000, "2026-06-15", None),  # while it was moved
        ("S1C", 9000, "2026-08-01", 152),
        ("S1D", 42, "2026-01-01", 1),
        ("S1E", 42, "2036-01-01", None),
    ],
)
def test_track_follows_from_the_absolute_orbit(
    satellite: str, orbit: int, day: str, track: int | None
) -> None:
    time = datetime.fromisoformat(day).replace(tzinfo=UTC)
    assert track_of(satellite, orbit, time) == track


@pytest.mark.parametrize(
    ("hour", "longitude", "latitude", "orbit"),
    [
        (8.6, 142, 43, "s1asc"),  # Hokkaido
        (20.7, 142, 43, "s1dsc"),
        (11.7, -90, 15, "s1dsc"),  # Guatemala, 5:42 local time
        (0.2, -90, 15, "s1asc"),
        (8.6, 180.5, -17, "s1asc"),
        (8.6, 142, 75, None),
    ],
)
def test_direction_follows_from_the_local_time(
    hour: float, longitude: float, latitude: float, orbit: str | None
) -> None:
    time = datetime(2018, 9, 6, int(hour), round(hour % 1 * 60), tzinfo=UTC)
    assert direction_of(time, longitude, latitude) == orbit
