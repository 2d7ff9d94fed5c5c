"""Arguments of a map that do not go together are refused; what is not given follows from the others."""

import pytest

from tuning.predict.arguments import parse_arguments

MODEL = ("--model", "hokkaido-unet", "--out", "map")
PLACE = ("--bbox", "141.9", "42.6", "142.1", "42.8")
EVENT = ("--event", "2018-09-05T18:08")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "a map needs either a scene (--input) or a place and a time (--bbox or --aoi, with"),
        (("--input", "a.zarr", *PLACE, *EVENT), "a map needs either a scene (--input) or a place"),
        (PLACE, "--bbox and --aoi need the time of the event: add --event"),
        (("--aoi", "area.geojson"), "--bbox and --aoi need the time of the event: add --event"),
        (
            (*PLACE, *EVENT, "--resample"),
            "--resample, --pattern, --orbit and --units are for --input",
        ),
        (("--input", "a.zarr", "--before", "3"), "--before is for a scene of an event: add --bbox"),
        (("--input", "a.zarr", "--source", "asf"), "--source is for a scene of an event: add --b"),
        (("--input", "a.zarr", "--scene", "b.zarr"), "--scene is for a scene of an event: add"),
        ((*PLACE, "--aoi", "area.geojson", *EVENT), "not allowed with argument"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments([*MODEL, *words])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_false_alarms_are_counted_where_the_scene_is_searched() -> None:
    assert parse_arguments([*MODEL, *PLACE, *EVENT]).false_alarms
    assert not parse_arguments([*MODEL, *PLACE, *EVENT, "--no-false-alarms"]).false_alarms
    assert not parse_arguments([*MODEL, *PLACE, *EVENT, "--placebo"]).false_alarms
    assert not parse_arguments([*MODEL, "--input", "a.zarr"]).false_alarms
