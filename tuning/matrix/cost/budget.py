"""Fewer seeds for a matrix that would take longer than its budget; its cells stay."""

from tuning.matrix.cost.estimate import MatrixCost

MIN_SEEDS = 2  # one seed has no spread: no effect could be told from the luck of a seed


def fit_budget(cost: MatrixCost, hours: float | None) -> int:
    """Return the most seeds, at most those of the matrix, with which it stays within its budget.

    Args:
        cost: What the matrix costs.
        hours: The budget; None for any.

    Raises:
        ValueError: If it does not fit with the fewest seeds that can be compared.
    """
    least = min(MIN_SEEDS, cost.seeds)
    if hours is None:
        return cost.seeds
    for seeds in range(cost.seeds, least - 1, -1):
        if cost.hours_with(seeds) <= hours:
            return seeds
    raise ValueError(
        f"--budget {hours:g} hours must hold every cell with {least} seed{'s' * (least > 1)}, without which the luck of a seed cannot "
        f"be told from an effect, but {len(cost.cells)} cells are estimated to take {cost.hours_with(least):.2f} hours. Raise it, "
        "or leave out levels or models."
    )
