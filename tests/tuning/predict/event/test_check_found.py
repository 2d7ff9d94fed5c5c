"""A scene that no version of a model can map is refused before it is loaded."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from shapely.geometry import box

from data.scene.base import InputSpec
from data.search.acquisitions import Acquisition, Found
from data.tiles.map_dates import DatesError, LearntDates
from tuning.predict import pick
from tuning.predict.event.check_found import check_found

NAME = "hokkaido-unet"
EVENT = np.datetime64("2018-09-05T18:08")
LEARNT = LearntDates(days=(-17, -5, 7, 19), after=2, least_after=2)
CHANNELS = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")


def make_spec(*channels: str, least: int = 2) -> InputSpec:
    learnt = LearntDates(LEARNT.days, LEARNT.after, least)
    orbits = dict.fromkeys(name.partition(":")[0] for name in channels if ":" in name)
    return InputSpec(channels, 4, "event", learnt=tuple((name, learnt) for name in orbits))


def make_found(days: dict[str, list[int]], *, heights: bool = True) -> Found:
    def acquire(orbit: str, day: int) -> Acquisition:
        time = EVENT + np.timedelta64(day, "D")
        return Acquisition(orbit, 46, time, "sentinel-1a", (), 1.0)

    return Found(
        box(142.0, 42.7, 142.1, 42.8),
        EVENT,
        "planetary",
        "http://127.0.0.1",
        {orbit: tuple(acquire(orbit, day) for day in ones) for orbit, ones in days.items()},
        heights=("item",) if heights else (),  # type: ignore[arg-type]
    )


@pytest.fixture
def specs(monkeypatch: pytest.MonkeyPatch) -> dict[str, InputSpec]:
    """The versions of a registry: the champion by the model's name, others by their URI."""
    known: dict[str, InputSpec] = {}

    def load(model: str, root: Path, ensemble: bool = False) -> Any:
        return [SimpleNamespace(spec=known[model])]

    def find(client: object, name: str, alias: str) -> str | None:
        return "2" if f"models:/{name}@{alias}" in known else None

    monkeypatch.setattr(pick, "load_members", load)
    monkeypatch.setattr(pick, "open_registry", lambda root: None)
    monkeypatch.setattr(pick, "find_model", lambda client, name: name)
    monkeypatch.setattr(pick, "find_version_by_alias", find)
    return known


def check(found: Found) -> str:
    return check_found(found, NAME, Path("mlruns"))


BOTH = {"s1asc": [-17, -5, 7, 19], "s1dsc": [-18, -6, 6, 18]}


def test_a_scene_like_the_train_tiles_is_loaded(specs: dict[str, InputSpec]) -> None:
    specs[NAME] = make_spec(*CHANNELS)
    assert check(make_found(BOTH)) == ""


def test_an_orbit_or_heights_that_were_not_found_are_named(specs: dict[str, InputSpec]) -> None:
    specs[NAME] = make_spec(*CHANNELS, "DEM")
    message = (
        r"^The model reads s1asc, s1dsc, DEM, but planetary has no s1dsc of this place around 2018-09-05T18:08\. "
        r"Choose a model of the other orbit, another --source, or wait"
    )
    with pytest.raises(ValueError, match=message):
        check(make_found({"s1asc": BOTH["s1asc"]}))
    with pytest.raises(ValueError, match=r"has no DEM of .* Choose a model that reads less, or"):
        check(make_found(BOTH, heights=False))


def test_too_few_acquisitions_are_refused_or_the_version_for_them_is_picked(
    specs: dict[str, InputSpec],
) -> None:
    early = make_found({"s1asc": [-17, -5, 7], "s1dsc": [-18, -6, 6]})
    specs[NAME] = make_spec(*CHANNELS)
    with pytest.raises(DatesError, match=r"there is 1 after it, where the network learnt from 2"):
        check(early)
    specs[f"models:/{NAME}@rapid"] = make_spec(*CHANNELS, least=1)
    assert check(early).endswith(f"Picked models:/{NAME}@rapid, not @champion.")
