"""The three files of one real tile of Sen12Landslides; ``real/ATTRIBUTION.md`` has their source, licence and hashes."""

import re
from pathlib import Path

REAL_TILES = Path(__file__).with_name("real")
REAL_ID = "italy_4120"


def read_hashes() -> dict[str, str]:
    """Return the SHA-256 of each file in the attribution, by relative path."""
    text = (REAL_TILES / "ATTRIBUTION.md").read_text()
    return dict(re.findall(r"`(\S+\.nc)` \| `([0-9a-f]{64})`", text))
