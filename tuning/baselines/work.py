"""One baseline on one fold as work for a process: a search on val, then a measured run for each seed.

Workers import this module and what it needs, nothing of the campaign: that would take each of them seconds.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from data.pack import Pack, load_pack
from data.splits import Split
from tuning.baselines.baselines import baseline_title
from tuning.baselines.measure import Bench, make_run
from tuning.baselines.tune import Tried
from tuning.train.environment import describe_environment
from tuning.trial.entry import TrialEntry, read_entry, write_entry
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import make_key
from tuning.trial.status import is_finished

logger = logging.getLogger(__name__)

JOURNALS = "baselines"  # folder of the searches below a campaign's


@dataclass(frozen=True)
class BaselineWork:
    """One baseline on one fold: a search on its val, then a run for each seed.

    Attributes:
        key: The baseline.
        split: The fold's split.
        reads: Channels, choice of the acquisitions, and their number.
        trials: Most samples of the search.
        search_seed: Seed of the search.
        seeds: Seeds of the runs.
        variant: Entries of the config that say what is learnt from.
        folder: The campaign's folder.
        first: Number of the first run.
    """

    key: str
    split: Split
    reads: tuple[Sequence[str], str, int]
    trials: int
    search_seed: int
    seeds: tuple[int, ...]
    variant: Mapping[str, Any]
    folder: Path
    first: int = 1

    @property
    def name(self) -> str:
        """Name in the log."""
        return f"{baseline_title(self.key)} · {self.split.name}"

    def measure(self, pack: Pack) -> Iterator[TrialFolder]:
        """Search, then yield the folder of each run once it is measured; what was done before is not done again."""
        bench, began = self._open(pack), time.time()
        tried = bench.search(self.trials, self.search_seed, self.folder / JOURNALS)
        seconds = time.time() - began
        logger.info("%s: %d samples tried on val, %.1f s.", self.name, len(tried), seconds)
        for number, (seed, config) in enumerate(self._list_configs(bench, tried), self.first):
            began = time.time()
            yield self._measure_run(bench, config, tried, number)
            logger.info("%s · seed %s: %.1f s.", self.name, seed, time.time() - began)

    def find_measured(self, pack: Pack) -> list[TrialFolder]:
        """Return the folders of the runs if an earlier process has measured them all; empty if there is something to do."""
        bench = self._open(pack)
        tried = bench.find_search(self.trials, self.search_seed, self.folder / JOURNALS)
        if tried is None:
            return []
        found = [self._find_folder(config) for _, config in self._list_configs(bench, tried)]
        done = all(is_finished(one, "repeat") and read_entry(one) is not None for one in found)
        return found if done else []

    def _open(self, pack: Pack) -> Bench:
        seeds = sorted({self.search_seed, *self.seeds})
        return Bench(self.key, pack, self.split, *self.reads, seeds=seeds, variant=self.variant)

    def _list_configs(self, bench: Bench, tried: Sequence[Tried]) -> list[tuple[int, Config]]:
        """Return the seed and the config of each run."""
        return [(seed, bench.config(seed, **make_run(tried))) for seed in self.seeds]

    def _find_folder(self, config: Config) -> TrialFolder:
        return TrialFolder(self.folder / "trials" / make_key("repeat", config))

    def _measure_run(
        self, bench: Bench, config: Config, tried: list[Tried], number: int
    ) -> TrialFolder:
        folder = self._find_folder(config)
        name = f"{self.name} · seed {config['seed']}"
        if read_entry(folder) is None:
            stage, ms = f"baseline-{self.key}", int(time.time() * 1000)
            write_entry(folder, TrialEntry(stage, "repeat", number, ms, name, config, {}, False))
        if folder.read("end") is None:  # a measured run keeps its own
            folder.write("environment", describe_environment(torch.device("cpu")))
        return bench.measure(config, tried, folder.path)


def measure_work(work: BaselineWork, pack: Path) -> list[Path]:
    """Measure a baseline in a worker, on one thread; return the folders of its runs."""
    torch.set_num_threads(1)
    return [folder.path for folder in work.measure(load_pack(pack, check=False))]
