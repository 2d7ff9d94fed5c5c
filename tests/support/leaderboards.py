"""Bundles of several campaigns: the tiny one, and others that differ from it in one thing."""

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pandas as pd

from data.splits import Split
from tests.support.bundles import SPLIT, edit_campaign, tiny_files, write_bundle
from tuning.bundle.tables import MASTER

Files = dict[str, bytes]
Change = Callable[[Files], Files]
_RUN = re.compile(rb"\b(unet|unet_convlstm|log_ratio_vv)(42|123|777|0)\b")
INPUT = {"reads_channels": "s1asc:VV s1asc:VH", "reads_dates": "4 event"}


def replace_texts(files: Files, old: bytes, new: bytes) -> Files:
    """Return the files with a text replaced in ``campaign.json`` and all tables."""
    return {
        name: text.replace(old, new) if _has_texts(name) else text for name, text in files.items()
    }


def _has_texts(name: str) -> bool:
    return name == "campaign.json" or name.endswith(".csv")


def name_campaign(files: Files, name: str) -> Files:
    """Return the files as those of another campaign, with runs of its own."""

    def change(found: re.Match[bytes]) -> bytes:
        return name.encode() + found[0]

    renamed = {
        file: _RUN.sub(change, text) if _has_texts(file) else text for file, text in files.items()
    }
    return edit_campaign(renamed, lambda content: content.update(name=name))


def state_input(files: Files, **columns: str) -> Files:
    """Return the files with the input of every model in the table."""
    file = f"tables/{MASTER}"
    table = pd.read_csv(StringIO(files[file].decode()), dtype=str, keep_default_na=False)
    return files | {file: table.assign(**(INPUT | columns)).to_csv(index=False).encode()}


def make_real(files: Files) -> Files:
    """Return the files as those of real tiles."""
    return replace_texts(files, b"synthetic", b"real")


def use_other_split(files: Files) -> Files:
    """Return the files as those of a split with another train tile."""
    train = ("hokkaido_103", *SPLIT.train[1:])
    other = Split(SPLIT.name, train, SPLIT.val, SPLIT.test)
    changed = edit_campaign(
        files, lambda content: content["splits"][SPLIT.name].update(train=[*train])
    )
    return replace_texts(changed, SPLIT.hash.encode(), other.hash.encode())


def draw_other_labels(files: Files) -> Files:
    """Return the files with another label of one tile, which has as many landslide pixels."""

    def change(content: dict[str, dict[str, dict[str, str]]]) -> None:
        content["tiles"]["hokkaido_1"]["label_sha256"] = "0" * 64

    return edit_campaign(files, change)


def write_campaign(folder: Path, name: str, *changes: Change, **columns: str) -> Path:
    """Write the bundle of a campaign; return its path."""
    files = state_input(name_campaign(tiny_files(), name), **columns)
    for change in changes:
        files = change(files)
    return write_bundle(folder / f"{name}.zip", files)
