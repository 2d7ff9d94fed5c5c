"""Tests of `tuning.statistics.adjust`."""

import numpy as np
import pytest

from tuning.statistics.adjust import adjust


def test_holm_multiplies_the_smallest_by_all_and_never_falls() -> None:
    # sorted: 0.01 * 4, 0.015 * 3 = 0.045, 0.03 * 2 = 0.06, 0.04 * 1 -> not below 0.06
    adjusted = adjust(np.array([0.04, 0.01, 0.03, 0.015]), "Holm")
    np.testing.assert_allclose(adjusted, [0.06, 0.04, 0.06, 0.045])


def test_fdr_multiplies_by_all_over_the_place() -> None:
    # from the largest: 0.04, min(0.03 * 4 / 3, 0.04), min(0.015 * 4 / 2, 0.04), min(0.01 * 4, 0.03)
    adjusted = adjust(np.array([0.04, 0.01, 0.03, 0.015]), "FDR")
    np.testing.assert_allclose(adjusted, [0.04, 0.03, 0.04, 0.03])


def test_what_was_not_tested_is_no_part_of_the_family() -> None:
    for method in ("Holm", "FDR"):
        adjusted = adjust(np.array([np.nan, 0.02, 0.9]), method)  # type: ignore[arg-type]
        np.testing.assert_allclose(adjusted, [np.nan, 0.04, 0.9])
        assert np.isnan(adjust(np.array([np.nan]), method)).all()  # type: ignore[arg-type]
        assert not len(adjust(np.array([]), method))  # type: ignore[arg-type]


def test_an_adjusted_value_is_at_most_1() -> None:
    assert adjust(np.array([0.6, 0.9]), "Holm").tolist() == [1.0, 1.0]


def test_what_is_no_p_value_is_refused() -> None:
    with pytest.raises(ValueError, match=r"from 0 to 1, but got 1.5. Give NaN for no test"):
        adjust(np.array([0.1, 1.5]), "Holm")
