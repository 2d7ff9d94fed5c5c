"""A second, invented region differs in everything that regions differ in."""

from datetime import date

import numpy as np

from data.tiles import TILE_PX
from data.tiles.regions import read_regions
from data.twin.noise import NoiseWindow
from data.twin.regions import HOKKAIDO, NOTO, REGIONS, read_sites


def test_hokkaido_has_the_catalogue_s_tiles_and_event() -> None:
    assert len(HOKKAIDO.list_sites()) == 290
    assert str(HOKKAIDO.calendar.event) == str(read_regions()["hokkaido"].event)[:10]


def test_noto_is_unknown_to_the_catalogue() -> None:
    assert "noto" not in read_regions()
    assert (NOTO.calendar.event, NOTO.utm_zone) == (date(2024, 1, 1), 53)


def test_noto_has_three_percent_of_landslides_on_half_of_its_tiles() -> None:
    pixels = np.array([site.annotated_px for site in NOTO.list_sites()])
    assert (pixels.size, (pixels > 0).sum()) == (72, 36)
    assert abs(pixels.mean() / TILE_PX**2 - 0.03) < 1e-4
    assert 0 < pixels[pixels > 0].min() < pixels.max() < 0.2 * TILE_PX**2


def test_sites_are_distinct_and_of_their_region() -> None:
    sites = read_sites()
    assert len(sites) == 290 + 72
    for region in REGIONS.values():
        places = {(site.column, site.row) for site in sites.values() if site.region == region.name}
        assert len(places) == len(region.list_sites())


def test_noto_s_ridge_has_hills_and_a_coast() -> None:
    low, high = [], []
    for site in NOTO.list_sites():
        window = NoiseWindow.around(site.column, site.row, halo=0)
        base, log_relief = NOTO.heights(window)
        assert base.shape == log_relief.shape == (TILE_PX, TILE_PX)
        low.append(base.min())
        high.append(base.max())
    assert min(low) < 40
    assert 250 < max(high) < 400
