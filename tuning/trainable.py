"""The Ray Tune trainable: one trial in its own folder, found by key, continued where it stopped."""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune

from data.pack import load_pack
from tuning.evaluate import measure_test
from tuning.journal import Config, Journal, Row
from tuning.space import compose, make_key
from tuning.train import fit, pick_device, split_of
from tuning.training import BadTrialError

REPORTED = ("epoch", "best_val_pr_auc", "val_pr_auc", "val_loss", "train_loss", "seconds")


@dataclass(frozen=True)
class Job:
    """What all trials of one stage share.

    Attributes:
        stage: ``search`` or ``repeat``.
        fixed: Config values that are not sampled.
        pack: Absolute path of the pack.
        trials: Absolute path of the folder that holds one folder per trial key.
    """

    stage: str
    fixed: Mapping[str, Any]
    pack: str
    trials: str

    def config(self, sample: Mapping[str, Any]) -> Config:
        """Turn Ray's sample into the trial's config."""
        if "config" in sample:  # the repeat stage gives whole configs
            return dict(sample["config"])
        return compose(sample, self.fixed)

    def journal(self, sample: Mapping[str, Any]) -> Journal:
        """Return the folder of a sample's trial."""
        return Journal(Path(self.trials) / self.key(sample))

    def key(self, sample: Mapping[str, Any]) -> str:
        """Return the key of a sample's trial."""
        return make_key(self.stage, self.config(sample))


@contextmanager
def _alone(journal: Journal) -> Iterator[None]:
    """Wait until no other process trains in the folder: a killed driver's worker outlives it by seconds."""
    with (journal.path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _report(row: Row) -> None:
    tune.report({name: row[name] for name in REPORTED})


def run_trial(sample: dict[str, Any], job: Job) -> None:
    """Train one trial and, in the repeat stage, measure test with its best checkpoint.

    Raises:
        BadTrialError: If the training cannot give a result; a retry fails again at once.
    """
    journal = job.journal(sample)
    with _alone(journal):
        ended = journal.read("end") or {}
        if ended.get("reason") == "error":
            raise BadTrialError(ended["message"])
        config, pack = job.config(sample), load_pack(Path(job.pack))
        try:
            fit(config, pack, journal.path, _report)
        except BadTrialError as error:
            journal.write("end", {"reason": "error", "message": str(error)})
            raise
        if job.stage == "repeat" and journal.read("test") is None:
            measure_test(journal, pack, split_of(config, pack), pick_device())
