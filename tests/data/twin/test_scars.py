"""Landslides change with time, in either sign, so that the order of the acquisitions carries information."""

from dataclasses import replace

import numpy as np
import pytest

from data.twin.noise import Noise
from data.twin.orbits import Season
from data.twin.physics import Physics
from data.twin.regions import HOKKAIDO, read_sites
from data.twin.scars import Scar, add_landslides, make_scar
from data.twin.surface import make_surface

SIZE = 40
SUMMER = Season(leaf=1, frost=0, wet=0)
PHYSICS = HOKKAIDO.physics


def make_plain_scar(change: float = 4.0) -> Scar:
    """A scar that covers everything, with the same change in both bands."""
    return Scar(
        footprint=np.ones((SIZE, SIZE)),
        change=np.full((2, SIZE, SIZE), change),
        visible=np.ones((SIZE, SIZE)),
        regrowth_days=np.full((SIZE, SIZE), 200.0),
        silt=np.zeros((SIZE, SIZE), bool),
    )


def see(
    days: int, physics: Physics = PHYSICS, moisture: float = 0, season: Season = SUMMER
) -> float:
    """Return the change in VV, dB, of a scar *days* after the event."""
    level = np.full((2, SIZE, SIZE), -8.0)
    wet = np.full((SIZE, SIZE), moisture)
    power = add_landslides(level, make_plain_scar(), days, season, wet, physics)
    return float(10 * np.log10(power[0].mean())) + 8


def test_wet_debris_hides_the_change_at_first() -> None:
    assert see(4) < see(16) < see(40)


def test_vegetation_takes_the_change_back() -> None:
    assert see(120) > see(240) > see(480) > 0
    assert see(10_000) == pytest.approx(4 * (1 - PHYSICS.regrowth_share), abs=0.01)


def test_change_does_not_depend_on_time_without_debris_and_regrowth() -> None:
    still = replace(PHYSICS, debris=(0, 0), regrowth_share=0)
    assert see(4, still) == pytest.approx(see(400, still))


def test_bare_ground_follows_soil_moisture_and_frost() -> None:
    assert see(100, moisture=1) > see(100) + 0.3
    assert see(100, season=Season(leaf=0, frost=1, wet=0)) < see(100)


def test_the_stated_share_of_landslides_gets_darker() -> None:
    track, changes = HOKKAIDO.orbits["s1asc"].tracks[0], []
    for tile_id in ("hokkaido_743", "hokkaido_703", "hokkaido_901"):
        surface = make_surface(read_sites()[tile_id], Noise(2018))
        flat = np.zeros(surface.cover.sea.shape)
        scar = make_scar(surface, track, flat, np.zeros(2), Noise(2018))
        assert scar is not None
        for number in np.unique(surface.slides.changed[surface.slides.changed >= 0]):
            here = (surface.slides.changed == number) & (scar.visible > 0.9)
            if here.sum() >= 20:
                changes.append(scar.change[0, here].mean())
    middle = (PHYSICS.slide[0] + PHYSICS.darker[0]) / 2
    assert np.mean(np.array(changes) < middle) == pytest.approx(PHYSICS.darker_share, abs=0.08)


def test_tile_without_landslides_has_no_scar() -> None:
    surface = make_surface(read_sites()["hokkaido_1006"], Noise(2018))
    track = HOKKAIDO.orbits["s1asc"].tracks[0]
    assert make_scar(surface, track, np.zeros((128, 128)), np.zeros(2), Noise(2018)) is None
    level = np.full((2, SIZE, SIZE), -8.0)
    power = add_landslides(level, None, 4, SUMMER, np.zeros((SIZE, SIZE)), PHYSICS)
    np.testing.assert_allclose(10 * np.log10(power), level)
