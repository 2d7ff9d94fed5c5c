"""Cost of tracking for a trial: its wall time under Ray with MLflow, divided by that without.

    python benchmarks/track_trials.py [--rounds N]

Each round trains the same networks twice, one per core in parallel, on tiles of the twin; the second trial
of a core starts while the curves and the model of the first are sent. A trial's time runs from the start of its
first epoch to the end of its last, including waits for Ray. Prints both medians, their ratio (over rounds, paired),
and the fraction of a tracked trial between epochs: checkpoints and waits for Ray.
"""

import argparse
import logging
import statistics
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import torch

from data.io.processes import count_cpus
from data.pack import Pack, make_pack
from data.pack.augmentation import Augment
from data.pack.channels import SAR_CHANNELS
from data.splits import survey_catalogue
from data.twin import make_twin
from tuning.campaign.check_networks import choose_first_arch
from tuning.campaign.stages import CLIP
from tuning.cluster.ray_session import start_ray, stop_ray
from tuning.cluster.resources import Resources
from tuning.search.run_queue import run_queue
from tuning.search.work import repeat_alone
from tuning.settings.presets import get_preset, pick_tiles
from tuning.settings.settings import Settings
from tuning.tracking.payloads import CampaignContext, DataRecord
from tuning.tracking.sender import MLflowSender
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import KNOWN_GOOD
from tuning.trial.stage import Stage, StageJob

AIM = 1.03
TILES_PER_PART, PER_CORE = 24, 2
EPOCHS = 40  # nearly as long as the shortest repeat trials of the preset quick


class Silent(MLflowSender):
    """Sends nothing while trials run."""

    def submit(self, trial_folder: TrialFolder) -> None:
        """Send nothing."""


def make_config(pack: Pack, seed: int) -> Config:
    """Return a config of the preset ``quick``."""
    preset = get_preset("quick")
    return {
        **KNOWN_GOOD,
        "model": "unet",
        "arch": choose_first_arch("unet", "quick"),
        "channels": list(SAR_CHANNELS),
        "timesteps": 4,
        "steps": "even",
        "norm": "train",
        "batch_size": preset.batch_size,
        "clip": CLIP,
        "augment": asdict(Augment(turn=1)),
        "epochs": EPOCHS,
        "patience": EPOCHS,
        "seed": seed,
        "split": "blocks",
        "data": pack.hash,
    }


def time_trials(root: Path, pack: Pack, kind: type[MLflowSender], name: str) -> tuple[float, float]:
    """Run a stage; return the median trial's seconds, and the fraction between epochs."""
    context = CampaignContext(
        name, "quick", "blocks", "s", pack.hash, "synthetic", "s1", "4 even", "c"
    )
    job = StageJob("repeat", {}, str(pack.path), str(root / name / "trials"))
    delivery = kind(root, context, DataRecord("hokkaido-twin", pack.hash, "twin", {}, {}))
    configs = [make_config(pack, seed) for seed in range(PER_CORE * count_cpus())]
    stage = Stage("repeat", job, len(configs), EPOCHS)
    run_queue([repeat_alone(configs, stage, delivery, Resources(1, 0))], root / name / "ray")
    times, shares = [], []
    for config in configs:
        rows = job.folder({"config": config}).history()
        whole = (rows[-1]["time_ms"] - rows[0]["time_ms"]) / 1000 + rows[0]["seconds"]
        times.append(whole)
        shares.append(1 - sum(row["seconds"] for row in rows) / whole)
    return statistics.median(times), statistics.median(shares)


def make_settings() -> Settings:
    """Return settings that start a local Ray on all cores."""
    preset = get_preset("quick")
    return Settings(
        campaign="benchmark",
        models=("unet",),
        baselines=(),
        preset="quick",
        data="twin",
        units=None,
        split="blocks",
        channels=SAR_CHANNELS,
        steps="even",
        timesteps=4,
        norm="train",
        augment={},
        trials=preset.trials,
        seeds=preset.seeds,
    )


def main(argv: list[str] | None = None) -> int:
    """Print the times; return 1 if tracking costs more than its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="pairs of measurements")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING)
    torch.set_num_threads(1)
    ratios, shares = [], []
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        tiles = make_twin(
            root / "data", tile_ids=pick_tiles("blocks", TILES_PER_PART, survey_catalogue())
        )
        pack = make_pack(tiles, root / "packs", units="dB")
        start_ray(make_settings())
        try:
            time_trials(root, pack, Silent, "warm-up")
            for number in range(args.rounds):
                pair = {
                    kind: time_trials(root, pack, kind, f"{kind.__name__}-{number}")
                    for kind in ((MLflowSender, Silent) if number % 2 else (Silent, MLflowSender))
                }
                (tracked, share), (alone, _) = pair[MLflowSender], pair[Silent]
                ratios.append(tracked / alone)
                shares.append(share)
                print(
                    f"round {number + 1}: tracked {tracked:.1f} s, alone {alone:.1f} s", flush=True
                )
        finally:
            stop_ray()
    ratio = statistics.median(ratios)
    print(f"{EPOCHS} epochs, {PER_CORE * count_cpus()} trials on {count_cpus()} cores")
    print(f"tracked / alone: {ratio:.3f} ({min(ratios):.3f} to {max(ratios):.3f}; aim {AIM})")
    print(f"between epochs: {100 * statistics.median(shares):.1f} % of a tracked trial")
    return 0 if ratio <= AIM else 1


if __name__ == "__main__":
    sys.exit(main())
