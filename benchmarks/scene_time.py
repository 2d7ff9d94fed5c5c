"""Seconds per 1,000 km2 from an event to a map, split into search, load and map, beside a catalogue on this machine.

    python benchmarks/scene_time.py [--side PX] [--latency S] [--model MODEL --root DIR]

The catalogue is a stand-in of a STAC API on the loopback interface (`tests/support/loopback_catalogue.py`). Its frames show
four tiles of the twin's Noto again and again, on 12 passes of each orbit direction. Each answer is held back by the latency,
but the bandwidth is the machine's own, so loading from a real catalogue takes longer by the time that its bytes take: they
are printed. The search hardly depends on the area. The map is that of `python -m tuning.predict` with all files, without
counting false alarms, and needs a trained model: a random one finds landslides everywhere. Without --model there is no map.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.loopback_catalogue import LoopbackCatalogue, serve_catalogue
from tests.support.loopback_places import NARROW_TRACK, Place, Seen, list_nearest, make_twin_place
from tests.support.loopback_products import USUAL

BEFORE, AFTER = 8, 4


def enlarge(place: Place, side: int) -> Place:
    """Return a place of so many pixels a side, which shows another one again and again, turned over at its edges."""
    rows = np.resize(np.r_[0 : place.heights.shape[0], place.heights.shape[0] - 1 : -1 : -1], side)
    passes = [
        replace(seen, decibels=seen.decibels[:, rows][:, :, rows])
        for seen in _choose(place)
        if seen.track != NARROW_TRACK
    ]
    heights, mask = (maps[rows][:, rows] for maps in (place.heights, place.mask))
    return replace(place, passes=tuple(passes), heights=heights, mask=mask)


def _choose(place: Place) -> list[Seen]:
    tracks = {(seen.orbit, seen.track) for seen in place.passes}
    chosen = [one for key in sorted(tracks) for one in list_nearest(place, *key, BEFORE, AFTER)]
    return sorted(chosen, key=lambda seen: seen.time)


def run(catalogue: LoopbackCatalogue, words: Sequence[str]) -> tuple[str, float]:
    """Run a command beside the catalogue; return what it printed and its seconds."""
    environment = catalogue.environment | {"PYTHONPATH": os.pathsep.join(sys.path)}
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", *words],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout, time.perf_counter() - began


def measure_scene(catalogue: LoopbackCatalogue, to: Path) -> tuple[float, float, str, float]:
    """Make the scene; return the seconds of search and load, the bytes received and the area in km2."""
    place = catalogue.places["twin"]
    inner = place.inner_box(12 + len(place.heights) // 50)  # degrees are turned against UTM
    words = ["data.scene", "--bbox", *map(str, inner), "--event", place.event]
    said, _ = run(catalogue, [*words, "--source", f"stac:{catalogue.stac}", "--to", str(to)])
    times = re.search(r"Search ([\d.]+) s, load ([\d.]+) s: .* chunks, (.+) received", said)
    area = re.search(r": ([\d,.]+) km2 in", said)
    if times is None or area is None:
        raise RuntimeError(f"The command printed no times: {said}")
    return float(times[1]), float(times[2]), times[3], float(area[1].replace(",", ""))


def measure_map(
    catalogue: LoopbackCatalogue, scene: Path, out: Path, words: Sequence[str]
) -> float:
    """Map the scene; return the seconds of the whole command."""
    return run(catalogue, ["tuning.predict", *words, "--input", str(scene), "--out", str(out)])[1]


def print_line(step: str, seconds: float, km2: float, more: str = "") -> None:
    """Print what a step took."""
    per_area = f"{1000 * seconds / km2:.0f} s per 1,000 km2"
    print(f"{step:6} {seconds:6.1f} s, {per_area}{more and '; '}{more}", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Print a line each for search, load and map."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=1_600, help="px (default: %(default)s)")
    parser.add_argument(
        "--latency", type=float, default=0.05, help="s of each answer (default: %(default)s)"
    )
    parser.add_argument("--model", help="registered model, or folder of a downloaded one")
    parser.add_argument("--root", type=Path, default=Path("mlruns"), help="registry of --model")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large = enlarge(make_twin_place(), args.side)
        with serve_catalogue(folder / "catalogue", lambda: {"twin": large}, USUAL) as catalogue:
            catalogue.server.slow["/"] = args.latency
            scene = folder / "scene.zarr"
            search, load, received, km2 = measure_scene(catalogue, scene)
            print(
                f"{km2:,.0f} km2, {BEFORE} + {AFTER} passes of 2 orbits, {args.latency:g} s an answer:"
            )
            print_line("search", search, km2)
            print_line("load", load, km2, f"{received} received")
            if args.model:
                words = ["--model", args.model, "--root", str(args.root), "--untrusted"]
                print_line("map", measure_map(catalogue, scene, folder / "map", words), km2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
