"""One logged trial, read back from MLflow with all that a rerun needs: run, config, data, split, what has changed."""

import shlex
import tempfile
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from data.io.errors import unknown_name
from data.io.safe_json import parse_object, read_text, show_value
from data.pack import Pack, load_pack
from models import list_models
from tuning.settings.settings import PACKS
from tuning.tracking.client import SQLITE, connect, find_runs, read_commit, tracking_uri
from tuning.tracking.payloads import flatten
from tuning.tracking.ui_links import VAL_AP
from tuning.tracking.validate_runs import check_environment
from tuning.train.environment import read_versions
from tuning.train.fit import REQUIRED_KEYS, make_config_split
from tuning.trial.config import check_config
from tuning.trial.folder import Config

NAMED = 5  # runs, or contradictions, that an error lists


@dataclass(frozen=True)
class LoggedTrial:
    """A logged trial.

    Attributes:
        run_id: Its MLflow run.
        name: The run's name for people.
        config: Its config, from the artifact ``trial/config.json``.
        pack: The data that the config names.
        tags: The run's tags.
        metrics: The run's metrics, the latest value of each.
        epochs: Val average precision by epoch, from 1.
        device: Where it trained, ``cpu`` or ``cuda``.
        threads: How many threads it trained with.
        changes: What is not as it was then, a sentence each: commit, versions of packages.
    """

    run_id: str
    name: str
    config: Config
    pack: Pack
    tags: dict[str, str]
    metrics: dict[str, float]
    epochs: dict[int, float]
    device: str
    threads: int
    changes: tuple[str, ...]

    @property
    def tested(self) -> bool:
        """Whether test was measured, which only repeat trials do."""
        return "test/pr_auc" in self.metrics

    @property
    def stopped_after(self) -> int | None:
        """Epoch after which it was stopped from outside; None where training ended by itself."""
        by_itself = self.tags["ended_by"] in ("last epoch", "patience")
        return None if by_itself else max(self.epochs, default=None)


def load_trial(root: Path, given: str, pack: Path | None = None) -> LoggedTrial:
    """Find a logged trial and its data.

    Args:
        root: Output folder.
        given: Id of the trial's run, or the start of it.
        pack: Folder of the pack; searched below *root* when left out.

    Returns:
        The trial.

    Raises:
        ValueError: If there is nothing to rerun, or not with the same data.
        FileNotFoundError: If *root* has no database, or *pack* is no pack.
        ConnectionError: If the tracker does not answer.
    """
    if tracking_uri(root).startswith(SQLITE) and not (root / "mlflow.db").is_file():
        raise FileNotFoundError(
            f"An output folder holds a mlflow.db, but {root} has none. Give another with --root."
        )
    client, experiment_id = connect(root)
    run = _find_run(client, experiment_id, given)
    config = _read_config(client, run)
    history = client.get_metric_history(run.info.run_id, "val_pr_auc")
    environment = _read_file(client, run, "environment.json")
    check_environment(environment, f"run {_name(run)}")
    return LoggedTrial(
        run_id=run.info.run_id,
        name=str(run.info.run_name),
        config=config,
        pack=_find_pack(run, config, root, pack),
        tags=run.data.tags,
        metrics=run.data.metrics,
        epochs={metric.step: metric.value for metric in history},
        device=environment["device"],
        threads=environment["threads"],
        changes=tuple(_list_changes(run, environment)),
    )


def _name(run: Run) -> str:
    name = str(run.info.run_name)
    return f"{run.info.run_id} ({name if name.isprintable() and len(name) < 200 else show_value(name)})"


def _find_run(client: MlflowClient, experiment_id: str, given: str) -> Run:
    """Find a trial's run by its id or the start of it."""
    runs = {run.info.run_id: run for run in find_runs(client, experiment_id)}
    trials = [run_id for run_id, run in runs.items() if run.data.tags.get("kind") == "trial"]
    found = [given] if given in runs else [run_id for run_id in runs if run_id.startswith(given)]
    if not trials:
        raise ValueError(
            "A rerun needs a trial, but MLflow holds none. Run `python -m tuning.run`."
        )
    if not found:
        nearest = get_close_matches(given, trials, n=NAMED, cutoff=0)
        raise ValueError(
            f"{unknown_name('run', given, nearest)} These are the nearest of {len(trials)} trials."
        )
    if len(found) > 1:
        raise ValueError(
            f"The start of an id must mean one run, but {given!r} means {len(found)}: "
            f"{', '.join(found[:NAMED])}. Give more of the id."
        )
    _check_run(client, runs[found[0]])
    return runs[found[0]]


