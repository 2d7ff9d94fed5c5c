"""The page names the tiles that a split lists and the data lack."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tuning.page.html import Text
from tuning.report.sections.runs import build_splits_section


def read_texts(folder: Path, missing: list[str]) -> list[str]:
    sizes = {"tiles": 1, "with_landslides": 1, "positive_px": 9, "share": 0.1}
    none: dict[str, list[str]] = {"val": [], "test": []}
    split = {
        "name": "mine",
        "parts": dict.fromkeys(("train", "val", "test"), sizes),
        "touching_train_by_edge": none,
        "touching_train_by_edge_or_corner": none,
        "missing": missing,
    }
    (folder / "splits.json").write_text(json.dumps({"splits": [split]}))
    context: Any = SimpleNamespace(folder=folder)
    return [block.text for block in build_splits_section(context).blocks if isinstance(block, Text)]


def test_tiles_of_a_split_that_the_data_lack_are_named(tmp_path: Path) -> None:
    texts = read_texts(tmp_path, ["hokkaido_99999", "hokkaido_88888"])
    assert texts == ["Split mine lists 2 tiles that the data lack: hokkaido_88888, hokkaido_99999."]
    assert read_texts(tmp_path, []) == []
