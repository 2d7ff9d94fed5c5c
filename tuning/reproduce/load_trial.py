"""Read a logged trial from MLflow for a rerun: run, config, pack, split, and changes of code and packages."""

import shlex
import tempfile
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from data.command.version import read_commit
from data.io.errors import unknown_name
from data.io.safe_json import parse_object, read_text, show_value
from data.pack import Pack, load_pack
from data.splits import hash_splits, is_cross_validation, list_folds
from models import is_key, list_models
from tuning.settings.settings import PACKS
from tuning.tracking.client import connect_existing, find_runs
from tuning.tracking.payloads import flatten
from tuning.tracking.validate_runs import check_environment
from tuning.train.environment import read_versions
from tuning.train.fit import check_training_config, make_config_split
from tuning.trial.config import OUTSIDE, recall_from_config
from tuning.trial.folder import VAL_AP, Config
from tuning.trial.initial import read_initial

MAX_LISTED = 5  # runs or contradictions in an error message


@dataclass(frozen=True)
class LoggedTrial:
    """A logged trial.

    Attributes:
        run_id: Its MLflow run.
        name: The run's name in MLflow.
        config: Its config, from the artifact ``trial/config.json``.
        pack: The trial's data.
        tags: The run's tags.
        metrics: The run's metrics, last value of each.
        epochs: Val average precision by epoch, from 1.
        device: Device of the training, ``cpu`` or ``cuda``.
        threads: Number of CPU threads of the training.
        changes: One sentence per change since the trial: commit, package versions.
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
        """Whether test was measured, as in repeat trials only."""
        return "test/pr_auc" in self.metrics

    @property
    def stopped_after(self) -> int | None:
        """Epoch after which the scheduler or the user stopped it; None if training ended by itself."""
        by_itself = self.tags["ended_by"] in ("last epoch", "patience")
        return None if by_itself else max(self.epochs, default=None)


def load_trial(root: Path, run_id: str, pack: Path | None = None) -> LoggedTrial:
    """Read a logged trial and load its data.

    Args:
        root: Output folder.
        run_id: Id of the trial's run, or its first characters.
        pack: Folder of the pack (default: searched below *root*).

    Returns:
        The trial.

    Raises:
        ValueError: If the run is no finished trial of a network, or its config, data, split or network has changed.
        NoStoreError: If *root* has no database.
        FileNotFoundError: If *pack* is no pack.
        ConnectionError: If the tracker does not answer.
    """
    client, experiment_id = connect_existing(root)
    run = _find_run(client, experiment_id, run_id)
    config = _read_config(client, run)
    history = client.get_metric_history(run.info.run_id, "val_pr_auc")
    environment = _read_json_artifact(client, run, "environment.json")
    check_environment(environment, f"run {_format_run(run)}")
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


def _format_run(run: Run) -> str:
    name = str(run.info.run_name)
    return f"{run.info.run_id} ({name if name.isprintable() and len(name) < 200 else show_value(name)})"


def _find_run(client: MlflowClient, experiment_id: str, start: str) -> Run:
    """Return a trial's run by its id or the first characters of it."""
    runs = {run.info.run_id: run for run in find_runs(client, experiment_id)}
    trials = [run_id for run_id, run in runs.items() if run.data.tags.get("kind") == "trial"]
    matches = [start] if start in runs else [run_id for run_id in runs if run_id.startswith(start)]
    if not trials:
        raise ValueError("A rerun needs a trial, but MLflow has none. Run `python -m tuning.run`.")
    if not matches:
        nearest = get_close_matches(start, trials, n=MAX_LISTED, cutoff=0)
        raise ValueError(
            f"{unknown_name('run', start, nearest)} These are the most similar of {len(trials)} trials."
        )
    if len(matches) > 1:
        raise ValueError(
            f"The start of an id must match one run, but {start!r} matches {len(matches)}: "
            f"{', '.join(matches[:MAX_LISTED])}. Give more characters of the id."
        )
    run = runs[matches[0]]
    _check_run(client, run)
    return run


def _check_run(client: MlflowClient, run: Run) -> None:
    """Refuse a run that is not a finished trial of a network with a best checkpoint."""
    tags = run.data.tags
    kind, model = tags.get("kind", "unknown"), tags.get("study", "unknown")
    if kind != "trial":
        query = {"study": model} if kind == "study" else {}
        query |= {"campaign": tags.get("campaign", "unknown"), "kind": "trial"}
        trials = find_runs(client, run.info.experiment_id, **query)
        names = [_format_run(trial) for trial in trials if _is_network(trial)]
        raise ValueError(
            f"A rerun needs a trial, but got the {kind} run {_format_run(run)}. "
            f"Choose one of its {len(names)} trials: {', '.join(names[:MAX_LISTED])}."
        )
    if not _is_network(run):
        raise ValueError(
            f"A rerun trains one of {', '.join(list_models())}, but run {_format_run(run)} is of {model!r}. "
            "Choose the run of a network; a baseline cannot be rerun."
        )
    if "ended_by" not in tags:
        raise ValueError(
            f"A rerun needs a finished trial, but run {_format_run(run)} has the status {run.info.status}. "
            f"Continue it with `python -m tuning.run --resume {shlex.quote(str(tags.get('campaign')))}`."
        )
    if VAL_AP not in run.data.metrics:
        raise ValueError(
            f"A rerun needs a trial with a complete epoch, but run {_format_run(run)} has none and ended by "
            f"{tags['ended_by']}. {tags.get('error', '')} Choose another trial."
        )


