"""How long a campaign takes on many simulated slots, by the order of its trials: one queue against one search after another.

``python benchmarks/queue_order.py --slots 64 --seeds 20``

Trials have the lengths of the preset ``paper``: ASHA stops two thirds of the search trials after 10 of 40 epochs and two thirds of the
rest after 30, repeats end by patience after 40 to 75 epochs, and an epoch takes as long as the network has multiply-accumulates, or
the same time for all networks ("alike"). The bound is the larger of all work divided by the slots, and the longest chain of a search trial and a repeat of one architecture.
"""

import argparse
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from itertools import product

import numpy as np

from data.pack.channels import SAR_CHANNELS
from data.tiles import TILE_PX
from models import count_gmac, known_good
from tuning.search.order import Chain, choose_next
from tuning.settings.presets import PRESETS

MODELS = ("attention_unet", "convgru", "unet", "unet3d", "unet_convlstm", "unet_ltae", "utae")
RUNGS, SHARES = (
    (10, 30, 40),
    (2 / 3, 2 / 9, 1 / 9),
)  # epochs of a search trial, and how many have them
PATIENT = 40  # epochs of the shortest repeat


@dataclass
class Study:
    """One architecture's trials with their lengths in seconds.

    Attributes:
        epoch_s: Seconds of an epoch.
        searches: Of its search trials that have not begun.
        repeats: Of its repeats that have not begun.
        running: Search trials that run.
    """

    epoch_s: float
    searches: list[float]
    repeats: list[float]
    running: int = 0
    seeds: int = field(init=False)

    def __post_init__(self) -> None:
        self.seeds = len(self.repeats)

    @property
    def decided(self) -> bool:
        """Whether its repeats may begin."""
        return not self.searches and not self.running

    def to_chain(self) -> Chain:
        """Return what the queue knows of it."""
        paper, left = PRESETS["paper"], len(self.repeats)
        seeds = tuple(range(self.seeds - left, self.seeds)) if self.decided else ()
        waiting = 0 if self.decided else left
        known = self.epoch_s, len(self.searches), paper.search_epochs
        return Chain(*known, seeds, waiting, paper.epochs)


@cache
def measure_costs() -> dict[str, float]:
    """Return the multiply-accumulates of each architecture."""
    inputs = len(SAR_CHANNELS), PRESETS["paper"].timesteps, TILE_PX
    return {model: count_gmac(model, *inputs, **known_good(model)) for model in MODELS}


def make_studies(rng: np.random.Generator, *, alike: bool) -> list[Study]:
    """Draw the trials of seven architectures."""
    paper, studies = PRESETS["paper"], []
    for cost in measure_costs().values():
        cost = 1.0 if alike else cost
        searches = cost * rng.choice(RUNGS, paper.trials, p=SHARES)
        repeats = cost * rng.integers(PATIENT, paper.epochs + 1, paper.seeds)
        studies.append(Study(cost, list(map(float, searches)), list(map(float, repeats))))
    return studies


def bound(studies: list[Study], slots: int) -> float:
    """Return the time that no order can beat."""
    work = sum(sum(one.searches) + sum(one.repeats) for one in studies)
    return max(work / slots, max(max(one.searches) + max(one.repeats) for one in studies))


Pick = Callable[[list[Study], int], int | None]


def pick_from_queue(studies: list[Study], slots: int) -> int | None:
    """Return the study whose trial begins next, as the queue does."""
    return choose_next([one.to_chain() for one in studies], slots)


def pick_one_by_one(studies: list[Study], slots: int) -> int | None:
    """Return the study whose trial begins next if searches run one after another, and all repeats after them."""
    for number, one in enumerate(studies):
        if not one.decided:
            return number if one.searches else None
    left = [number for number, one in enumerate(studies) if one.repeats]
    return max(left, key=lambda number: len(studies[number].repeats), default=None)


def simulate(studies: list[Study], slots: int, pick: Pick) -> tuple[float, float]:
    """Run all trials; return the wall time, and the share of it for which slots were busy."""
    now, work, running = 0.0, 0.0, list[tuple[float, int, bool]]()
    while running or any(one.searches or one.repeats for one in studies):
        while len(running) < slots and (number := pick(studies, slots)) is not None:
            one = studies[number]
            searching = bool(one.searches)
            length = one.searches.pop(0) if searching else one.repeats.pop(0)
            one.running += searching
            work += length
            heapq.heappush(running, (now + length, number, searching))
        now, number, searching = heapq.heappop(running)
        studies[number].running -= searching
    return now, work / now / slots


def main() -> None:
    """Print the wall time of both orders beside the bound."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slots", type=int, nargs="+", default=[2, 8, 64])
    parser.add_argument("--seeds", type=int, default=20, help="simulated campaigns")
    arguments = parser.parse_args()
    picks = {"one queue": pick_from_queue, "one by one": pick_one_by_one}
    for slots, alike, (name, pick) in product(arguments.slots, (False, True), picks.items()):
        ratios, busy = [], []
        for seed in range(arguments.seeds):
            twice = [make_studies(np.random.default_rng(seed), alike=alike) for _ in range(2)]
            wall, share = simulate(twice[1], slots, pick)
            ratios.append(wall / bound(twice[0], slots))
            busy.append(share)
        networks = "alike" if alike else "as they are"
        print(
            f"{slots:3d} slots, networks {networks:11s}, {name:10s}: wall time {np.mean(ratios):.3f} of the bound (worst "
            f"{max(ratios):.3f}), slots busy {np.mean(busy):.3f} of the time"
        )


if __name__ == "__main__":
    main()
