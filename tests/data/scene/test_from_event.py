"""From a place and a time to a scene in one command: continued after Ctrl-C, and in a sentence where it cannot be made."""

import argparse
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data.assemble.partial import find_partial
from data.command.explain import CommandError
from data.scene import from_event
from data.scene.__main__ import main
from data.scene.base import InputSpec
from data.scene.from_event import (
    SceneRequest,
    add_scene_arguments,
    describe_dates,
    make_scene,
    read_request,
)
from data.scene.open import open_scene
from tests.support.asset_server import serve_assets
from tests.support.scene_assets import find_area, find_bounds, make_power, write_cog
from tests.support.stac_items import make_heights_item, make_rtc_item

ROOT = Path(__file__).parents[3]
EVENT = np.datetime64("2018-09-05T18:08:00", "s")
DAYS = ("2018-08-13", "2018-08-25", "2018-09-06", "2018-09-18")
AREA = find_area(100, 120, 30, 40)
BBOX = tuple(round(edge, 6) for edge in AREA.bounds)
WORDS = ["--bbox", *map(str, BBOX), "--event", "2018-09-05T18:08"]


def write_catalogue(folder: Path, address: str = "") -> Path:
    """Write a static STAC catalogue of four passes and heights, with their GeoTIFFs beside it."""
    items = []
    for number, day in enumerate(DAYS):
        power = make_power(200, 220, number)
        files = {
            word: write_cog(folder / f"{day}-{word}.tif", power * share)
            for word, share in (("vv", 1), ("vh", 0.1))
        }
        hrefs = {word: f"{address}/{file.name}" if address else str(file) for word, file in files.items()}  # fmt: skip
        footprint = find_bounds(files["vv"])
        items.append(make_rtc_item(f"{day}T08:40:10", footprint, track=68, hrefs=hrefs))
    heights = np.tile(np.arange(220, dtype=np.float32), (200, 1))
    dem = write_cog(folder / "dem.tif", heights)
    south, west = int(AREA.bounds[1]), int(AREA.bounds[0])
    items.append(make_heights_item(south, west, f"{address}/dem.tif" if address else str(dem)))
    for item in items:
        (folder / f"{item['id']}.json").write_text(json.dumps(item))
    links = [{"rel": "item", "href": f"./{item['id']}.json"} for item in items]
    root = {"type": "Catalog", "id": "test", "description": "a test", "stac_version": "1.0.0", "links": links}  # fmt: skip
    (folder / "catalog.json").write_text(json.dumps(root))
    return folder


def test_a_place_and_a_time_become_a_scene(tmp_path: Path) -> None:
    folder, to = write_catalogue(tmp_path / "catalogue"), tmp_path / "scene.zarr"
    request = SceneRequest(EVENT, bbox=BBOX, before=2, after=1, source=f"folder:{folder}")
    report = make_scene(request, to)
    days = [str(time.astype("datetime64[D]")) for time in report.dates["s1asc"]]
    assert days == list(DAYS[:3])
    assert (report.has_heights, report.tracks) == (True, {"s1asc": (68,)})
    assert report.seconds_search > 0
    scene = open_scene(to, InputSpec(("s1asc:VV", "s1asc:VH", "DEM"), 3, "event"))
    assert scene.events == (EVENT,)
    (folder / "catalog.json").rename(tmp_path / "gone")
    (folder / "2018-08-13-vv.tif").unlink()
    again = make_scene(request, to)  # neither searched nor read
    assert again.dates == report.dates
    assert again.seconds_search == 0


