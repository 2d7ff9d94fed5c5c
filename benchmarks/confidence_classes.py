"""Which share of the landslides of each class of confidence overlaps a labelled landslide, on the twin.

    python benchmarks/confidence_classes.py [--tiles N] [--epochs N] [--seeds N]

A U-Net with the values that a search tries first is trained on tiles of the twin of Hokkaido, once for each seed, as a campaign
does; each maps the test tiles of the split in blocks, which it never saw, with the threshold of its val tiles. A landslide of the map is
right if one of its pixels is labelled. Printed for each class of confidence, each word of `orbits_agree` and each class of size: number and share
of the right ones, over all seeds. The exit code is 1 if a class is not better than the one below it.
"""

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
import torch
from rasterio.features import rasterize

from data.io.malloc import keep_freed_memory
from data.pack import make_pack
from data.pack.augmentation import Augment
from data.pack.channels import SAR_CHANNELS
from data.pack.pack import Pack
from data.scene.base import InputSpec
from data.scene.tile_mosaic import Mosaic, open_mosaic
from data.splits import make_split, survey_catalogue
from data.tiles import ORBITS, TILE_PX, open_tile, tile_path
from data.twin import make_twin
from tuning.campaign.check_networks import choose_first_arch
from tuning.campaign.stages import CLIP
from tuning.objects.object_scores import SIZES
from tuning.predict import write_map
from tuning.predict.ensemble import Member
from tuning.predict.landslides.confidence import CLASSES
from tuning.predict.predictor import Predictor
from tuning.registry.map_facts import MODEL_FACTS
from tuning.serving.network import make_program
from tuning.serving.onnx_export import save_program
from tuning.serving.program import load_program
from tuning.serving.stored_network import read_network, write_network
from tuning.settings.presets import get_preset, pick_tiles
from tuning.train.checkpoints import load_checkpoint
from tuning.train.fit import fit
from tuning.trial.search_space import KNOWN_GOOD

Counts = dict[
    str, Counter[str]
]  # landslides of the map by word, and those that are right, by column


def train(pack: Pack, seed: int, epochs: int, folder: Path) -> Member:
    """Train one network and load it as a registered one."""
    config: dict[str, Any] = {
        **KNOWN_GOOD,
        "model": "unet",
        "arch": choose_first_arch("unet", "quick"),
        "channels": list(SAR_CHANNELS),
        "timesteps": 4,
        "steps": "event",
        "norm": "train",
        "batch_size": get_preset("quick").batch_size,
        "clip": CLIP,
        "augment": asdict(Augment(turn=1)),
        "epochs": epochs,
        "patience": epochs,
        "seed": seed,
        "split": "blocks",
        "data": pack.hash,
    }
    fit(config, pack, folder, lambda row: print(f"  epoch {row['epoch']}: val AP {row['val_pr_auc']:.3f}", flush=True))  # fmt: skip
    checkpoint = load_checkpoint(folder / "best.pt")
    program = make_program(checkpoint)
    served = folder / "served"
    served.mkdir()
    reference = save_program(program, checkpoint.norm, served / "model.onnx")
    write_network(program, config, checkpoint.norm, int(reference["multiple"]), served)
    spec = InputSpec(SAR_CHANNELS, 4, "event")
    loaded, network = load_program(served / "model.onnx", threads=1), read_network(served)
    return Member(f"seed {seed}", loaded, network, spec, checkpoint.threshold, synthetic=True)


def link_tiles(tiles: Path, ids: list[str], folder: Path) -> Path:
    """Make a folder of some tiles alone."""
    for orbit in ORBITS:
        for tile_id in ids:
            link = tile_path(folder, tile_id, orbit)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(tile_path(tiles, tile_id, orbit))
    return folder


def read_labels(scene: Mosaic) -> np.ndarray:
    """Return the labels of a mosaic, shape ``(H, W)``, bool."""
    labels = np.zeros((scene.grid.height, scene.grid.width), bool)
    for (row, column), tile_id in scene.tiles.items():
        cut = tuple(slice(place * TILE_PX, (place + 1) * TILE_PX) for place in (row, column))
        labels[cut] = open_tile(tile_path(scene.root, tile_id, ORBITS[0]), scene.units).mask == 1
    return labels


def map_tiles(member: Member, tiles: Path, out: Path) -> Counts:
    """Map some tiles; return the numbers of landslides, and of right ones."""
    scene = open_mosaic(tiles, member.spec)
    facts = {"model": member.uri, "input": "tiles"} | dict.fromkeys(MODEL_FACTS, "")
    facts |= dict.fromkeys(write_map.ORIGINS[1:], "synthetic")
    predictor = Predictor([member], torch.device("cpu"))
    job = write_map.MapJob(scene, predictor, member.threshold, TILE_PX, 32, facts)
    write_map.make_map(job, out)
    table = gpd.read_file(out / "landslides.gpkg")
    pairs = zip(table.geometry, table["id"], strict=True)
    grid = scene.grid
    transform = rasterio.Affine(*grid.transform)
    ids = rasterize(pairs, (grid.height, grid.width), transform=transform, dtype="int32")
    right = table["id"].isin(np.unique(ids[read_labels(scene)]))
    found: Counts = {}
    for column in ("confidence", "orbits_agree", "size_class"):
        found[f"{column} all"] = Counter(table[column])
        found[f"{column} right"] = Counter(table[column][right])
    clear = (table["mean_probability"] >= (1 + member.threshold) / 2).map(
        {True: "clear", False: "faint"}
    )
    found["both all"] = Counter(clear + ", " + table["orbits_agree"])
    found["both right"] = Counter((clear + ", " + table["orbits_agree"])[right])
    return found


def tell(counts: list[Counts], column: str, words: tuple[str, ...]) -> list[float]:
    """Print number and share of the right ones for each word; return the shares."""
    shares = []
    for word in words:
        everything, right = (
            sum(one[f"{column} {kind}"][word] for one in counts) for kind in ("all", "right")
        )
        shares.append(right / everything if everything else float("nan"))
        print(f"  {word:16} {right:5,} of {everything:5,} overlap a label: {shares[-1]:.1%}")
    return shares


def main(argv: list[str] | None = None) -> int:
    """Print the shares of each class; return 1 if one is not better than the class below."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, default=24, help="of each part (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=15, help="default: %(default)s")
    parser.add_argument("--seeds", type=int, default=3, help="default: %(default)s")
    args = parser.parse_args(argv)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        chosen = pick_tiles("blocks", args.tiles, survey_catalogue())
        tiles = make_twin(root / "twins", tile_ids=chosen, progress=False)
        pack = make_pack(tiles, root / "packs")
        test = link_tiles(tiles, list(make_split("blocks", pack.surveys()).test), root / "test")
        counts = []
        for seed in range(args.seeds):
            member = train(pack, seed, args.epochs, root / f"seed{seed}")
            counts.append(map_tiles(member, test, root / f"map{seed}"))
    print(f"{args.seeds} seeds, {args.tiles} tiles of each part:")
    shares = tell(counts, "confidence", CLASSES)
    words = sorted({word for one in counts for word in one["orbits_agree all"]})
    tell(counts, "orbits_agree", tuple(words))
    tell(counts, "size_class", SIZES)
    tell(counts, "both", tuple(sorted({word for one in counts for word in one["both all"]})))
    return 0 if all(a > b for a, b in pairwise(shares)) else 1


if __name__ == "__main__":
    sys.exit(main())
