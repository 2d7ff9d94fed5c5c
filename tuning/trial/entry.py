"""A trial's entry ``trial.json``: its stage, number, name and config, and the tags of its MLflow run.

Everything that MLflow receives about a trial is in the trial's folder, so that any process can send it at any time.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuning.trial.folder import Config, TrialFolder
from tuning.trial.foreign.names import FOREIGN
from tuning.trial.stage import Stage


@dataclass(frozen=True)
class TrialEntry:
    """Name and tags of a trial in MLflow; its ``trial.json``.

    Attributes:
        stage: Name of the stage.
        kind: ``search`` or ``repeat``.
        number: Position within the stage, from 1, in the order in which the trials start.
        began_ms: Start time, in milliseconds since 1970.
        name: Display name.
        config: The trial's config.
        sample: What the searcher drew, by flat name; empty for the repeat stage.
        model: Whether its best checkpoint is logged as a model.
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
        tags = {
            "study": config["model"],
            "stage": self.kind,
            "seed": str(config["seed"]),
            "fold": config["split"],
            "number": str(self.number),
        }
        if config.get("origin") == FOREIGN:
            tags |= {"origin": FOREIGN, "predictions": config["predictions"]}
        return tags


def register_trial(stage: Stage, sample: Mapping[str, Any], number: int) -> TrialEntry:
    """Return the entry of a sample's trial; write one with this number if the folder has none."""
    folder, config = stage.job.folder(sample), stage.job.config(sample)
    if existing := read_entry(folder):
        return existing
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
    write_entry(folder, entry)
    return entry


def write_entry(folder: TrialFolder, entry: TrialEntry) -> None:
    """Write a trial's entry."""
    folder.write("trial", asdict(entry))


def read_entry(folder: TrialFolder) -> TrialEntry | None:
    """Read a trial's entry; None if its folder has none.

    Raises:
        ValueError: If the file is not an entry.
    """
    content = folder.read("trial")
    if content is None:
        return None
    try:
        return TrialEntry(**content)
    except TypeError as error:
        raise ValueError(
            f"A trial's trial.json is written by the version that runs it, but got {error} in "
            f"{folder.path}. Start a new campaign."
        ) from error


def list_trials(trials: Path) -> dict[Path, TrialEntry]:
    """List the entries of all trials of a campaign's ``trials`` folder, by trial folder, in the order of their start."""
    entries = {}
    for file in trials.glob("*/trial.json"):
        entry = read_entry(TrialFolder(file.parent))
        if entry is not None:
            entries[file.parent] = entry
    return dict(sorted(entries.items(), key=lambda pair: (pair[1].began_ms, pair[1].number)))


def list_entries(stage: Stage) -> dict[Path, TrialEntry]:
    """List the entries of a stage's trials, by trial folder, in the order of their numbers."""
    entries = list_trials(Path(stage.job.trials))
    own = [(path, entry) for path, entry in entries.items() if entry.stage == stage.name]
    return dict(sorted(own, key=lambda pair: pair[1].number))


def name_trial(kind: str, config: Config, number: int) -> str:
    """Return the display name of a trial, such as ``unet · search · blocks · #07 · lr 3e-4``."""
    if kind == "repeat":
        return f"{config['model']} · {kind} · {config['split']} · seed {config['seed']}"
    mantissa, exponent = f"{config['lr']:.1e}".split("e")
    rate = f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{config['model']} · {kind} · {config['split']} · #{number:02d} · lr {rate}"
