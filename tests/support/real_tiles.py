"""The three files of one real tile of Sen12Landslides; ``real/ATTRIBUTION.md`` has their source, licence and hashes."""

import json
import re
from pathlib import Path

import numpy as np

REAL_TILES = Path(__file__).with_name("real")
REAL_ID = "italy_4120"


def read_hashes() -> dict[str, str]:
    """Return the SHA-256 of each file in the attribution, by relative path."""
    text = (REAL_TILES / "ATTRIBUTION.md").read_text()
    return dict(re.findall(r"`(\S+\.nc)` \| `([0-9a-f]{64})`", text))


def read_dates() -> dict[str, list[tuple[int, np.ndarray]]]:
    """Return the date lists of 1,281 Italian tiles per orbit: number of tiles, and dates of shape ``(8,)``."""
    lists = json.loads((REAL_TILES / "italy_dates.json").read_text())
    return {
        orbit: [(row["tiles"], np.array(row["dates"], "M8[s]")) for row in rows]
        for orbit, rows in lists.items()
    }
