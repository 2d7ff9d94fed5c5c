"""A stage of a campaign and its trials' folders: what each is called, how it ended, which are still to be run.

All that MLflow is told about a trial lies in its folder, so that it can be sent at any time, by any process.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.pack.node_cache import PackSource
from tuning.metrics.curve import is_constant
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import compose, make_key
from tuning.trial.sync import StopMarker, TrialSync

METRIC = "best_val_pr_auc"
MEMBER = "member"  # of a report: which of the trials that one of Ray's stands for
STOP = "stop"  # file of a campaign's folder: its trials end after their epoch


@dataclass(frozen=True)
class StageJob:
    """What all trials of one stage share.

    Attributes:
        stage: ``search`` or ``repeat``.
        fixed: Config values that are not sampled.
        pack: Absolute path of the pack.
        trials: Absolute path of the folder that holds one folder per trial key.
        source: Where the nodes of a cluster get their own copies of the pack; None on one machine.
        relay: Storage that the trials' folders travel over; None where every node sees ``trials``.
        code: Hash of the driver's code, which a node must have, too; not compared when empty.
    """

    stage: str
    fixed: Mapping[str, Any]
    pack: str
    trials: str
    source: PackSource | None = None
    relay: TrialSync | None = None
    code: str = ""

    @property
    def stop(self) -> Path | StopMarker:
        """The file that asks the trials to end after their epoch."""
        return self.relay.stop if self.relay else Path(self.trials).with_name(STOP)

    def members(self, sample: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """List the trials that one of Ray's stands for, as a sample each: several for seeds trained in one process."""
        if "configs" in sample:
            return [{"config": config} for config in sample["configs"]]
        return [sample]

    def config(self, sample: Mapping[str, Any]) -> Config:
        """Turn the sample of a single trial into its config."""
        if "config" in sample:  # the repeat stage gives whole configs
            return dict(sample["config"])
        return compose(sample, self.fixed)

    def journal(self, sample: Mapping[str, Any]) -> TrialFolder:
        """Return the folder of a sample's trial."""
        return TrialFolder(Path(self.trials) / self.key(sample))

    def key(self, sample: Mapping[str, Any]) -> str:
        """Return the key of a sample's trial."""
        return make_key(self.stage, self.config(sample))


@dataclass(frozen=True)
class Stage:
    """One stage of a campaign, as Ray runs it.

    Attributes:
        name: What its trials' entries name, such as ``search-unet``.
        job: What its trials share.
        trials: How many trials it has.
        epochs: Longest trial.
        hang_s: Seconds without an epoch after which a trial counts as hung.
        stack: How many seeds of a config one process trains at most.
    """

    name: str
    job: StageJob
    trials: int
    epochs: int
    hang_s: float = 3600.0
    stack: int = 1


@dataclass(frozen=True)
class TrialEntry:
    """What a trial is called and tagged with in MLflow; its ``trial.json``.

    Attributes:
        stage: Name of the stage.
        kind: ``search`` or ``repeat``.
        number: Place within the stage, from 1, in the order of the trials' start.
        began_ms: When it began, in milliseconds since 1970.
        name: Name for people.
        config: The trial's config.
        sample: What the searcher drew, by flat name; empty for other stages.
        model: Whether its best checkpoint is kept as a model.
    """

    stage: str
    kind: str
    number: int
    began_ms: int
    name: str
    config: Config
    sample: Mapping[str, Any]
    model: bool

    @property
    def tags(self) -> dict[str, str]:
        """The tags of its run."""
        config = self.config
        return {
            "study": config["model"],
            "stage": self.kind,
            "seed": str(config["seed"]),
            "fold": config["split"],
            "number": str(self.number),
        }


def register_trial(stage: Stage, sample: Mapping[str, Any], number: int) -> TrialEntry:
    """Return the entry of a sample's trial, made with that number and kept in its folder where there is none."""
    journal, config = stage.job.journal(sample), stage.job.config(sample)
    if kept := read_entry(journal):
        return kept
    searched = "config" not in sample
    entry = TrialEntry(
        stage=stage.name,
        kind=stage.job.stage,
        number=number,
        began_ms=int(time.time() * 1000),
        name=name_trial(stage.job.stage, config, number),
        config=config,
        sample=dict(sample) if searched else {},
        model=not searched,
    )
    write_entry(journal, entry)
    return entry


def write_entry(journal: TrialFolder, entry: TrialEntry) -> None:
    """Write a trial's entry; what was sent before no longer tells all."""
    journal.write("trial", asdict(entry))
    journal.drop("sent")


