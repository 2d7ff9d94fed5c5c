"""What somebody needs to make predictions with another program: the split's hash, the tiles, a provenance to fill in."""

import csv
import io
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from data.io.durable import write_atomically
from data.io.safe_json import read_json, refused_error, show_value
from data.tiles import TILE_PX
from data.tiles.paths import region_of
from tuning.score.target import Target
from tuning.trial.foreign.provenance import PROVENANCE_FILE, empty_provenance

SPLIT_FILE, TILES_FILE = "split.json", "tiles.csv"
COLUMNS = ("tile_id", "part", "fold", "region", "crs", "height", "width", *"abcdef")


def write_template(target: Target, folder: Path) -> list[Path]:
    """Write ``split.json``, ``tiles.csv`` and, if it is missing, ``provenance.json``.

    Args:
        target: The campaign.
        folder: Folder of the predictions; created if it is missing.

    Returns:
        The files that were written.

    Raises:
        RefusedError: If the folder has the ``split.json`` of another split.
    """
    if (folder / SPLIT_FILE).exists():
        check_split_hash(target, folder)
    folder.mkdir(parents=True, exist_ok=True)
    content = {"campaign": target.name, "split": target.split, "split_hash": target.split_hash}
    texts = {SPLIT_FILE: json.dumps(content, indent=1) + "\n", TILES_FILE: _format_tiles(target)}
    if not (folder / PROVENANCE_FILE).exists():
        texts[PROVENANCE_FILE] = json.dumps(empty_provenance(), indent=1) + "\n"
    for name, text in texts.items():
        write_atomically(folder / name, partial(Path.write_text, data=text))
    return [folder / name for name in texts]


def check_split_hash(target: Target, folder: Path) -> None:
    """Check that predictions are of the campaign's split: train, val and test tiles are the same.

    Raises:
        RefusedError: If they are of another split, or do not say of which.
    """
    file = folder / SPLIT_FILE
    remedy = f"`python -m tuning.score --template DIR --campaign {target.name}` writes {SPLIT_FILE} and lists the tiles."
    if not file.is_file():
        rule = f"Predictions must say of which split they are, in {SPLIT_FILE}"
        raise refused_error(rule, "no such file", folder, remedy)
    if (got := read_json(file).get("split_hash")) != target.split_hash:
        rule = f"Predictions must be of the split {target.split} of campaign {target.name}, split_hash {target.split_hash}"
        raise refused_error(
            rule, show_value(got), file, f"Predict the tiles of this split: {remedy}"
        )


def _format_tiles(target: Target) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(_list_tiles(target))
    return text.getvalue()


def _list_tiles(target: Target) -> Iterator[list[Any]]:
    """Yield a row per test tile, then per val tile, of each fold; unknown values are empty."""
    for fold in target.folds:
        for part, tiles in (("test", fold.test), ("val", fold.val)):
            for tile in tiles:
                numbers = target.find_transform(tile) or [""] * 6
                place = [region_of(tile), " ".join(target.find_crs(tile))]
                yield [tile, part, fold.name, *place, TILE_PX, TILE_PX, *numbers]
