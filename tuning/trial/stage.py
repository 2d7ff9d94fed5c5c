"""A stage of a campaign: what its trials share, and how Ray's samples become configs and trial folders."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.pack.node_cache import PackSource
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.networks import ShippedNetwork
from tuning.trial.search_space import compose, make_key
from tuning.trial.sync import StopMarker, TrialSync

SAMPLE_INDEX = (
    "sample_index"  # in a report to Ray: position of the reporting trial in `StageJob.list_samples`
)
QUEUED_STAGE = "queued_stage"  # in Ray's sample of a trial: the key of its stage, which is not part of its config
STOP = "stop"  # file of a campaign's folder: its trials end after their epoch


@dataclass(frozen=True)
class StageJob:
    """What all trials of one stage share; Ray sends it to the workers.

    Attributes:
        stage: ``search`` or ``repeat``.
        fixed: Config values that are not sampled.
        pack: Absolute path of the pack.
        trials: Absolute path of the folder that holds one folder per trial key.
        source: Where the nodes of a cluster download their own copies of the pack; None on one machine.
        sync: Copies trial folders to and from shared storage; None if every node sees ``trials``.
        code: Hash of the driver's code, compared with each node's; not compared when empty.
        networks: Networks from outside this project, with their source files.
    """

    stage: str
    fixed: Mapping[str, Any]
    pack: str
    trials: str
    source: PackSource | None = None
    sync: TrialSync | None = None
    code: str = ""
    networks: tuple[ShippedNetwork, ...] = ()

    @property
    def stop(self) -> Path | StopMarker:
        """The file that makes the trials end after their epoch."""
        return self.sync.stop if self.sync else Path(self.trials).with_name(STOP)

    def list_samples(self, sample: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Split the sample of a Ray trial into one sample per trial: several for seeds trained in one process."""
        if "configs" in sample:
            return [{"config": config} for config in sample["configs"]]
        return [{name: value for name, value in sample.items() if name != QUEUED_STAGE}]

    def config(self, sample: Mapping[str, Any]) -> Config:
        """Return the config of a trial's sample."""
        if "config" in sample:  # the repeat stage samples whole configs
            return dict(sample["config"])
        return compose(sample, self.fixed)

    def folder(self, sample: Mapping[str, Any]) -> TrialFolder:
        """Return the folder of a trial's sample."""
        return TrialFolder(Path(self.trials) / self.key(sample))

    def key(self, sample: Mapping[str, Any]) -> str:
        """Return the key of a trial's sample."""
        return make_key(self.stage, self.config(sample))


@dataclass(frozen=True)
class Stage:
    """One stage of a campaign, as Ray runs it.

    Attributes:
        name: Name in the entries of its trials, such as ``search-unet``.
        job: What its trials share.
        trials: Number of trials.
        epochs: Epochs of the longest trial.
        hang_s: Seconds without an epoch after which a trial counts as hung.
        stack: Seeds of a config that one process trains at most.
    """

    name: str
    job: StageJob
    trials: int
    epochs: int
    hang_s: float = 3600.0
    stack: int = 1
