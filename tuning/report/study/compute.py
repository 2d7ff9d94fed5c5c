"""The section on what the campaign cost to compute: processor hours of searches and repeats, the machines, and what was not measured."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from models import paper_name
from tuning.page.html import Block, Section, Table, Text
from tuning.report.results import ModelResult

TITLE = "Compute"
COLUMNS = ("model", "search, CPU h", "search, GPU h", "repeats, CPU h", "repeats, GPU h")
NOTE = (
    "CPU hours are the time of all epochs times the threads of the process, GPU hours that time on a GPU: what was reserved, not what was "
    "used; a dash: not logged. Not counted: measuring val and test after training, baselines, preparing the tiles, this report, and trials that "
    "ended without a record."
)
NO_ENERGY = "Energy and emissions were not measured, so none are given."
MAX_CHARS = 80  # of a tag
MOST_MACHINES = 5  # more are counted
_HOURS = ("cpu_hours", "gpu_hours")
_MACHINE = ("env.processor", "env.cores", "env.gpu", "env.system")
_PACKAGES = ("python", "packages.torch", "packages.numpy", "packages.optuna", "packages.ray")


def sum_repeats(model: ModelResult) -> dict[str, float]:
    """Return processor and GPU hours of all runs of a model; NaN if no run logged them."""
    found = {}
    for name in _HOURS:
        logged = [run.run.data.metrics.get(f"cost/{name}", math.nan) for run in model.runs]
        known = [value for value in logged if math.isfinite(value)]
        found[name] = sum(known) if known else math.nan
    return found


def sum_search(searches: pd.DataFrame, key: str) -> dict[str, float]:
    """Return processor and GPU hours of a network's search trials; NaN without a trial that logged them."""
    own = searches[searches["model"] == key] if len(searches) else searches
    return {name: float(own[name].sum(min_count=1)) if name in own else math.nan for name in _HOURS}


def list_hours(models: Sequence[ModelResult], searches: pd.DataFrame) -> list[list[Any]]:
    """Return a row per model, then one per network that was searched and never repeated, then the sum."""
    rows: list[list[Any]] = []
    for model in models:
        search = sum_search(searches, model.key)
        rows.append([model.title, *search.values(), *sum_repeats(model).values()])
    repeated = {model.key for model in models}
    searched = dict.fromkeys(searches["model"]) if len(searches) else ()
    rows += [
        [paper_name(key), *sum_search(searches, key).values(), math.nan, math.nan]
        for key in searched
        if key not in repeated
    ]
    hours = pd.DataFrame([row[1:] for row in rows], dtype=float)
    return [*rows, ["together", *hours.sum(min_count=1)]]


def total_hours(models: Sequence[ModelResult], searches: pd.DataFrame) -> tuple[float, float]:
    """Return processor and GPU hours of searches and repeats together; 0 where nothing was logged."""
    *_, (_, search_cpu, search_gpu, cpu, gpu) = list_hours(models, searches)
    sums = ((search_cpu, cpu), (search_gpu, gpu))
    first, second = (sum(v for v in pair if math.isfinite(v)) for pair in sums)
    return first, second


def describe_machines(models: Sequence[ModelResult]) -> str:
    """Describe processors, cores and GPUs of the runs, and their packages; says so where runs do not have them."""
    tags = [run.run.data.tags for model in models for run in model.runs]
    machines = dict.fromkeys(filter(None, map(_describe_machine, tags)))
    if not machines:
        return "The runs do not say on which machine they ran: an earlier version logged them."
    shown = list(machines)[:MOST_MACHINES]
    more = f" and {len(machines) - len(shown)} more" if len(machines) > len(shown) else ""
    packages = dict.fromkeys(filter(None, map(_describe_packages, tags)))
    return f"Machine: {'; '.join(shown)}{more}. Packages: {'; '.join(list(packages)[:MOST_MACHINES]) or 'not logged'}."


def _describe_machine(tags: Mapping[str, str]) -> str:
    processor, cores, gpu, system = (_clean(tags.get(name, "")) for name in _MACHINE)
    if not processor:
        return ""
    parts = [processor, f"{cores} cores" if cores else "", "no GPU" if gpu in ("", "None") else gpu]
    return ", ".join(filter(None, [*parts, system]))


def _describe_packages(tags: Mapping[str, str]) -> str:
    versions = [
        (name.rpartition(".")[2], _clean(tags.get(f"env.{name}", ""))) for name in _PACKAGES
    ]
    return ", ".join(f"{name} {version}" for name, version in versions if version)


def _clean(text: str) -> str:
    """Return a tag, which somebody else may have written, for a sentence."""
    shown = "".join(one if one.isprintable() and one not in "`*[]" else " " for one in text)
    return " ".join(shown.split())[:MAX_CHARS]


def build_compute_section(models: Sequence[ModelResult], searches: pd.DataFrame) -> Section:
    """Build the section.

    Args:
        models: Ranked models.
        searches: Content of ``search_trials.csv``.
    """
    rows = [
        [name, *(_format_hours(value) for value in hours)]
        for name, *hours in list_hours(models, searches)
    ]
    blocks: list[Block] = [
        Text(f"{describe_machines(models)} {NO_ENERGY}"),
        Table(COLUMNS, rows, "Processor hours of searches and repeats, all trials together", NOTE),
    ]
    return Section(TITLE, blocks)


def _format_hours(value: float) -> Any:
    """Format hours with three significant digits, at most three decimals; NaN as missing."""
    if not math.isfinite(value):
        return None
    return f"{value:,.3f}" if value < 10 else f"{value:,.1f}"
