"""Cells whose seeds differ clearly more than those of other cells of the same architecture."""

from tuning.matrix.results import MatrixResults, describe_cell
from tuning.statistics.estimate import FIXED


def describe_unequal(results: MatrixResults) -> list[str]:
    """Name the cells whose seeds are not pooled with those of the reference cell, a sentence per network.

    Their effects rest on few deviations, so they are told with wide intervals; more seeds help.
    """
    reference = {model.key: model for model in results.reference.models}
    sentences = []
    for key, own in reference.items():
        kind = results.kinds[results.reference.name(key)]
        apart = [
            (describe_cell(results.plan, cell.cell), cell.by_key[key])
            for cell in results.cells
            if key in cell.by_key and results.kinds[cell.name(key)] != kind
        ]
        if own.kind != FIXED and apart:
            listed = ", ".join(f"{name} ({model.std:.3f})" for name, model in apart)
            sentences.append(
                f"Seeds of {own.title} differ by another amount in some cells than at the reference (standard deviation {own.std:.3f}): {listed}. "
                "They are pooled apart, so these effects rest on few deviations; more seeds help."
            )
    return sentences
