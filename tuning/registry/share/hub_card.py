"""The model card on the hub: metadata that the hub shows and a pull reads, then the version's own card."""

import math
from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from data.fetch.hub import REPO
from tuning.registry.model_card import CARD_TAGS, describe_source, format_gate
from tuning.registry.names import read_regions_tag
from tuning.registry.share.hub import CARD, FACTS_KEY
from tuning.serving.program import INPUT, OUTPUT, Program
from tuning.tracking.model_digest import DIGEST

REAL = "real"
_TASK = "image-segmentation"
_TAGS = ("landslides", "sentinel-1", "sar", "time-series", "onnx", "earth-observation")
# The type and name of each score on the hub, and the version's tag that holds it.
_METRICS = {
    "pr_auc": ("average_precision", "average precision"),
    "f1_dice": ("f1", "F1 of the landslide class"),
    "iou": ("iou", "IoU of the landslide class"),
}
# Tags of a version that its card repeats: claims of the publisher, for whoever pulls it.
CLAIMS = (*CARD_TAGS, "regions", "licence", "data_source")
_LOAD = """## Load
Input: float32 `x (B, T={timesteps}, C={channels}, H, W)`, gamma nought in dB (heights in m, slopes in degrees), NaN = no data;
H and W are multiples of {multiple}. Channels in order: {names}; acquisitions: {acquisitions}. Output: landslide probability
`(B, H, W)`, calibrated on val; landslide at {threshold} or more. Normalisation is inside the network.

ONNX Runtime alone, which runs no code of this repository:

```python
import onnxruntime
from huggingface_hub import hf_hub_download

session = onnxruntime.InferenceSession(hf_hub_download("{repo}", "artifacts/model.onnx"))
(probs,) = session.run(["{output}"], {{"{input}": x}})
```

As a model of MLflow, which also reads tiles and the whole series. This runs the repository's `served_model.py`: read it first.

```python
import mlflow
from huggingface_hub import snapshot_download

probs = mlflow.pyfunc.load_model(snapshot_download("{repo}")).predict(x)
```

With the benchmark, which checks every file and runs none of the repository's code:

```bash
python -m tuning.registry pull hf:{repo}
```

```python
from tuning.tracking.model_digest import load_torch

network = load_torch("models:/{name}/1")  # the version that the pull printed; a torch module
```"""


def make_hub_card(
    name: str,
    number: int,
    tags: Mapping[str, str],
    description: str,
    facts: Mapping[str, Any],
    *,
    program: Program,
    repo: str,
    problem: str,
) -> str:
    """Make a repository's ``README.md``.

    Args:
        name: Registered model.
        number: The version's number.
        tags: Its tags.
        description: Its card in the registry.
        facts: ``run_id``, ``model_sha256`` and ``gate``, of :func:`tuning.registry.trust.examine_registered`.
        program: Its network.
        repo: ``USER/REPO``.
        problem: Why the version should not be used, a sentence; empty if it passed its gate.
    """
    synthetic = tags.get("data") != REAL
    marks = [f"> **UNTRUSTED.** {problem} It was published nevertheless."] if problem else []
    if synthetic:
        marks.append(
            "> **SYNTHETIC.** It learnt from synthetic tiles, and its scores are on synthetic tiles."
        )
    body, _, _ = description.partition("\n## Load\n")
    load = _LOAD.format(
        timesteps=program.timesteps,
        channels=program.channels,
        multiple=program.multiple,
        names=program.metadata.get("channels", "not stated"),
        acquisitions=program.metadata.get("acquisitions", "not stated"),
        threshold=program.metadata.get("threshold", "a threshold of your choice"),
        repo=repo,
        input=INPUT,
        output=OUTPUT,
        name=name,
    )
    origin = _describe_origin(name, number, tags, facts)
    data = _make_metadata(name, number, tags, facts, synthetic=synthetic, untrusted=bool(problem))
    text = "\n\n".join([*marks, body.strip(), load, origin])
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{text}\n"))


def _make_metadata(
    name: str,
    number: int,
    tags: Mapping[str, str],
    facts: Mapping[str, Any],
    *,
    synthetic: bool,
    untrusted: bool,
) -> ModelCardData:
    """Return the block that the hub shows."""
    scores = _make_scores(tags, name, synthetic=synthetic)
    marks = [*(["synthetic-data"] if synthetic else []), *(["untrusted"] if untrusted else [])]
    own = {
        "registered_model": name,
        "version": number,
        "run_id": facts.get("run_id") or "",
        "gate": format_gate(tags),
        "tags": {key: tags[key] for key in CLAIMS if key in tags},
    }
    return ModelCardData(
        license="cc-by-4.0",
        library_name="onnx",
        pipeline_tag=_TASK,
        tags=[*_TAGS, *marks],
        datasets=None if synthetic else [REPO],  # no pixel of it made a synthetic tile
        model_name=name if scores else None,
        eval_results=scores or None,
        **{DIGEST: facts[DIGEST], FACTS_KEY: own},
    )


def _make_scores(tags: Mapping[str, str], name: str, *, synthetic: bool) -> list[EvalResult]:
    """Return the scores on test that the version's tags hold."""
    regions = read_regions_tag(tags, name)
    source = describe_source(REAL if not synthetic else "synthetic", regions)
    split = f"test of split {tags.get('split', 'unknown')}"
    dataset = f"{'SYNTHETIC: ' if synthetic else ''}{source}; {split}"
    return [
        EvalResult(
            task_type=_TASK,
            dataset_type="synthetic-twin" if synthetic else REPO,
            dataset_name=dataset,
            dataset_split="test",
            metric_type=kind,
            metric_name=title,
            metric_value=round(float(tags[key]), 4),
        )
        for key, (kind, title) in _METRICS.items()
        if _is_score(tags.get(key))
    ]


def _is_score(text: str | None) -> bool:
    try:
        return text is not None and math.isfinite(float(text))
    except ValueError:
        return False


def _describe_origin(
    name: str, number: int, tags: Mapping[str, str], facts: Mapping[str, Any]
) -> str:
    rows = {
        "registered as": f"{name} version {number}",
        "campaign": tags.get("campaign", "not stated"),
        "run": facts.get("run_id") or "not stated",
        "gate": format_gate(tags),
        DIGEST: facts[DIGEST],
    }
    table = "\n".join(f"| {label} | {value} |" for label, value in rows.items())
    return (
        f"## Origin\n| | |\n|---|---|\n{table}\n\n"
        f"`{DIGEST}` is over the names and contents of all files of the model, without this `{CARD}`. "
        "Code: Apache-2.0."
    )