def _is_network(run: Run) -> bool:
    """Return whether a trial's run is of a network: one of this project, or one whose params say where it is."""
    model = run.data.tags.get("study")
    return model in list_models() or (is_key(model) and OUTSIDE[0] in run.data.params)


def _read_json_artifact(client: MlflowClient, run: Run, name: str) -> dict[str, Any]:
    """Read a JSON file of the trial from the run's artifacts."""
    path = f"trial/{name}"
    if path not in [file.path for file in client.list_artifacts(run.info.run_id, "trial")]:
        raise ValueError(
            f"A rerun needs the artifact {path}, but run {_format_run(run)} lacks it. Choose another trial."
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(client.download_artifacts(run.info.run_id, path, folder))
        return parse_object(read_text(file), f"the artifact {path} of run {_format_run(run)}")


def _read_config(client: MlflowClient, run: Run) -> Config:
    """Read the config artifact of a run, and check that the run's params are equal to it."""
    name, place = "trial/config.json", f"the artifact trial/config.json of run {_format_run(run)}"
    config = check_training_config(_read_json_artifact(client, run, "config.json"), place)
    texts = {name: str(value) for name, value in flatten(config).items()}
    params = run.data.params
    different = sorted(name for name in {*texts, *params} if texts.get(name) != params.get(name))
    if different:
        pairs = [
            f"{name} {params.get(name)} and {texts.get(name)}" for name in different[:MAX_LISTED]
        ]
        raise ValueError(
            f"Params and {name} of a trial must be equal, but {len(different)} values contradict each "
            f"other in run {_format_run(run)}: {', '.join(pairs)}. One was changed after the trial; restore it."
        )
    recall_from_config(config)
    return config


def _find_pack(run: Run, config: Config, root: Path, path: Path | None) -> Pack:
    """Load the pack with the hash in the config, and check that its split and the weights to start from have not changed."""
    packs, expected = root.resolve() / PACKS, config.get("data")
    names = sorted(file.parent.name for file in packs.glob("pack-*/manifest.json"))
    pack = None
    if path is not None or f"pack-{expected}" in names:
        pack = load_pack(path or packs / f"pack-{expected}")
    if pack is None or pack.hash != expected:
        got = f"{', '.join(names) or 'no pack'} in {packs}"
        got = got if pack is None else f"the hash {pack.hash} in {pack.path}"
        raise ValueError(
            f"A rerun needs its trial's data, pack-{expected}, but got {got}. Build it again from the same "
            f"tiles with `{_pack_command(run, root)}`, or choose its folder with --pack."
        )
    if "init" in config:
        read_initial(pack.path.parent, config["init"])
    name, logged = str(run.data.tags.get("split", config["split"])), run.data.tags.get("split_hash")
    if (found := _hash_split(name, config, pack)) != logged:
        raise ValueError(
            f"A rerun needs its trial's split, hash {logged}, but {name} has the hash {found} "
            f"on {pack.path} now. Check out commit {run.data.tags.get('git_commit')}."
        )
    return pack


def _hash_split(name: str, config: Config, pack: Pack) -> str:
    """Return the present hash of a campaign's split: over all folds, if the trial is of one of several."""
    folds = list_folds(name, pack.regions) if is_cross_validation(name) else [config["split"]]
    return hash_splits([make_config_split({**config, "split": fold}, pack) for fold in folds])


def _pack_command(run: Run, root: Path) -> str:
    """Return the command that builds the pack: preset, split and channels determine its tiles."""
    tags = run.data.tags
    words = {name: str(tags.get(name)).split() for name in ("preset", "split", "channels")}
    options = [f"--{name} {shlex.join(values)}" for name, values in words.items()]
    options += [] if run.data.tags.get("data") == "synthetic" else ["--data TILES"]
    return f"python -m tuning.run {' '.join(options)} --root {shlex.quote(str(root))}"


def _list_changes(run: Run, environment: dict[str, Any]) -> list[str]:
    """Describe changes of code and packages since the trial, which may change its scores."""
    then, now = run.data.tags.get("git_commit", "unknown"), read_commit(Path(__file__).parent)
    changes = [] if then == now else [f"The trial ran at commit {then}, the rerun at {now}."]
    if then == now and then.endswith("-dirty"):
        changes = [f"Trial and rerun have uncommitted changes, perhaps different ones, at {then}."]
    versions = read_versions()
    for name, old in environment["packages"].items():
        if (new := versions.get(name, "none")) != old:
            changes.append(f"The trial ran with {name} {old}, the rerun with {new}.")
    return changes
