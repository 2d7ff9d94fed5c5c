"""The queue of trials of two architectures, whose trials are written instead of trained."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from tuning.cluster.resources import Resources
from tuning.search.queue import TrialQueue
from tuning.search.ray_queue import QueueSearcher
from tuning.search.work import SearchWork, Work
from tuning.trial.entry import list_entries, register_trial, write_entry
from tuning.trial.folder import VAL_AP, Config
from tuning.trial.search_space import LogUniform
from tuning.trial.stage import QUEUED_STAGE, Stage, StageJob
from tuning.trial.status import mark_failed

MODELS, SEEDS = ("attention_unet", "unet"), (42, 123)
NEED = Resources(1, 0)


@dataclass
class Campaign:
    """A campaign of two architectures with two search trials each."""

    root: Path
    name: str = "first"
    chosen: list[str] = field(default_factory=list)

    def stage(self, model: str) -> Stage:
        job = StageJob("search", {"model": model, "seed": 1, "split": "blocks"}, "p", self.trials)
        return Stage(f"search-{model}", job, 2, 4)

    @property
    def trials(self) -> str:
        return str(self.root / self.name / "trials")

    def work(self) -> Work:
        repeat = Stage("repeat", StageJob("repeat", {}, "p", self.trials), 4, 10)
        searches = [
            SearchWork(
                *(model, self.stage(model), {"lr": LogUniform(1e-4, 1e-2)}, NEED),
                lambda model=model: self.chosen.append(model),  # type: ignore[misc]
            )
            for model in MODELS
        ]
        sender: Any = None
        return Work(
            self.name, sender, searches, repeat, self.list_repeats, dict.fromkeys(MODELS, NEED)
        )

    def list_repeats(self) -> Sequence[Config]:
        return [
            {"model": model, "seed": seed, "split": "blocks"}
            for seed in SEEDS
            for model in self.chosen
        ]

    def end(self, sample: Any, memory: bool = False) -> None:
        """Write the end of a trial."""
        model = next(one for one in MODELS if sample[QUEUED_STAGE].endswith(f"search-{one}"))
        stage = self.stage(model)
        (member,) = stage.job.list_samples(sample)
        register_trial(stage, member, 1)
        if memory:
            mark_failed(stage.job.folder(member), "memory", "no memory")
        else:
            stage.job.folder(member).append({"epoch": 1, VAL_AP: 0.5})
            stage.job.folder(member).end("last epoch")


def begin_all(queue: TrialQueue, slots: int = 2) -> list[Any]:
    """Begin every trial that may begin; return their samples."""
    samples = []
    while (sample := queue.begin(f"t{len(samples)}", slots)) is not None:
        samples.append(sample)
    return samples


def name_repeat(sample: Any) -> tuple[int, str]:
    return sample["configs"][0]["seed"], sample["configs"][0]["model"]


def test_repeats_begin_when_their_own_search_has_chosen(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    queue = TrialQueue([campaign.work()])
    samples = begin_all(queue)
    assert sorted(one[QUEUED_STAGE] for one in samples) == sorted(
        f"first/search-{model}" for model in MODELS for _ in range(2)
    )
    assert queue.running == 4
    assert not queue.is_empty
    own = [n for n, one in enumerate(samples) if one[QUEUED_STAGE] == "first/search-unet"]
    campaign.end(samples[own[0]])
    queue.end(f"t{own[0]}", {VAL_AP: 0.5})
    assert queue.begin("x", 2) is None  # one of its trials still runs
    campaign.end(samples[own[1]])
    queue.end(f"t{own[1]}", {VAL_AP: 0.5})
    repeats = begin_all(queue)
    assert campaign.chosen == ["unet"]
    assert [name_repeat(one) for one in repeats] == [(42, "unet"), (123, "unet")]
    assert {one[QUEUED_STAGE] for one in repeats} == {"first/repeat/unet"}
    assert not queue.is_empty  # the other search has not chosen


def test_samples_that_wait_when_the_driver_is_killed_come_first_in_their_order(
    tmp_path: Path,
) -> None:
    drawn = begin_all(TrialQueue([Campaign(tmp_path).work()]))  # none of them has begun
    again = begin_all(TrialQueue([Campaign(tmp_path).work()]))

    def rates(samples: list[Any], model: str) -> list[float]:
        return [one["lr"] for one in samples if one[QUEUED_STAGE] == f"first/search-{model}"]

    for model in MODELS:
        assert rates(again, model) == rates(drawn, model)
        assert len(set(rates(drawn, model))) == 2
        entries = list_entries(Campaign(tmp_path).stage(model)).values()
        assert [entry.sample["lr"] for entry in entries] == rates(drawn, model)


def test_repeats_of_all_campaigns_go_seed_by_seed(tmp_path: Path) -> None:
    campaigns = [Campaign(tmp_path, name, list(MODELS)) for name in ("first", "second")]
    works = [campaign.work() for campaign in campaigns]
    queue = TrialQueue(
        [Work(w.name, w.sender, (), w.repeat, w.list_repeats, w.resources) for w in works]
    )
    seeds = [name_repeat(one)[0] for one in begin_all(queue)]
    assert seeds == [42] * 4 + [123] * 4
    assert queue.is_empty


def test_a_resumed_queue_begins_only_what_has_not_ended(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    samples = begin_all(TrialQueue([campaign.work()]))
    for sample in samples:
        campaign.end(sample)
    again = Campaign(tmp_path)
    queue = TrialQueue([again.work()])
    repeats = begin_all(queue)
    assert sorted(again.chosen) == sorted(MODELS)
    assert len(repeats) == 4
    folder = StageJob("repeat", {}, "p", again.trials).folder({"config": repeats[0]["configs"][0]})
    folder.end("last epoch")
    folder.write("test", {})
    third = Campaign(tmp_path, chosen=list(MODELS))
    work = third.work()
    queue = TrialQueue(
        [Work(work.name, work.sender, (), work.repeat, work.list_repeats, work.resources)]
    )
    assert len(begin_all(queue)) == 3


def test_a_search_without_memory_chooses_only_when_no_more_can_be_given(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    queue = TrialQueue([campaign.work()], last=False)
    for number, sample in enumerate(begin_all(queue)):
        campaign.end(sample, memory=sample[QUEUED_STAGE] == "first/search-unet")
        queue.end(f"t{number}", {VAL_AP: 0.5})
    assert [name_repeat(one)[1] for one in begin_all(queue)] == ["attention_unet"] * 2
    assert campaign.chosen == ["attention_unet"]
    last = Campaign(tmp_path, chosen=["attention_unet"])
    queue = TrialQueue([last.work()], last=True)
    for number, sample in enumerate(begin_all(queue)):
        if "configs" not in sample:
            last.end(sample, memory=True)
        queue.end(f"t{number}")
    begin_all(queue)
    assert "unet" in last.chosen


def test_a_search_that_has_chosen_does_not_choose_again(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    queue = TrialQueue([campaign.work()], last=False)
    samples = begin_all(queue)
    own = [n for n, one in enumerate(samples) if one[QUEUED_STAGE] == "first/search-unet"]
    stage = campaign.stage("unet")
    campaign.end(samples[own[0]])
    (member,) = stage.job.list_samples(samples[own[1]])
    register_trial(stage, member, 2)
    mark_failed(stage.job.folder(member), "worker", "The worker process died.")
    winner = stage.job.folder(stage.job.list_samples(samples[own[0]])[0])
    write_entry(winner, replace(list_entries(stage)[winner.path], model=True))
    again = Campaign(tmp_path, chosen=["unet"])  # with more memory for the other search
    begun = begin_all(TrialQueue([again.work()]))
    assert "first/search-unet" not in [one[QUEUED_STAGE] for one in begun]
    assert again.chosen == ["unet"]


def make_searcher(queue: TrialQueue, marker: Path, slots: int) -> QueueSearcher:
    return QueueSearcher(queue, [marker], lambda: slots)


def test_ray_gets_one_trial_more_than_slots_and_waits_while_a_search_decides(
    tmp_path: Path,
) -> None:
    campaign = Campaign(tmp_path)
    searcher = make_searcher(TrialQueue([campaign.work()]), tmp_path / "stop", 2)
    samples = {str(n): searcher.suggest(str(n)) for n in range(4)}
    assert [one is not None for one in samples.values()] == [True, True, True, False]
    for number in ("0", "1", "2"):
        campaign.end(samples[number])
        searcher.on_trial_complete(number, {VAL_AP: 0.5})
    samples["3"] = searcher.suggest("3")
    assert samples["3"] is not None
    others = [searcher.suggest(name) for name in ("4", "5")]
    assert all("configs" in one for one in others)  # of the search that has chosen
    assert searcher.suggest("6") is None
    for name in ("4", "5"):
        searcher.on_trial_complete(name)
    assert searcher.suggest("6") is None  # the other search still runs
    campaign.end(samples["3"])
    searcher.on_trial_complete("3", {VAL_AP: 0.5})
    last = [searcher.suggest(name) for name in ("6", "7")]
    assert all("configs" in one for one in last)
    assert searcher.suggest("8") == Searcher.FINISHED


def test_no_trial_begins_once_the_user_stops(tmp_path: Path) -> None:
    searcher = make_searcher(TrialQueue([Campaign(tmp_path).work()]), tmp_path / "stop", 2)
    (tmp_path / "stop").touch()
    assert searcher.suggest("0") == Searcher.FINISHED