def read_entry(journal: TrialFolder) -> TrialEntry | None:
    """Read a trial's entry, None where its folder has none.

    Raises:
        ValueError: If the file is not an entry.
    """
    content = journal.read("trial")
    if content is None:
        return None
    try:
        return TrialEntry(**content)
    except TypeError as error:
        raise ValueError(
            f"A trial's trial.json is written by the version that runs it, but got {error} in "
            f"{journal.path}. Start a new campaign."
        ) from error


def list_trials(folder: Path) -> dict[Path, TrialEntry]:
    """List the entries of all trials of a campaign's ``trials`` folder, by folder, in their order."""
    found = {}
    for file in folder.glob("*/trial.json"):
        entry = read_entry(TrialFolder(file.parent))
        if entry is not None:
            found[file.parent] = entry
    return dict(sorted(found.items(), key=lambda pair: (pair[1].began_ms, pair[1].number)))


def list_entries(stage: Stage) -> dict[Path, TrialEntry]:
    """List the entries of a stage's trials by folder, by number."""
    every = list_trials(Path(stage.job.trials))
    own = [(path, entry) for path, entry in every.items() if entry.stage == stage.name]
    return dict(sorted(own, key=lambda pair: pair[1].number))


def name_trial(kind: str, config: Config, number: int) -> str:
    """Name a trial for people, such as ``unet · search · #07 · lr 3e-4``."""
    if kind == "repeat":
        return f"{config['model']} · {kind} · {config['split']} · seed {config['seed']}"
    mantissa, exponent = f"{config['lr']:.1e}".split("e")
    rate = f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{config['model']} · {kind} · #{number:02d} · lr {rate}"


def is_finished(journal: TrialFolder, kind: str) -> bool:
    """Tell whether a trial has its result, or failed for good: nothing of it is to be run again."""
    end = journal.read("end")
    if end is None:
        return False
    return kind == "search" or end["reason"] == "error" or journal.read("test") is not None


def split_finished(stage: Stage) -> tuple[dict[Path, TrialEntry], dict[Path, TrialEntry]]:
    """Divide a stage's trials into those that are over and the rest, each by number."""
    over: dict[Path, TrialEntry] = {}
    rest: dict[Path, TrialEntry] = {}
    for path, entry in list_entries(stage).items():
        (over if is_finished(TrialFolder(path), entry.kind) else rest)[path] = entry
    return over, rest


def describe_end(journal: TrialFolder, kind: str) -> tuple[str, str, int | None] | None:
    """Say how a trial ended, in its own words where it left some, else in the driver's.

    Args:
        journal: The trial's folder.
        kind: ``search`` or ``repeat``, which has not ended before test is measured.

    Returns:
        Reason, message and time in milliseconds; None for one that has not ended.
    """
    if is_finished(journal, kind):
        end = journal.read("end")
        return end["reason"], end.get("message", ""), end.get("time_ms")
    if failure := journal.read("failure"):
        return "error", failure["message"], failure["time_ms"]
    return None


def mark_failed(journal: TrialFolder, kind: str, message: str, details: str = "") -> None:
    """Note why a trial was given up; a continued campaign tries it again.

    Args:
        journal: The trial's folder.
        kind: ``memory``, ``disk``, ``hang``, ``worker`` or ``error``.
        message: What went wrong, in a line.
        details: The traceback, where there is one.
    """
    content = {"kind": kind, "message": message, "time_ms": int(time.time() * 1000)}
    journal.write("failure", content | {"details": details})


def read_score(journal: TrialFolder) -> float | None:
    """Read what a search trial is ranked by; None if it failed, has no epoch, or tells no pixel from another."""
    ended = describe_end(journal, "search")
    rows, counts = journal.history(), journal.counts("val")
    if ended is None or ended[0] == "error" or not rows or counts is None or is_constant(counts):
        return None
    return float(rows[-1][METRIC])


def count_done(folder: Path) -> tuple[int, int]:
    """Count the trials of a campaign's ``trials`` folder that are over, and all of them."""
    every = list_trials(folder)
    over = sum(is_finished(TrialFolder(path), entry.kind) for path, entry in every.items())
    return over, len(every)


def has_failed(journal: TrialFolder, kind: str) -> bool:
    """Tell whether a trial was given up for a kind of reason."""
    failure = journal.read("failure")
    return failure is not None and failure["kind"] == kind
