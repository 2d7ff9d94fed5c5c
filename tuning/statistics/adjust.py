"""P-values adjusted for a family of tests: for any false finding (Holm), or for their share (Benjamini and Hochberg).

Reference:
    Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6(2). Benjamini &
    Hochberg (1995), Controlling the False Discovery Rate, Journal of the Royal Statistical Society B 57(1),
    doi:10.1111/j.2517-6161.1995.tb02031.x.
"""

from typing import Literal

import numpy as np
from scipy.stats import false_discovery_control

Method = Literal["Holm", "FDR"]


def adjust(p: np.ndarray, method: Method) -> np.ndarray:
    """Adjust p-values; NaN marks what was not tested, and is no part of the family.

    Args:
        p: P-values, shape ``(P,)``.
        method: ``Holm`` bounds the chance of any false finding, ``FDR`` the expected share of false findings.

    Raises:
        ValueError: If a p-value is not from 0 to 1.
    """
    values = np.asarray(p, np.float64)
    tested = ~np.isnan(values)
    if (values[tested] < 0).any() or (values[tested] > 1).any():
        wrong = values[tested][(values[tested] < 0) | (values[tested] > 1)][0]
        raise ValueError(f"A p-value must be from 0 to 1, but got {wrong:g}. Give NaN for no test.")
    adjusted = values.copy()
    if tested.any():
        known = values[tested]
        adjusted[tested] = _holm(known) if method == "Holm" else false_discovery_control(known)
    return adjusted


def _holm(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p, kind="stable")
    left = np.arange(len(p), 0, -1)  # tests from each on, the smallest first
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * left), 1.0)
    return adjusted
