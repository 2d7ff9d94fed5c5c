"""From a registered model to a map: tiles or a datacube in, GeoTIFFs, landslide polygons and a picture out.

    python -m tuning.predict --model models:/hokkaido-unet@champion --input TILES --out DIR

Input is a folder of tiles, one tile's file, or a datacube of any size (NetCDF or Zarr). docs/write_map.md tells more.
"""

import argparse
import logging
import sys
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from data.scene.windows import ALIGN_PX
from data.tiles.rules import EVENT

OVERLAP_PX = 32


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tuning.predict", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add(
        "--model",
        required=True,
        help="models:/NAME@ALIAS, models:/NAME/VERSION, or a model's folder",
    )
    add("--input", required=True, type=Path, help="folder of tiles, a tile's file, or a datacube")
    add("--out", required=True, type=Path, help="new folder for the map")
    add("--root", type=Path, default=Path("mlruns"), help="output folder of the campaign")
    add("--threshold", type=float, help="landslide from this probability (default: the model's)")
    add("--tta", action="store_true", help="average over flips of the input: four times the work")
    add("--ensemble", action="store_true", help="average over all seeds of the model's study")
    add(
        "--units", choices=("dB", "linear"), help="of the backscatter (default: told from the data)"
    )
    add("--event", type=_read_event, default=str(EVENT), help="UTC (default: %(default)s)")
    add("--device", default="auto", help="auto, cpu, cuda, …")
    add(
        "--window",
        type=_read_window,
        help="px, of a datacube (default: 512, or 128 for a network with GroupNorm)",
    )
    add("--overlap", type=int, default=OVERLAP_PX, help="px (default: %(default)s)")
    return parser.parse_args(argv)


def _read_event(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"must be a time such as 2018-09-05T18:08, but got {text!r}"
        ) from error


def _read_window(text: str) -> int:
    side = int(text)
    if side < ALIGN_PX or side % ALIGN_PX:
        raise argparse.ArgumentTypeError(f"must be a multiple of {ALIGN_PX}, but got {side}")
    return side


def main(argv: list[str] | None = None) -> int:
    """Make a map; return the exit code, 1 where a tile is missing in it."""
    args = _parse(argv)
    from tuning.tracking.errors import end_command  # imports take seconds: --help does without

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("pyogrio").setLevel(logging.WARNING)
    try:
        return end_command(lambda: _map(args))
    except KeyboardInterrupt:
        print("Stopped; nothing was written.", file=sys.stderr)
        return 130


def _map(args: argparse.Namespace) -> int:
    from tuning.predict import summary, write_map

    job = write_map.prepare_map(args)
    totals = write_map.make_map(job, args.out)
    print(f"{summary.format_totals(totals, job.threshold)}.\nMap: {args.out}/")
    return _say_missing(job.scene.excluded)


def _say_missing(excluded: Collection[str]) -> int:
    if not excluded:
        return 0
    names = ", ".join(sorted(excluded))
    print(
        f"error: {len(excluded)} tiles are missing in the map, with reasons in summary.json: {names}.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
