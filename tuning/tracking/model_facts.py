"""What a logged model says of itself: ``facts.json`` for programs, metadata and tags for people."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mlflow.models import Model

from data.tiles import ACQUISITIONS
from data.tiles.regions import read_regions
from models import get_architecture, list_models, reads_dates
from tuning.metrics.recalibration import Calibration, fit_calibration
from tuning.serving.network import count_input_dates, list_input_steps
from tuning.serving.program import DAYS, INPUT
from tuning.train.checkpoints import Checkpoint
from tuning.trial.folder import Config, TrialFolder

DOI = "10.1038/s41597-025-06167-2"
# CC BY 4.0 requires attribution of the data set, also for the twin, which uses its statistics (data/ATTRIBUTION.md).
LICENCES = {
    "real": f"Trained on Sen12Landslides (doi {DOI}), CC BY 4.0: give attribution. Code: Apache-2.0.",
    "synthetic": "Trained on the synthetic twin, whose tile locations, landslide sizes and terrain follow "
    f"Sen12Landslides (doi {DOI}), CC BY 4.0: give attribution. Code: Apache-2.0.",
}


def describe_licence(data: str, model: str) -> str:
    """Return the licence of a network that learnt from *data*, with that of weights from which it was begun."""
    own = get_architecture(model).licence if model in list_models() else ""
    return f"{LICENCES.get(data, '')} {own}".strip()


CARD = "README.md"  # of a model's files


def read_calibration(trial: TrialFolder) -> Calibration:
    """Fit the calibration of a trial's best checkpoint to its histogram of val; without one, nothing is changed."""
    counts = trial.counts("val")
    return Calibration() if counts is None else fit_calibration(counts)


def describe_input(
    checkpoint: Checkpoint, calibration: Calibration, expected: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the part of ``facts.json`` on the network: thresholds, calibration, expected scores and input.

    Args:
        checkpoint: The network.
        calibration: Inside its program.
        expected: Content of :func:`tuning.statistics.expected.measure_expected`, or None.
    """
    return {
        "threshold": float(calibration.apply(checkpoint.threshold)),
        "uncalibrated_threshold": checkpoint.threshold,
        "calibration": list(calibration.values),
        "expected": None if expected is None else dict(expected),
        "channels": list(checkpoint.norm.channels),
        "timesteps": checkpoint.config["timesteps"],
        "steps": checkpoint.config["steps"],
        "series": count_input_dates(checkpoint.config),
        "acquisitions": list_input_steps(checkpoint.config),
        "profile": asdict(checkpoint.profile) if checkpoint.profile else None,
    }


def describe_early(
    early: Mapping[str, Mapping[str, float]], calibration: Calibration
) -> dict[str, dict[str, float]]:
    """Return the part of ``facts.json`` on few acquisitions after the event: scores by their number, calibrated threshold.

    Args:
        early: From :func:`tuning.train.early.read_early_scores`.
        calibration: Inside the network's program.
    """
    return {
        after: {**scores, "threshold": float(calibration.apply(scores["threshold"]))}
        for after, scores in early.items()
    }


def describe_data(meta: Model) -> dict[str, Any]:
    """Return what ``facts.json`` says of the data: its kind, and the time of each known event by region."""
    regions, facts = read_regions().values(), meta.metadata or {}
    events = {region.name: str(region.event) for region in regions if region.event is not None}
    own = dict(word.split("=", 1) for word in str(facts.get("events", "")).split())
    text = " ".join(f"{region}={time}" for region, time in sorted((events | own).items()))
    return {"data": str(facts.get("data", "")), "events": text}


def describe(
    checkpoint: Checkpoint, calibration: Calibration, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the model's metadata: provenance, input, normalisation, config."""
    return {
        **facts,
        **describe_input(checkpoint, calibration, None),
        "epoch": checkpoint.epoch,
        "norm": checkpoint.norm.kind,
        "unit": "dB",
        "config": json.dumps(checkpoint.config, sort_keys=True),
    }


def describe_network(
    checkpoint: Checkpoint, facts: Mapping[str, Any], meta: Model
) -> dict[str, str]:
    """Return the texts that the network's ONNX file keeps, by name, for whoever has that file alone.

    Args:
        checkpoint: The network.
        facts: Content of ``facts.json``.
        meta: MLflow's metadata, with the provenance.
    """
    known, norm = meta.metadata or {}, checkpoint.norm
    texts: dict[str, Any] = {
        "producer": "landslide segmentation benchmark on Sentinel-1 time series",
        "channels": " ".join(norm.channels),
        "unit": "gamma nought in dB; heights in m, slopes in degrees; NaN = no data",
        "acquisitions": describe_acquisitions(checkpoint.config),
        DAYS: "from the event to each acquisition, negative before it; NaN = none"
        if reads_dates(checkpoint.model)
        else "",
        "normalisation": f"inside the graph, {norm.kind}: mean {list(norm.mean)}, std {list(norm.std)}",
        "threshold": facts["threshold"],
        "licence": describe_licence(str(known.get("data", "")), checkpoint.config["model"]),
        **{
            name: known.get(name, "")
            for name in ("data", "regions", "data_hash", "split", "split_hash")
        },
        **{name: known.get(name, "") for name in ("campaign", "git_commit")},
        "model": checkpoint.config["model"],
        "config": json.dumps(checkpoint.config, sort_keys=True),
        "run": meta.run_id or "",
    }
    return {name: str(value) for name, value in texts.items() if value != ""}


def describe_acquisitions(config: Config) -> str:
    """Return in words which acquisitions a network reads."""
    count, steps = config["timesteps"], config["steps"]
    if steps == "even":
        chosen = ", ".join(str(index + 1) for index in list_input_steps(config))
        return f"{count} of {ACQUISITIONS}, evenly spaced: numbers {chosen}"
    return f"{count}, chosen as {steps}"


def make_file_card(texts: Mapping[str, str], multiple: int) -> str:
    """Return the card that stands beside a network's files, in Markdown; the registry's card has its scores and gate.

    Args:
        texts: Of :func:`describe_network`.
        multiple: Height and width of the input are multiples of it, px.
    """
    days = ""
    if DAYS in texts:
        days = (
            f" and `{DAYS}` `(B, T)`, days from the event to each acquisition (NaN = none), any T"
        )
    given = f'{{"{INPUT}": x, "{DAYS}": days}}' if days else f'{{"{INPUT}": x}}'
    warning = "\n\n**Learnt from synthetic tiles: its maps say nothing about real places.**"
    rows = "\n".join(f"| {name} | {text} |" for name, text in texts.items() if name != "config")
    return (
        f"# {texts['model']}: landslide probability of each 10 m pixel from a Sentinel-1 time series"
        f"{warning if texts.get('data') == 'synthetic' else ''}\n\n"
        "`model.onnx` holds the network with its normalisation and calibration; `weights.safetensors` and `config.json` hold it "
        f"for torch. Input `x` `(B, T, C, H, W)`, float32, height and width multiples of {multiple} px{days}; output `probability` "
        "`(B, H, W)`.\n\n"
        "```python\nimport onnxruntime\n\n"
        f'session = onnxruntime.InferenceSession("model.onnx")\n(probs,) = session.run(None, {given})\n```\n\n'
        f"| fact | value |\n|---|---|\n{rows}\n"
    )
