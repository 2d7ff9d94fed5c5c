"""What the queue runs for one campaign: its searches, and the repeats of what they choose."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tuning.cluster.resources import Resources
from tuning.tracking.sender import MLflowSender
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import Domain
from tuning.trial.stage import Stage
from tuning.trial.status import has_failed, split_finished


@dataclass(frozen=True)
class SearchWork:
    """The search of one architecture on one fold.

    Attributes:
        model: Name of the architecture.
        stage: The stage; trials in its folder are continued.
        space: Flat search space.
        resources: Of a trial.
        choose: Called once all its trials have ended; the repeats that :attr:`Work.list_repeats` lists afterwards include those
            of its winner.
    """

    model: str
    stage: Stage
    space: Mapping[str, Domain]
    resources: Resources
    choose: Callable[[], None]


@dataclass(frozen=True)
class Work:
    """What the queue runs for one campaign.

    Attributes:
        name: Name of the campaign.
        sender: Sends its trials to MLflow.
        searches: The searches that have not chosen yet.
        repeat: The stage of all repeats; ``trials`` is their number in a complete campaign.
        list_repeats: Lists the configs to repeat of all winners that are known at present, in the order in which they begin.
        resources: Of a repeat trial, by architecture; ``stage.stack`` seeds of it run in one process.
        costs: Relative cost of an epoch by architecture, as a first estimate.
    """

    name: str
    sender: MLflowSender
    searches: Sequence[SearchWork]
    repeat: Stage
    list_repeats: Callable[[], Sequence[Config]]
    resources: Mapping[str, Resources]
    costs: Mapping[str, float] = field(default_factory=dict)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages."""
        return (*(search.stage for search in self.searches), self.repeat)

    def key_search(self, search: SearchWork) -> str:
        """Return the key of a search's trials, unique among campaigns."""
        return f"{self.name}/{search.stage.name}"

    def key_repeats(self, model: str) -> str:
        """Return the key of an architecture's repeat trials, unique among campaigns."""
        return f"{self.name}/{self.repeat.name}/{model}"

    def list_needs(self) -> dict[str, tuple[Stage, Resources]]:
        """Return the stage and a trial's resources by key."""
        searches = {self.key_search(one): (one.stage, one.resources) for one in self.searches}
        return searches | {
            self.key_repeats(model): (self.repeat, one) for model, one in self.resources.items()
        }

    def prepare(self) -> None:
        """Collect what a killed driver may have missed, and forget failures, so that those trials run again."""
        for stage in self.stages:
            for folder in map(TrialFolder, split_finished(stage)[1]):
                self.sender.collect(folder)
                folder.drop("failure")

    def count_memory_failures(self) -> dict[str, int]:
        """Count the trials that ran out of memory, by the key of their stage and resources."""
        counts: dict[str, int] = {}
        for stage in self.stages:
            for path, entry in split_finished(stage)[1].items():
                if has_failed(TrialFolder(path), "memory"):
                    key = f"{self.name}/{stage.name}"
                    key += f"/{entry.config['model']}" if stage is self.repeat else ""
                    counts[key] = counts.get(key, 0) + 1
        return counts

    def enlarge(self, enlarge: Callable[[Resources], Resources | None]) -> "Work":
        """Return the same work with more resources for each trial, where there are any."""
        searches = [
            replace(search, resources=enlarge(search.resources) or search.resources)
            for search in self.searches
        ]
        resources = {name: enlarge(one) or one for name, one in self.resources.items()}
        return replace(self, searches=searches, resources=resources)


def stack_seeds(configs: Sequence[Config], size: int) -> list[list[Config]]:
    """Group configs that differ only in the seed, at most *size* each, in the order of their first config."""
    groups: dict[str, list[Config]] = {}
    for config in configs:
        rest = {name: value for name, value in config.items() if name != "seed"}
        groups.setdefault(json.dumps(rest, sort_keys=True), []).append(config)
    stacks = [seeds[i : i + size] for seeds in groups.values() for i in range(0, len(seeds), size)]
    return sorted(stacks, key=lambda stack: configs.index(stack[0]))


def repeat_alone(
    configs: Sequence[Config], stage: Stage, sender: MLflowSender, resources: Resources
) -> Work:
    """Return the work of repeats without a search, with the same resources for all."""
    models = dict.fromkeys(str(config["model"]) for config in configs)
    return Work(stage.name, sender, (), stage, lambda: configs, dict.fromkeys(models, resources))
