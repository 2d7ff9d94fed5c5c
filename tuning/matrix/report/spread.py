"""Parts of the variance of each network's score, as far as the matrix varied what causes them."""

from collections.abc import Mapping

from tuning.matrix.cell_models import CellModel
from tuning.matrix.report.effects import REPLICATES
from tuning.matrix.results import MatrixResults
from tuning.statistics.estimate import SeedSpread, pool_seeds
from tuning.statistics.variance_parts import (
    Source,
    VariancePart,
    fill_parts,
    measure_block_part,
    measure_fold_part,
    measure_replicate_part,
    measure_seed_part,
)

LABELS: dict[Source, str] = {"search": "seeds of the search", "world": "synthetic worlds"}


def measure_parts(results: MatrixResults) -> dict[str, list[VariancePart]]:
    """Return the parts of every network of the reference cell, by its title; of baselines where there is no network."""
    models = results.reference.models
    networks = [model for model in models if not model.is_baseline] or list(models)
    return {model.title: _measure(results, model) for model in networks}


def _measure(results: MatrixResults, model: CellModel) -> list[VariancePart]:
    scores = {name: one for sample in results.samples for name, one in sample.scores.items()}
    name, kinds = results.reference.name(model.key), results.kinds
    spread = pool_seeds(scores, kinds)[kinds[name]]
    sample = next(one for one in results.samples if name in one.scores)
    known: dict[Source, VariancePart] = {
        "seed": measure_seed_part(spread),
        "block": measure_block_part(sample, name),
        "fold": measure_fold_part(model.pr_auc, spread),
    }
    known |= _measure_replicates(results, model.key, spread)
    notes: dict[Source, str] = {}
    if results.plan.search == "per-cell":
        notes["search"] = (
            "not told apart: each cell has a search of its own, so it is in the effects"
        )
    return fill_parts(known, notes)


def _measure_replicates(
    results: MatrixResults, key: str, spread: SeedSpread
) -> Mapping[Source, VariancePart]:
    """Measure what axes varied at random: the search's seed, or the world of synthetic tiles."""
    parts: dict[Source, VariancePart] = {}
    for axis in results.plan.axes:
        source = REPLICATES.get(axis.name)
        cells = [results.at(axis.name, level.text) for level in axis.levels]
        own = [cell.by_key[key] for cell in cells if key in cell.by_key]
        real = any((cell.provenance or {}).get("data") == "real" for cell in cells)
        if source is None or (source == "world" and real):
            continue
        means, seeds = [model.mean for model in own], [len(model.seeds) for model in own]
        parts[source] = measure_replicate_part(source, means, seeds, spread, LABELS[source])
    return parts
