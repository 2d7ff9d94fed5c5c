"""A small campaign with its folder, and predictions of its tiles as another program writes them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from data.pack import Pack
from data.splits import Split, hash_splits
from tuning.baselines.baselines import make_baseline_config
from tuning.baselines.measure import run_baseline
from tuning.campaign.identity import describe_inputs, keep_inputs
from tuning.report.missing import EXPECTED_RUNS_TAG
from tuning.report.reference_layers import write_reference_layers, write_split_audit
from tuning.settings.saved_campaigns import campaign_folder
from tuning.tracking.campaign.saved import write_context
from tuning.tracking.payloads import CampaignContext, DataRecord
from tuning.tracking.sender import MLflowSender
from tuning.trial.entry import TrialEntry, write_entry
from tuning.trial.folder import TrialFolder
from tuning.trial.search_space import make_key

BASELINES = ("log_ratio_vv", "log_ratio_vh")
PROVENANCE = {"made_by": "the geology department", "framework": "numpy 2", "saw_test_tiles": False}


def log_small_campaign(root: Path, pack: Pack, splits: Sequence[Split], name: str = "own") -> Path:
    """Log a finished campaign of two baselines, with folder and pack, as the driver does; return the root."""
    whole = splits[0].name.partition("/")[0]
    context = CampaignContext(
        *(name, "smoke", whole, hash_splits(splits), pack.hash, "synthetic"),
        *("s1asc:VV s1dsc:VV", "15 all", "c" * 40),
    )
    data = DataRecord("hokkaido-twin", pack.hash, "twin:1", {"channels": ["s1"]}, {})
    sender, folder = MLflowSender(root, context, data), campaign_folder(root, name)
    folder.mkdir(parents=True)
    write_context(folder, "1", sender)
    keep_inputs(folder, describe_inputs(pack, splits), "c" * 40)
    (root / "packs").mkdir(exist_ok=True)
    (root / "packs" / f"pack-{pack.hash}").symlink_to(pack.path)
    expected = {EXPECTED_RUNS_TAG: json.dumps(dict.fromkeys(BASELINES, len(splits)))}
    run_id = sender.tracker.open_run("campaign", "campaign", name, tags=expected)
    files = root / "files"
    files.mkdir()
    tests = sorted({tile for split in splits for tile in split.test})
    for file in (
        write_reference_layers(pack, tests, files),
        *write_split_audit(pack, splits, whole, files),
    ):
        sender.tracker.client.log_artifact(run_id, str(file))
    for split in splits:
        for number, key in enumerate(BASELINES, 1):
            config = make_baseline_config(key, split.name, pack.hash, 0, params={"window_px": 5})
            trial = TrialFolder(folder / "trials" / make_key("repeat", config))
            entry = TrialEntry(
                f"baseline-{key}", "repeat", number, 1000 + number, key, config, {}, False
            )
            write_entry(trial, entry)
            run_baseline(config, pack, split, trial.path)
    assert sender.send_campaign(folder).unsent == 0
    sender.close_studies(dict.fromkeys(BASELINES, "FINISHED"))
    sender.tracker.close(run_id, "FINISHED")
    return root


def draw_maps(
    pack: Pack, tiles: Sequence[str], skill: float = 1.0, seed: int = 0
) -> dict[str, np.ndarray]:
    """Draw probabilities ``(H, W)``, float32, that are higher on landslides by *skill* standard deviations of their noise."""
    rng = np.random.default_rng(seed)
    return {
        tile: (1 / (1 + np.exp(2 - skill * pack.mask[row] - rng.normal(size=(128, 128))))).astype(
            "f4"
        )
        for tile, row in zip(tiles, pack.rows(tiles), strict=True)
    }


def write_tiffs(
    folder: Path, pack: Pack, maps: Mapping[str, np.ndarray], **profile: object
) -> None:
    """Write maps as GeoTIFFs of one band; *profile* replaces entries of rasterio's profile."""
    folder.mkdir(parents=True, exist_ok=True)
    for tile, values in maps.items():
        row = pack.tile_ids.index(tile)
        west, north = pack.corners[row]
        own = {
            "driver": "GTiff",
            "count": 1,
            "height": 128,
            "width": 128,
            "dtype": values.dtype.name,
        }
        own |= {"crs": pack.crs[row], "transform": from_origin(west, north, 10, 10)} | profile
        with rasterio.open(folder / f"{tile}.tif", "w", **own) as file:
            for band in range(1, own["count"] + 1):
                file.write(values[: own["height"], : own["width"]], band)


def write_statements(folder: Path, split_hash: str, **provenance: object) -> Path:
    """Write ``split.json`` and ``provenance.json``; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "split.json").write_text(json.dumps({"split_hash": split_hash}))
    (folder / "provenance.json").write_text(json.dumps(PROVENANCE | provenance))
    return folder
