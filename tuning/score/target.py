"""What foreign predictions are scored against: a campaign's test tiles, their labels, positions and folds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from data.io.safe_arrays import ArraySpec, read_arrays
from data.pack import Pack, load_pack
from data.tiles import PIXEL_M
from data.tiles.paths import region_of
from data.tiles.regions import read_regions
from tuning.campaign.identity import CampaignInputs, load_kept_pack, read_inputs
from tuning.report.reference_layers import ReferenceLayers, read_reference
from tuning.report.results import is_finished_repeat
from tuning.settings.saved_campaigns import campaign_folder
from tuning.settings.settings import PACKS
from tuning.store.duplicates import drop_duplicates
from tuning.tracking.client import connect_existing, find_runs, open_artifact
from tuning.tracking.validate_runs import check_ids, check_repeat, find_campaign
from tuning.trial.foreign.names import is_foreign

_IDS = {"tile_ids": ArraySpec("str", (None,))}


@dataclass(frozen=True)
class Fold:
    """One split of a campaign.

    Attributes:
        name: Name of the split, such as ``blocks`` or ``blocks:5/1``.
        test: Its test tiles, sorted.
        val: Its val tiles, sorted; empty where the campaign's folder is not here.
    """

    name: str
    test: tuple[str, ...]
    val: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Name of the folder of its predictions, where a campaign has several folds."""
        return re.sub("[:/]", "-", self.name)


@dataclass(frozen=True)
class Target:
    """A campaign's test tiles, as its tracker has them.

    Attributes:
        root: Output folder.
        client: MLflow client.
        campaign: The campaign's run.
        repeats: Its finished repeat runs, of each fold, seed and model, foreign ones included.
        layers: Labels and positions of the test tiles of all folds.
        folds: The folds, sorted by name.
        kept: What the campaign began with; None where its folder is not here.
    """

    root: Path
    client: MlflowClient
    campaign: Run
    repeats: tuple[Run, ...]
    layers: ReferenceLayers
    folds: tuple[Fold, ...]
    kept: CampaignInputs | None

    @property
    def name(self) -> str:
        """Name of the campaign."""
        return str(self.campaign.data.tags["campaign"])

    @property
    def own(self) -> Run:
        """One of the campaign's own repeat runs."""
        return next(run for run in self.repeats if not is_foreign(run.data.tags["study"]))

    @property
    def folder(self) -> Path:
        """The campaign's folder, which may not be on this machine."""
        return campaign_folder(self.root, self.name)

    @property
    def split(self) -> str:
        """Name of the split, such as ``blocks:5``."""
        return str(self.own.data.tags["split"])

    @property
    def split_hash(self) -> str:
        """Hash of the split's tiles, over all folds."""
        return str(self.own.data.tags["split_hash"])

    @cached_property
    def pack(self) -> Pack | None:
        """The campaign's pack, unchecked; None where it is not here."""
        file = self.root / PACKS / f"pack-{self.own.data.tags['data_hash']}"
        return load_pack(file, check=False) if file.is_dir() else None

    def find_crs(self, tile: str) -> tuple[str, ...]:
        """Return the coordinate systems that a tile may have: one from the pack, else those of its region; empty if unknown."""
        if self.pack is not None and tile in self.pack.tile_ids:
            return (self.pack.crs[self.pack.tile_ids.index(tile)],)
        region = read_regions().get(region_of(tile))
        return region.crs if region else ()

    def find_transform(self, tile: str) -> tuple[float, ...] | None:
        """Return the affine transform of a tile's pixels, six numbers as rasterio orders them; None if unknown."""
        if tile in self.layers.tile_ids:
            west, north = self.layers.corners[self.layers.tile_ids.index(tile)]
        elif self.pack is not None and tile in self.pack.tile_ids:
            west, north = self.pack.corners[self.pack.tile_ids.index(tile)]
        else:
            return None
        return (float(PIXEL_M), 0.0, float(west), 0.0, -float(PIXEL_M), float(north))

    def read_labels(self, tiles: Sequence[str]) -> np.ndarray:
        """Return the labels of test or val tiles, shape ``(N, H, W)``, uint8.

        Raises:
            ValueError: If val tiles are no test tiles of any fold, and the campaign's pack is not here.
        """
        if set(tiles) <= set(self.layers.tile_ids):
            return np.asarray(self.layers.mask[self.layers.rows(tiles)])
        if self.kept is None:
            raise ValueError(
                f"The threshold is chosen on val, whose labels are in the campaign's pack, but {self.folder} is not here. Score "
                "on the machine of the campaign, or take the val tiles out of the predictions and give --threshold."
            )
        pack = load_kept_pack(self.kept, self.root / PACKS)
        return np.asarray(pack.mask[pack.rows(tiles)])


def open_target(root: Path, campaign: str | None) -> Target:
    """Open a campaign to score predictions of its test tiles.

    Args:
        root: Output folder.
        campaign: Name of the campaign (default: the latest).

    Raises:
        NoStoreError: If the output folder has no database.
        ValueError: If there is no such campaign, or it has no finished repeat run of its own.
    """
    client, experiment_id = connect_existing(root)
    run = find_campaign(client, experiment_id, campaign)
    name = str(run.data.tags["campaign"])
    tags = {"campaign": name, "kind": "trial", "stage": "repeat"}
    found, _ = drop_duplicates(client, find_runs(client, experiment_id, **tags))
    repeats = tuple(one for one in found if is_finished_repeat(one))
    for one in repeats:
        check_repeat(one)
    own = [one for one in repeats if not is_foreign(one.data.tags["study"])]
    if not own:
        raise ValueError(
            f"Foreign predictions stand beside a campaign's own models, but {name!r} has no finished repeat run. Continue it "
            f"with `python -m tuning.run --resume {name}`."
        )
    layers = read_reference(client, run)
    folder = campaign_folder(root, name)
    kept = read_inputs(folder) if (folder / "inputs.json").is_file() else None
    folds = _read_folds(client, own, layers, kept)
    return Target(root, client, run, repeats, layers, folds, kept)


def _read_folds(
    client: MlflowClient,
    own: Sequence[Run],
    layers: ReferenceLayers,
    kept: CampaignInputs | None,
) -> tuple[Fold, ...]:
    """Read the test tiles of each fold from one of its runs, and the val tiles from the campaign's folder."""
    firsts: dict[str, Run] = {}
    for run in own:
        firsts.setdefault(run.data.tags["fold"], run)
    splits: Mapping[str, Mapping[str, Sequence[str]]] = {} if kept is None else kept.splits
    return tuple(
        Fold(
            name,
            _read_tiles(client, firsts[name], layers),
            tuple(map(str, splits.get(name, {}).get("val", ()))),
        )
        for name in sorted(firsts)
    )


def _read_tiles(client: MlflowClient, run: Run, layers: ReferenceLayers) -> tuple[str, ...]:
    with open_artifact(client, run, "trial/test_probs.npz") as file:
        ids = check_ids([str(tile) for tile in read_arrays(file, _IDS)["tile_ids"]], file)
    unknown = set(ids).difference(layers.tile_ids)
    if unknown:
        raise ValueError(
            f"A run's test tiles must be among the campaign's, but {min(unknown)} of run {run.info.run_id} is not."
        )
    return ids
