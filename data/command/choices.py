"""Names that options of several commands take; imports nothing heavy, so that ``--help`` and completion answer at once."""

import csv
from pathlib import Path

ORBITS = ("s1asc", "s1dsc")
UNITS = ("dB", "linear")
DATA_VERSIONS = ("harmonized", "raw")  # of the data set and of its twin; the first is the default
DEFAULT_REGION = "hokkaido"
ALL_REGIONS = "all"
TWIN_REGIONS = ("hokkaido", "noto")
REGIONS_FILE = Path(__file__).parents[1] / "tiles" / "regions.csv"


def list_region_names() -> list[str]:
    """Return the names of the data set's inventories, sorted."""
    with REGIONS_FILE.open(newline="", encoding="utf-8") as lines:
        return sorted(row["name"] for row in csv.DictReader(lines))
