"""How well dates, and the tiles' mean backscatter on them, tell annotated tiles from others, by choice of dates.

    python benchmarks/date_leak.py [--pixels]

The first table is the twin, whose tiles have equal dates; the second one the twin's orbits with the publisher's choice of
dates, which adds the images around the event for annotated tiles alone. ``--pixels`` simulates the tiles (a minute or two
on two cores) and adds the AUC of logistic regression on the mean VV and VH of each acquisition. Last come the real date
lists of 1,281 Italian tiles: how many of their eight dates before the event are shared.

The exit code is 1 if a leak is found in the twin or at ``common`` dates, or none in the publisher's.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from _published_dates import EVENT, ORBITS, list_published, make_table
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data.check.leak import audit_dates
from data.check.leak_auc import weighted_auc
from data.check.leak_features import DateTable, find_blocks
from data.io.processes import map_processes
from data.pack.channels import select_steps
from data.tiles.common_dates import find_shared_dates
from data.twin.backscatter import draw_acquisitions, observe
from data.twin.noise import Noise
from data.twin.orbits import Acquisition
from data.twin.regions import HOKKAIDO, Site
from data.twin.surface import make_surface

CHOICES = (("all", 15), ("even", 4), ("event", 4), ("common", 4), ("common", 8))
SEED = 2018
REAL = Path(__file__).parents[1] / "tests/support/real/italy_dates.json"

Series = list[list[Acquisition]]  # of each orbit


def main(argv: list[str] | None = None) -> int:
    """Print a row per choice of dates; return 1 if one is not as documented."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixels", action="store_true", help="simulate tiles, and use their means")
    args = parser.parse_args(argv)
    sites = HOKKAIDO.list_sites()
    twin = [[draw_acquisitions(s, HOKKAIDO.orbits[name]) for name in ORBITS] for s in sites]
    real = [[list_published(name, s.annotated_px > 0) for name in ORBITS] for s in sites]
    failed = False
    for title, dates in (("the twin", twin), ("the publisher's choice of dates", real)):
        means = measure_means(sites, dates) if args.pixels else None
        leaks = print_table(title, make_table(sites, dates), means)
        failed |= leaks != ([False] * 5 if dates is twin else [True, True, True, False, False])
    print_real()
    return int(failed)


def print_table(title: str, table: DateTable, means: np.ndarray | None) -> list[bool]:
    """Print the AUC at each choice of dates; return which of them leak."""
    print(f"\n{title}: {len(table.annotated)} tiles, {table.annotated.sum()} annotated")
    print(f"{'dates':10} {'AUC of dates':>26} {'AUC of tile means':>20}")
    leaks = []
    for steps, count in CHOICES:
        chosen = select_steps(
            *(table.times, steps, count, table.events, table.modalities, table.regions)
        )
        times = np.take_along_axis(table.times, chosen, axis=2)
        (audit,) = audit_dates(replace(table, times=times), f"{count} {steps}")
        whole = audit.groups[-1]
        text = f"{whole.auc:.3f} ({whole.low:.3f} to {whole.high:.3f})"
        seen = "" if means is None else f"{score_means(table, means, chosen):.3f}"
        print(f"{audit.inputs:10} {text:>26} {seen:>20}")
        leaks.append(bool(audit.above_chance))
    return leaks


def score_means(table: DateTable, means: np.ndarray, chosen: np.ndarray) -> float:
    """Return the AUC of logistic regression on mean backscatter ``(N, orbits, 15, 2)`` at some dates ``(N, orbits, T)``."""
    features = np.take_along_axis(means, chosen[..., None], axis=2).reshape(len(means), -1)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    blocks = find_blocks(table, 3 * 1280)
    scores = cross_val_predict(
        *(model, features, table.annotated), groups=blocks, cv=folds, method="decision_function"
    )
    return weighted_auc(scores, table.annotated, np.ones(len(scores)))


def measure_means(sites: Sequence[Site], dates: Sequence[Series]) -> np.ndarray:
    """Simulate tiles on these dates; return the mean VV and VH in dB, shape ``(N, orbits, 15, 2)``."""
    jobs = list(zip(sites, dates, strict=True))
    return np.stack(list(map_processes(partial(_measure_tile, SEED), jobs, "simulating tiles")))


def _measure_tile(seed: int, job: tuple[Site, Series]) -> np.ndarray:
    site, dates = job
    noise = Noise(seed)
    surface, means = make_surface(site, noise), []
    for name, series in zip(ORBITS, dates, strict=True):
        with patch("data.twin.backscatter.draw_acquisitions", return_value=series):
            power = observe(surface, surface.region.orbits[name], noise)
        means.append((10 * np.log10(power)).mean(axis=(-2, -1)))
    return np.stack(means)


def print_real() -> None:
    """Print how many dates before the event the real tiles of Italy share."""
    print("\nreal date lists of Italy, 8 dates before the event (those after it are not published)")
    for orbit, lists in json.loads(REAL.read_text()).items():
        rows = [np.tile(np.array(one["dates"], "M8[s]"), (one["tiles"], 1)) for one in lists]
        times = np.concatenate(rows)
        shared = [len(find_shared_dates(times, EVENT, share).days) for share in (1.0, 0.95)]
        print(
            f"{orbit}: {len(times)} tiles with {len(lists)} lists share {shared[0]} dates, 95 % of them "
            f"share {shared[1]}"
        )


if __name__ == "__main__":
    sys.exit(main())
