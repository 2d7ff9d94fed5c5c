"""Rows that a campaign has already: names that are taken, and predictions that were scored before."""

from collections.abc import Mapping, Sequence

from mlflow.entities import Run

from data.io.errors import list_first
from models import list_models, paper_name
from tuning.baselines.baselines import BASELINES, baseline_title
from tuning.score.read_predictions import Prediction
from tuning.score.target import Target
from tuning.trial.foreign.names import foreign_key, is_foreign
from tuning.trial.foreign.provenance import NAMES, load_provenance

Place = tuple[str, str]  # seed and fold of a run


def check_free_name(target: Target, name: str) -> str:
    """Return the key of foreign predictions after a check that no model has their name.

    Raises:
        ValueError: If the name is malformed, or that of a network or baseline, in its short or its long form.
    """
    key = foreign_key(name)
    own = {run.data.tags["study"] for run in target.repeats} | {*list_models(), *BASELINES}
    titles = {one: _title(one) for one in sorted(own) if not is_foreign(one)}
    for other, title in titles.items():
        if name.lower() in (other.lower(), title.lower()):
            raise ValueError(
                f"A name for foreign predictions must be their own, but {name} is that of {title} ({other}). Choose another, such as "
                f"{name}-by-us."
            )
    return key


def _title(key: str) -> str:
    return baseline_title(key) if key in BASELINES else paper_name(key)


def find_new(
    target: Target, key: str, predictions: Sequence[Prediction], params: Mapping[str, str]
) -> list[Prediction]:
    """Return the predictions that the campaign does not have yet.

    Args:
        target: The campaign.
        key: Key of the foreign predictions.
        predictions: Those to be scored.
        params: What the params of their runs say of provenance and threshold, as :func:`describe_row`.

    Raises:
        ValueError: If the name has other predictions, or the same with another provenance or threshold.
    """
    scored = {
        (run.data.tags["seed"], run.data.tags["fold"]): run
        for run in target.repeats
        if run.data.tags["study"] == key
    }
    given = {(str(one.seed), one.fold): one for one in predictions}
    for place, run in scored.items():
        _check_same(key, run, place, given.get(place), params)
    return [one for place, one in given.items() if place not in scored]


def _check_same(
    key: str, run: Run, place: Place, given: Prediction | None, params: Mapping[str, str]
) -> None:
    name, (seed, fold) = key.partition(":")[2], place
    remedy = f"Nothing is replaced: score these under another --name, such as {name}-2."
    if given is None or run.data.tags.get("predictions") != given.digest:
        what = "none" if given is None else "others"
        raise ValueError(
            f"One name stands for one set of predictions, but {name} has some of seed {seed} on {fold} in this campaign, and "
            f"{what} were given. {remedy}"
        )
    kept = describe_run(run)
    if changed := [entry for entry, text in params.items() if kept.get(entry) != text]:
        raise ValueError(
            f"These predictions are scored as {name} already, with another {list_first(changed, len(changed))}. {remedy}"
        )


def describe_run(run: Run) -> dict[str, str]:
    """Return what a run's params say of provenance and threshold, by name of the entry."""
    stated = load_provenance(run.data.params)
    threshold = run.data.params.get("threshold", "")
    return {name: getattr(stated, name) for name in NAMES} | {"threshold": threshold}
