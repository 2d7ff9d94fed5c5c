"""A registered version's tags (scores, licence, data source) and its model card in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.registry.gate import CHECK_LABELS, CHECKS, GateCheck
from tuning.registry.names import REGIONS_TAG, read_regions_tag
from tuning.tracking.model_facts import DOI, LICENCES, describe_licence

GATE_TAG = "gate"  # "passed", or "failed: " and the names of the failed checks
PASSED = "passed"
PULLED = "pulled_from"  # tag of a version from the hub: ``hf:USER/REPO@COMMIT``
MAP_THRESHOLD = (
    "map_threshold"  # of calibrated probabilities; the tag ``threshold`` is of the network's own
)
NOT_MEASURED = "not measured"  # value of a check's own tag
_PROVENANCE = (
    *("model", "channels", "acquisitions", "data", "split", "split_hash", "data_hash", "campaign"),
    *("preset", "git_commit", "seeds", "seed", "threshold"),
)
_APS = ("pr_auc_low", "pr_auc_high", "pr_auc_mean", "pr_auc", "val_pr_auc")
_SCORES = ("precision", "recall", "f1_dice", "iou")
CARD_TAGS = (*_PROVENANCE, *_APS, *_SCORES)  # tags that a card needs
_LOAD = """```python
import mlflow

mlflow.set_tracking_uri("…")  # of this registry
model = mlflow.pyfunc.load_model("models:/{name}/{version}")
probs = model.predict(x)  # x (B, T, C, H, W) in dB, NaN = no data; probs (B, H, W)
mask = model.predict(x, params={{"mask": True}})  # at the threshold chosen on val
```"""


def describe_source(kind: str, regions: Sequence[str]) -> str:
    """Return where a model's training tiles come from: *kind* is ``real`` or ``synthetic``."""
    names = ", ".join(regions)
    if kind == "real":
        return f"Sen12Landslides, {names} (Höhn et al. 2025, doi {DOI})"
    return f"synthetic twin of Sen12Landslides, {names}; no pixel of the real data"


def make_tags(row: Mapping[str, Any], regions: Sequence[str]) -> dict[str, str]:
    """Make a version's tags from its row in ``benchmark_master.csv`` and its regions.

    MLflow refuses ``@`` in names.
    """
    tags = {
        name.replace("@", "_at_"): str(value)
        for name, value in row.items()
        if name != "weights_path"
    }
    kind = tags["data"]
    source = describe_source(kind, regions)
    return tags | {
        "licence": describe_licence(kind, tags.get("architecture", "")),
        "data_source": source,
        REGIONS_TAG: " ".join(regions),
    }


def make_gate_tags(checks: Sequence[GateCheck]) -> dict[str, str]:
    """Make the tags of a gate's result; ``gate`` is last and marks the result as complete."""
    failed = [check.name for check in checks if check.passed is False]
    tags = {
        f"{GATE_TAG}_{check.name}": NOT_MEASURED if check.passed is None else f"{check.value:.4f}"
        for check in checks
    }
    return {**tags, GATE_TAG: f"failed: {', '.join(failed)}" if failed else PASSED}


def format_gate(tags: Mapping[str, str]) -> str:
    """Return a version's gate result, with the checks that were not measured: earlier gates had fewer."""
    if GATE_TAG not in tags:
        return "not run"
    open_checks = [
        name for name in CHECKS if tags.get(f"{GATE_TAG}_{name}", NOT_MEASURED) == NOT_MEASURED
    ]
    more = f" ({', '.join(open_checks)} {NOT_MEASURED})" if open_checks else ""
    return tags[GATE_TAG] + more


def describe_gate(tags: Mapping[str, str]) -> str:
    """Return a version's gate result for people: what a passed one has tested, in a few words."""
    if tags.get(GATE_TAG) != PASSED:
        return format_gate(tags)
    tested = [
        label
        for name, label in CHECK_LABELS.items()
        if tags.get(f"{GATE_TAG}_{name}", NOT_MEASURED) != NOT_MEASURED
    ]
    return f"{format_gate(tags)}: {', '.join(tested)}" if tested else format_gate(tags)


