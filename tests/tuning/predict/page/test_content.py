"""The words of a map's page follow from the summary."""

from typing import Any

import numpy as np
import pytest

from data.scene.base import SeriesDates
from tests.support.map_pages import FACTS
from tuning.predict.familiarity import UNKNOWN
from tuning.predict.page import content, words
from tuning.predict.page.acquisitions import list_acquisitions
from tuning.predict.summary import TOO_FEW

HERE = ("EPSG:32654", (42.764, 141.921))
MANY = "312 landslides with 1,234.6 ha in total were mapped"
NEAR = "near 42.76° N, 141.92° E"
EMPTY = "This does not say that there is none."
SUMMARY: dict[str, Any] = FACTS | {
    "landslides": 312,
    "area_m2": 12_345_678.0,
    "area_share": 0.0004,
    "mapped_km2": 1234.567,
    "coverage": {"mapped": 0.9, TOO_FEW: 0.0, "no data at all": 0.1},
    "threshold": 0.42,
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {},
            f"{MANY} in Eastern Iburi in Hokkaido in Japan after the event of 5 September 2018, 18:08 UTC.",
        ),
        (
            {"landslides": 1, "area_m2": 4200.0, "event": "2023-05-16T23:59:59", "place": "Faenza"},
            "1 landslide of 0.42 ha was mapped in Faenza after the event of 16 May 2023.",
        ),
        (
            {"landslides": 0, "event": "2020-01-02T03:04:00"},
            f"No landslide was mapped {NEAR} after the event of 2 January 2020, 03:04 UTC. {EMPTY}",
        ),
        (
            {"event": "2018-09-05T23:59:59, 2019-02-21T12:22:00", "made_from": "synthetic"},
            f"{MANY} {NEAR} after the events of 5 September 2018 and 21 February 2019, 12:22 UTC on a synthetic scene.",
        ),
    ],
)
def test_the_headline_is_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert content.write_headline(SUMMARY | changes, *HERE) == sentence


def test_a_place_is_not_guessed_from_the_model_s_event() -> None:
    note = "The scene names no event; that of hokkaido is used (2018-09-05T18:08:00), from which the model learnt."
    assert words.find_place(SUMMARY, "EPSG:32654") == "Eastern Iburi in Hokkaido in Japan"
    assert words.find_place(SUMMARY | {"notes": [note]}, "EPSG:32654") == ""
    assert words.find_place(SUMMARY, "EPSG:32633") == ""
    unknown = content.write_headline(SUMMARY, "EPSG:32633", (float("nan"), float("nan")))
    assert "were mapped after the event of" in unknown


def test_places_of_every_quarter_of_the_globe_have_their_letters() -> None:
    assert words.format_degrees(-33.456, -70.6) == "33.46° S, 70.60° W"
    assert words.format_degrees(float("nan"), 1.0) == ""


def test_shares_that_round_to_nothing_are_not_called_nothing() -> None:
    assert words.format_share(0.0) == "0.0%"
    assert words.format_share(0.0004) == "under 0.1%"
    assert words.format_share(0.375) == "37.5%"


@pytest.mark.parametrize(
    ("learnt", "made", "part"),
    [
        ("synthetic", "synthetic", "Model and scene are synthetic"),
        ("real", "synthetic", "The scene is synthetic"),
        ("synthetic", "real", "The model learnt on synthetic tiles"),
    ],
)
def test_each_synthetic_part_is_named(learnt: str, made: str, part: str) -> None:
    assert part in content.list_origins({"learnt_on": learnt, "made_from": made})


def test_real_maps_have_no_synthetic_mark() -> None:
    assert content.list_origins(SUMMARY) == ""
    assert "synthetic" not in " ".join(content.list_credits(SUMMARY))


def test_what_was_not_measured_is_said_with_how_to_measure_it() -> None:
    nothing = {"value": None, "low": None, "high": None}
    unknown = {"precision": nothing, "recall": nothing, "note": "Unknown: the average over flips."}
    summary = SUMMARY | {"expected": unknown, "placebo": None, "terrain": None, "area_share": None}
    facts = dict(content.list_facts(summary))
    for name in ("False alarms to expect", "Precision to expect", "Layover and shadow"):
        assert facts[name] == "not measured"
    trust = " ".join(content.list_trust(summary))
    assert "`--false-alarms`" in trust
    assert "Unknown: the average over flips." in trust


def test_an_unknown_training_is_a_caution_and_a_like_one_is_none() -> None:
    assert content.list_cautions(SUMMARY | {"differs_from_training": None}, []) == [UNKNOWN]
    assert content.list_cautions(SUMMARY, ["A remark."]) == ["A remark."]


def test_many_missing_tiles_are_counted_and_some_named() -> None:
    missing = {f"hokkaido_{number}": "damaged" for number in range(30)}
    [caution] = content.list_cautions(SUMMARY | {"missing_tiles": missing}, [])
    assert caution.startswith("30 tiles are missing in the map: hokkaido_0, ")
    assert caution.endswith(" and 22 more.")


def test_real_data_are_credited_with_their_years() -> None:
    sentinel, heights = content.list_credits(SUMMARY)
    assert sentinel == "Contains modified Copernicus Sentinel data 2018."
    assert "Copernicus DEM GLO-30: © DLR e.V." in heights
    [only] = content.list_credits(SUMMARY | {"made_from": "synthetic"})
    assert "no satellite data" in only


def test_a_scene_from_a_catalogue_names_it_and_the_tracks() -> None:
    loaded = {
        "source": "planetary",
        "address": "https://example.org/stac",
        "tracks": {"s1asc": [46, 68]},
    }
    facts = dict(content.list_provenance(SUMMARY | {"scene": loaded}))
    assert facts["Catalogue"] == "planetary, https://example.org/stac"
    assert "Sentinel-1 ascending, track 46 and 68, acquisitions read" in facts
    assert "Catalogue" not in dict(content.list_provenance(SUMMARY | {"scene": None}))
    assert content.list_credits(SUMMARY | {"scene": loaded})[1].startswith("Heights: Copernicus")


def test_acquisitions_of_all_tiles_are_listed_once_with_their_days() -> None:
    class Dates:
        dates: dict[str, list[SeriesDates]]

    event = np.datetime64("2018-09-05T18:08:00")
    first = np.array(["2018-08-31T08:35", "2018-09-06T08:35"], "datetime64[s]")
    second = np.array(["2018-08-31T08:35", "2018-09-12T08:35"], "datetime64[s]")
    scene = Dates()
    scene.dates = {
        "s1asc": [SeriesDates(first, first[[0, 1, 1]], event), SeriesDates(second, second, event)]
    }
    assert list_acquisitions(scene) == {  # type: ignore[arg-type]
        "s1asc": [
            {"time": "2018-08-31T08:35:00", "days": -5.4},
            {"time": "2018-09-06T08:35:00", "days": 0.6},
            {"time": "2018-09-12T08:35:00", "days": 6.6},
        ]
    }
