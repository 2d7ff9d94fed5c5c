"""The facts of a campaign that a paper names: data, area, events, split, seeds, versions, hashes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mlflow.entities import Run

from data.tiles import PIXEL_M, TILE_PX
from data.tiles.regions import read_regions
from tuning.report.ranking import Ranking
from tuning.report.reference_layers import ReferenceLayers

PACKAGE = "landslide-benchmark"
DATA_SET = "Sen12Landslides"
TILE_KM2 = (TILE_PX * PIXEL_M / 1000) ** 2
_EVENTS = "events"  # tag of a run: time of the event of each region


@dataclass(frozen=True)
class CampaignFacts:
    """Facts of one campaign.

    Attributes:
        campaign: Its name.
        run_id: Its run in MLflow.
        synthetic: Whether the tiles are the synthetic twin's.
        regions: Names of the regions.
        events: Time of the event by region, as text; regions without a known event are left out.
        split, split_hash, data_hash, git_commit, preset, channels, acquisitions, training: As its runs are tagged.
        code_hash: Hash of the code that made the first-ranked model's runs; empty for an earlier version.
        version: Version of this package.
        year: Year in which it began.
        test_tiles, landslide_km2: Number of test tiles, and their labelled landslide area.
        blocks, block_tiles: Number and edge in tiles of the spatial blocks.
        folds: Number of folds.
        seeds: Largest number of seeds of a model.
    """

    campaign: str
    run_id: str
    synthetic: bool
    regions: tuple[str, ...]
    events: Mapping[str, str]
    split: str
    split_hash: str
    data_hash: str
    git_commit: str
    preset: str
    channels: str
    acquisitions: str
    training: str
    code_hash: str
    version: str
    year: int
    test_tiles: int
    landslide_km2: float
    blocks: int
    block_tiles: int
    folds: int
    seeds: int

    @property
    def test_km2(self) -> float:
        """Area of the test tiles in km2."""
        return self.test_tiles * TILE_KM2

    @property
    def place(self) -> str:
        """The regions with their places where the catalogue has them."""
        return name_places(self.regions)

    @property
    def data_name(self) -> str:
        """Name of the data, such as ``synthetic twin of Sen12Landslides``."""
        known = all(region in read_regions() for region in self.regions)
        if self.synthetic:
            return f"the synthetic twin of {DATA_SET}"
        return DATA_SET if known else "own tiles in the format of " + DATA_SET

    @property
    def tested_on(self) -> str:
        """The test tiles in a clause: number, split with its hash, data, regions."""
        folds = f"{self.folds} folds of split" if self.folds > 1 else "split"
        return (
            f"{self.test_tiles} test tiles of {folds} {self.split} (hash {self.split_hash}), {self.data_name}, "
            f"{', '.join(self.regions)}"
        )


def name_places(regions: Sequence[str]) -> str:
    """Return regions with place and trigger where the catalogue has them."""
    known = read_regions()
    parts = []
    for name in regions:
        more = filter(None, (known[name].place, known[name].trigger)) if name in known else ()
        text = ", ".join(more)
        parts.append(f"{name} ({text})" if text else name)
    return "; ".join(parts)


def collect_facts(
    campaign: Run, ranking: Ranking, layers: ReferenceLayers, first: Mapping[str, Any]
) -> CampaignFacts:
    """Collect the facts.

    Args:
        campaign: The campaign's run.
        ranking: Its models.
        layers: Labels of its test tiles.
        first: The first row of ``benchmark_master.csv``.
    """
    best = ranking.models[0]
    tags = best.chosen.run.data.tags
    names = ("split", "split_hash", "data_hash", "git_commit", "preset")
    inputs = ("channels", "acquisitions", "training")
    mask = layers.mask[layers.rows(best.tile_ids)]
    began = datetime.fromtimestamp((campaign.info.start_time or 0) / 1000, UTC)
    return CampaignFacts(
        campaign=str(first["campaign"]),
        run_id=campaign.info.run_id,
        synthetic=bool(first["data"] == "synthetic"),
        regions=tuple(str(first["regions"]).split()),
        events=parse_events(tags.get(_EVENTS, "")),
        **{name: str(first[name]) for name in (*names, *inputs)},
        code_hash=tags.get("env.code", "")[:60],
        version=read_version(),
        year=began.year,
        test_tiles=len(best.tile_ids),
        landslide_km2=float(mask.sum(dtype="int64")) * PIXEL_M**2 / 1e6,
        blocks=ranking.units.count,
        block_tiles=ranking.block_tiles,
        folds=len(best.by_seed[0]),
        seeds=max(len(model.seeds) for model in ranking.models),
    )


def parse_events(tag: str) -> dict[str, str]:
    """Return the event of each region from a run's tag, such as ``noto=2024-01-01T07:10:00``."""
    pairs = (word.partition("=") for word in tag[:2000].split())
    return {
        name: time[:40]
        for name, mark, time in pairs
        if mark and name.isprintable() and time.isprintable()
    }


def read_version() -> str:
    """Return the version of the installed package; ``unknown`` where it runs from its source alone."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return "unknown"