def test_a_scene_is_made_in_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, to = write_catalogue(tmp_path / "catalogue"), tmp_path / "scene.zarr"
    assert main([*WORDS, "--source", f"folder:{folder}", "--to", str(to)]) == 0
    out = capsys.readouterr().out
    assert f"{to}: 1.3 km2 in EPSG:32654, 4 acquisitions of s1asc (track 68)" in out
    assert "s1asc, before | after the event: 2018-08-13, 2018-08-25 | 2018-09-06, 2018-09-18" in out
    assert f"Next: python -m tuning.predict --model MODEL --input {to} --out MAP" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bbox", "10", "50", "9", "40", "--source", "planetary"], r"error: .*, but got "),
        (["--aoi", "nosuch.geojson", "--source", "planetary"], r"error: .*nosuch\.geojson"),
        (["--bbox", *map(str, BBOX), "--source", "planetari"], r"error: Unknown --source 'planetari'\. Did you mean 'planetary'\?"),
        (["--bbox", *map(str, BBOX), "--source", "folder:nosuch"], r"error: --source folder:PATH must be a folder, but got none at nosuch"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_met_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    import re

    to = tmp_path / "scene.zarr"
    assert main([*words, "--event", "2018-09-05T18:08", "--to", str(to)]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


def test_an_asset_that_is_missing_ends_the_command_and_the_same_one_continues(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, to = write_catalogue(tmp_path / "catalogue"), tmp_path / "scene.zarr"
    missing = folder / "2018-09-06-vh.tif"
    content = missing.read_bytes()
    missing.unlink()
    words = [*WORDS, "--source", f"folder:{folder}", "--to", str(to), "--workers", "1"]
    assert main(words) == 1
    err = capsys.readouterr().err
    assert f"must be readable, but got no such file for {missing}" in err
    assert f"What was loaded is kept in {find_partial(to)}; the same command continues." in err
    assert not to.exists()
    missing.write_bytes(content)
    assert main(words) == 0
    captured = capsys.readouterr()
    assert "chunks, " in captured.out
    assert " before, " in captured.out
    assert not find_partial(to).exists()


def test_ctrl_c_ends_with_130_and_the_same_command_continues(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    to = tmp_path / "scene.zarr"
    with serve_assets(tmp_path / "catalogue") as server:
        write_catalogue(tmp_path / "catalogue", server.address)
        stalled: list[str] = []

        def stall(path: str) -> None:
            if path == "/2018-09-06-vh.tif" and not stalled:
                stalled.append(path)
                time.sleep(60)

        server.before = stall
        words = [sys.executable, "-m", "data.scene", *WORDS, "--source", f"stac:{server.address}/catalog.json", "--to", str(to), "--workers", "1"]  # fmt: skip
        child = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        while not stalled:
            assert child.poll() is None, child.communicate()
            time.sleep(0.05)
        start = time.monotonic()
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
        assert time.monotonic() - start < 20  # though a server keeps it waiting
        assert child.returncode == 130
        assert "Interrupted." in err
        assert f"kept in {find_partial(to)}; the same command continues." in err
        before = server.count("/2018-08-13-vv.tif")
        assert before > 0
        assert main(words[3:]) == 0
        assert server.count("/2018-08-13-vv.tif") == before
    assert "is continued with the acquisitions that were found before" in caplog.text
    assert to.is_dir()


def test_missing_packages_are_named_with_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(from_event, "_is_installed", lambda name: name != "odc.stac")
    assert main([*WORDS, "--to", str(tmp_path / "scene.zarr")]) == 1
    wanted = "needs packages that are not installed: odc.stac. Install them: pip install -c constraints.txt -e '.[scene]' in the"
    assert wanted in capsys.readouterr().err
    with pytest.raises(CommandError, match=r"not installed: odc\.stac"):
        make_scene(SceneRequest(EVENT, bbox=BBOX), tmp_path / "scene.zarr")


def test_packages_that_are_missing_with_their_parent_are_found_out() -> None:
    assert from_event._is_installed("odc.stac")
    assert not from_event._is_installed("nosuchpackage.part")


def test_help_needs_no_heavy_package() -> None:
    code = (
        "import sys\nfrom data.scene.__main__ import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print({'torch', 'zarr', 'rasterio', 'odc', 'pystac', 'shapely', 'pyproj'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "set()"
    assert "--bbox W S E N" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bbox", "1", "2", "3"], "expected 4 arguments"),
        (["--bbox", "1", "2", "3", "4", "--aoi", "x"], "not allowed with argument"),
        (["--before", "0"], "must be a whole number, 1 or more, but got '0'"),
        (["--after", "two"], "must be a whole number, 1 or more, but got 'two'"),
        (["--event", "soon"], r"must be a day or a time (UTC) such as 2018-09-05T18:08, but got 'soon'"),
        (["--event", "2018-09-05"], "one of the arguments --bbox --aoi is required"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        main([*words, "--to", "scene.zarr"])
    assert message in capsys.readouterr().err


def test_another_command_takes_the_arguments_without_its_own_event() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--event", default=EVENT)
    add_scene_arguments(parser, event=False)
    args = parser.parse_args(["--bbox", "-70.5", "-3", "-70", "-2.5", "--before", "5"])
    wanted = SceneRequest(EVENT, bbox=(-70.5, -3.0, -70.0, -2.5), before=5)
    assert read_request(args) == wanted
    assert parser.parse_args([]).bbox is None


def test_days_are_listed_on_both_sides_of_the_event() -> None:
    times = [np.datetime64(text) for text in ("2018-09-01T01:00", "2018-09-05T18:08")]
    assert describe_dates(times, EVENT) == "2018-09-01, 2018-09-05 | none"