def describe_model(title: str) -> str:
    """Describe a registered model in Markdown."""
    return (
        f"**{title}**: landslide probability of each pixel from a Sentinel-1 time series. One version per "
        "registered run, with scores, data, licence and gate result as tags.\n\n"
        "- `champion`: best on val among the versions that passed the gate and learnt from the same data, split, channels, "
        "acquisitions and regions, unless one was promoted or rolled back by hand\n"
        "- `challenger`: the best other of these versions, or the former champion\n"
        "- `rapid`: the version that is best on val with one acquisition after the event of each orbit\n"
        "- `best`: the champion of the architecture that is best on val, compared in the same way; one model of each "
        "region has it\n\n"
        "`python -m tuning.registry list | promote | rollback | export | push`"
    )


def make_card(
    name: str, version: int, tags: Mapping[str, str], checks: Sequence[GateCheck] = ()
) -> str:
    """Make a version's model card in Markdown.

    Args:
        name: Registered model.
        version: Number of the version.
        tags: The version's tags, at least those of ``CARD_TAGS``.
        checks: Results of the gate; empty if it has not run.
    """
    regions = read_regions_tag(tags, f"{name} version {version}")
    summary = (
        "Landslide probability of each 10 m pixel from a Sentinel-1 time series "
        f"({tags['channels']}; acquisitions: {tags['acquisitions']})."
    )
    data = (
        f"{describe_source(tags['data'], regions)}. Split {tags['split']} ({tags['split_hash']}){_name_fold(tags)}, data {tags['data_hash']}, "
        f"campaign {tags['campaign']}, preset {tags['preset']}, code {tags['git_commit']}."
    )
    warning = "**Synthetic data: these scores say nothing about a real place.**"
    sections = [
        f"# {tags['model']}",
        summary,
        *([warning] if tags["data"] == "synthetic" else []),
        _format_scores(tags),
        f"## Data\n{data}",
        f"## Licence\n{tags.get('licence') or LICENCES[tags['data']]}",
        "## Gate\n" + ("\n".join(_format_check(check) for check in checks) or "Not run yet."),
        "## Load\n" + _LOAD.format(name=name, version=version),
    ]
    return "\n\n".join(sections)


def replace_gate(card: str, checks: Sequence[GateCheck]) -> str:
    """Return a pulled version's card with the gate's result as its last section."""
    before, _, _ = card.partition("## Gate\n")
    return f"{before}## Gate\n" + "\n".join(_format_check(check) for check in checks)


def _format_check(check: GateCheck) -> str:
    outcome = {True: "passed", False: "**failed**", None: NOT_MEASURED}[check.passed]
    return f"- {outcome}: {check.sentence}"


def _folds(tags: Mapping[str, str]) -> int:
    """Return the folds of the version's campaign; 1 without cross-validation, or for a version of an earlier release."""
    return int(tags["folds"]) if tags.get("folds", "").isdecimal() else 1


def _name_fold(tags: Mapping[str, str]) -> str:
    return f", the first of {count} folds" if (count := _folds(tags)) > 1 else ""


def _format_scores(tags: Mapping[str, str]) -> str:
    low, high, mean, own, val = (_short(tags[name]) for name in _APS)
    threshold = _short(tags["threshold"])
    over = f"seeds ({tags['seeds']})" + (
        f" and {count} folds" if (count := _folds(tags)) > 1 else ""
    )
    rows = [
        f"| average precision, mean over {over} | {mean}, 95 % interval {low} to {high} |",
        f"| average precision, this run (seed {tags['seed']}) | {own}; on val {val} |",
        *(f"| {name} at threshold {threshold} | {_short(tags[name])} |" for name in _SCORES),
    ]
    if tags.get(MAP_THRESHOLD):
        rows.append(
            f"| this threshold for the probabilities of maps, which are calibrated on val | {_short(tags[MAP_THRESHOLD])} |"
        )
    return "## Scores on test\n| score | value |\n|---|---|\n" + "\n".join(rows)


def _short(number: str) -> str:
    return f"{float(number):.3f}"
