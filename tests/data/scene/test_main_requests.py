"""`python -m data.scene` for requests that cannot be met: the rule, what was given, and the remedy; nothing is written."""

from pathlib import Path

import pytest
import zarr

from tests.support.forked_commands import Server
from tests.support.loopback_catalogue import LoopbackCatalogue
from tests.support.loopback_scenes import list_words, open_orbit, run

BAD: dict[str, tuple[dict[str, list[str]], int, tuple[str, ...]]] = {
    "north before south": (
        {"--bbox": ["136.70", "37.23", "136.71", "37.22"]},
        2,
        ("--bbox must be W S E N", "Did you mean --bbox 136.7 37.22 136.71 37.23?"),
    ),
    "latitudes first": (
        {"--bbox": ["37.22", "136.70", "37.23", "136.71"]},
        2,
        ("--bbox must be W S E N", "Did you mean --bbox 136.7 37.22 136.71 37.23?"),
    ),
    "a future event": (
        {"--event": ["2031-05-01"]},
        2,
        ("The event must lie in the past", "2031-05-01"),
    ),
    "an event before Sentinel-1": ({"--event": ["2011-03-11"]}, 2, ("2014-10-03",)),
    "no time": ({"--event": ["yesterday"]}, 2, ("must be a day or a time (UTC)", "yesterday")),
    "a place without images": (
        {"--bbox": ["10.0", "50.0", "10.1", "50.1"]},
        1,
        ("There must be acquisitions of Sentinel-1 RTC over the area", "the year of --event"),
    ),
    "a time without images": (
        {"--event": ["2019-01-01"]},
        1,
        ("There must be acquisitions of Sentinel-1 RTC over the area",),
    ),
    "a time after which no images are": (
        {"--event": ["2024-03-20"]},
        1,
        ("there must be acquisitions before and after the event", "The next pass was due about"),
    ),
    "an unknown catalogue": ({"--source": ["planetry"]}, 2, ("Did you mean", "planetary")),
    "a folder that is not there": ({"--source": ["folder:nowhere"]}, 2, ("nowhere",)),
    "too wide an area": ({"--bbox": ["130", "37.2", "150", "37.3"]}, 2, ("zone", "Divide it")),
}


@pytest.mark.parametrize("name", BAD)
def test_request_that_cannot_be_met_is_refused_with_its_remedy(
    name: str, catalogue: LoopbackCatalogue, scene_commands: Server, tmp_path: Path
) -> None:
    changes, code, texts = BAD[name]
    words = list_words(catalogue, tmp_path / "noto.zarr")
    for option, values in changes.items():
        first = words.index(option) + 1
        words[first : first + len(values)] = values
    answer = run(scene_commands, catalogue, words)
    assert answer.code == code, answer.said
    for text in texts:
        assert text in answer.said
    assert "Traceback" not in answer.said
    assert list(tmp_path.iterdir()) == []


def test_fewer_acquisitions_than_wanted_are_taken_with_a_note(
    catalogue: LoopbackCatalogue, scene_commands: Server, tmp_path: Path
) -> None:
    to = tmp_path / "noto.zarr"
    words = list_words(catalogue, to, "asf")
    words[words.index("--event") + 1] = "2024-02-20"
    answer = run(scene_commands, catalogue, [*words, "--before", "1", "--after", "4"])
    assert answer.code == 0, answer.said
    assert "Ascending: there are 2 acquisitions after the event, where 4 were asked" in answer.said
    assert "The next pass was due about 2024-03-19" in answer.said
    assert open_orbit(to, "s1asc").sizes["time"] == 3


def test_scene_that_is_there_is_used_again_and_never_replaced(
    catalogue: LoopbackCatalogue, scene_commands: Server, tmp_path: Path
) -> None:
    to = tmp_path / "noto.zarr"
    words = [*list_words(catalogue, to), "--before", "1", "--after", "1"]
    assert run(scene_commands, catalogue, words).code == 0
    made = zarr.open_group(to, mode="r").attrs["created"]
    catalogue.calm()
    answer = run(scene_commands, catalogue, words)
    assert answer.code == 0, answer.said
    assert "was there already" in answer.said
    assert not catalogue.server.log
    answer = run(scene_commands, catalogue, [*words[:-1], "2"])
    assert answer.code == 2, answer.said
    assert "A scene that exists is used for the request that it was made for" in answer.said
    assert zarr.open_group(to, mode="r").attrs["created"] == made