def _check_run(client: MlflowClient, run: Run) -> None:
    """Refuse a run that is no ended trial of a network with a best checkpoint."""
    tags = run.data.tags
    kind, model = tags.get("kind", "unknown"), tags.get("study", "unknown")
    if kind != "trial":
        wanted = {"study": model} if kind == "study" else {}
        wanted |= {"campaign": tags.get("campaign", "unknown"), "kind": "trial"}
        trials = find_runs(client, run.info.experiment_id, **wanted)
        named = [_name(one) for one in trials if one.data.tags.get("study") in list_models()]
        raise ValueError(
            f"A rerun needs a trial, but got the {kind} run {_name(run)}. "
            f"Give one of its {len(named)} trials: {', '.join(named[:NAMED])}."
        )
    if model not in list_models():
        raise ValueError(
            f"A rerun trains one of {', '.join(list_models())}, but run {_name(run)} is of {model!r}. "
            "Give the run of a network; baselines train nothing."
        )
    if "ended_by" not in tags:
        raise ValueError(
            f"A rerun needs a trial that ended, but run {_name(run)} has the status {run.info.status}. "
            f"Continue it with `python -m tuning.run --resume {shlex.quote(str(tags.get('campaign')))}`."
        )
    if VAL_AP not in run.data.metrics:
        raise ValueError(
            f"A rerun needs a trial with an epoch to its end, but run {_name(run)} has none and ended by "
            f"{tags['ended_by']}. {tags.get('error', '')} Give another trial."
        )


def _read_file(client: MlflowClient, run: Run, name: str) -> dict[str, Any]:
    """Read a trial's own JSON file from its run."""
    path = f"trial/{name}"
    if path not in [file.path for file in client.list_artifacts(run.info.run_id, "trial")]:
        raise ValueError(
            f"A rerun needs the artifact {path}, but run {_name(run)} lacks it. Give another trial."
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(client.download_artifacts(run.info.run_id, path, folder))
        return parse_object(read_text(file), f"the artifact {path} of run {_name(run)}")


def _read_config(client: MlflowClient, run: Run) -> Config:
    """Read the exact config that a run logged; its params, rounded to text, must say the same."""
    name, place = "trial/config.json", f"the artifact trial/config.json of run {_name(run)}"
    config = check_config(_read_file(client, run, "config.json"), place, REQUIRED_KEYS)
    texts = {name: str(value) for name, value in flatten(config).items()}
    params = run.data.params
    wrong = sorted(name for name in {*texts, *params} if texts.get(name) != params.get(name))
    if wrong:
        both = [f"{name} {params.get(name)} and {texts.get(name)}" for name in wrong[:NAMED]]
        raise ValueError(
            f"Params and {name} of a trial must say the same, but {len(wrong)} values contradict each "
            f"other in run {_name(run)}: {', '.join(both)}. One was changed after the trial; restore it."
        )
    return config


def _find_pack(run: Run, config: Config, root: Path, given: Path | None) -> Pack:
    """Load the very data that a config names, and check that its split is still the same."""
    packs, wanted = root.resolve() / PACKS, config.get("data")
    there = sorted(file.parent.name for file in packs.glob("pack-*/manifest.json"))
    pack = None
    if given is not None or f"pack-{wanted}" in there:
        pack = load_pack(given or packs / f"pack-{wanted}")
    if pack is None or pack.hash != wanted:
        got = f"{', '.join(there) or 'no pack'} in {packs}"
        got = got if pack is None else f"the hash {pack.hash} in {pack.path}"
        raise ValueError(
            f"A rerun needs its trial's data, pack-{wanted}, but got {got}. Make it again from the same "
            f"tiles with `{_make_again(run, root)}`, or give it with --pack."
        )
    split, logged = make_config_split(config, pack), run.data.tags.get("split_hash")
    if split.hash != logged:
        raise ValueError(
            f"A rerun needs its trial's split, hash {logged}, but {split.name} has the hash {split.hash} "
            f"on {pack.path} now. Take the code of commit {run.data.tags.get('git_commit')}."
        )
    return pack


def _make_again(run: Run, root: Path) -> str:
    """Return the command that packs the same tiles: preset, split and channels choose among them."""
    tags = run.data.tags
    words = {name: str(tags.get(name)).split() for name in ("preset", "split", "channels")}
    options = [f"--{name} {shlex.join(some)}" for name, some in words.items()]
    options += [] if run.data.tags.get("data") == "synthetic" else ["--data TILES"]
    return f"python -m tuning.run {' '.join(options)} --root {shlex.quote(str(root))}"


def _list_changes(run: Run, environment: dict[str, Any]) -> list[str]:
    """Say which code and packages are others than the trial's: they may change its numbers."""
    then, now = run.data.tags.get("git_commit", "unknown"), read_commit(Path(__file__).parent)
    changes = [] if then == now else [f"The trial ran at commit {then}, the rerun at {now}."]
    if then == now and then.endswith("-dirty"):
        changes = [f"Trial and rerun both have uncommitted changes, perhaps others, at {then}."]
    versions = read_versions()
    for name, old in environment["packages"].items():
        if (new := versions.get(name, "none")) != old:
            changes.append(f"The trial ran with {name} {old}, the rerun with {new}.")
    return changes
