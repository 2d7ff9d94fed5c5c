"""Which models read the dates of acquisitions, and why they may."""

from collections.abc import Sequence

from mlflow.entities import Run

from tuning.report.results import ModelResult

DATES_TAG = "dates"  # tag of the campaign's run: why networks may read dates, or not
DAYS_AS_INPUT = "cost/days_as_input"  # metric of a trial's run: 1 if its network reads dates


def list_dated(models: Sequence[ModelResult]) -> list[str]:
    """Return the models that read dates, in their order."""
    return [
        model.title
        for model in models
        if any(run.run.data.metrics.get(DAYS_AS_INPUT, 0) > 0 for run in model.runs)
    ]


def describe_dates(campaign: Run, models: Sequence[ModelResult]) -> str:
    """Say which models read dates and what the audit found; empty if none does."""
    dated = list_dated(models)
    if not dated:
        return ""
    reason = " ".join(campaign.data.tags.get(DATES_TAG, "").split())[:1000]
    because = f" They may, since {reason}." if reason and reason.isprintable() else ""
    plural = len(dated) > 1
    return (
        f"{', '.join(dated)} read{'' if plural else 's'} the dates of acquisitions; the other networks see their order alone."
        f"{because if plural else because.replace('They may', 'It may')}"
    )
