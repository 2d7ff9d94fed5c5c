"""The class of confidence is monotone in size, in probability and in the orbits that show a landslide."""

from itertools import product

import numpy as np
import pytest

from tuning.objects.object_scores import SIZES
from tuning.predict.landslides.confidence import CLASSES, classify, describe_agreement

RANK = {name: rank for rank, name in enumerate(reversed(CLASSES))}


def judge(probability: float, asc: str, dsc: str | None = None, size: int = 1) -> tuple[str, str]:
    """Return agreement and class of one landslide; an orbit is ``seen``, ``unseen`` or ``gap``."""
    states = {"s1asc": asc} | ({"s1dsc": dsc} if dsc else {})
    change = {name: np.array([np.nan if one == "gap" else 1.0]) for name, one in states.items()}
    shown = {name: np.array([one == "seen"]) for name, one in states.items()}
    agreement = describe_agreement(change, shown)
    return str(agreement[0]), str(
        classify(np.array([probability]), 0.4, shown, np.array([size]))[0]
    )


WORDS = [
    ("seen", "seen", "both"),
    ("seen", "unseen", "s1asc only"),
    ("unseen", "seen", "s1dsc only"),
    ("unseen", "unseen", "neither"),
    ("seen", "gap", "one orbit"),
    ("gap", "gap", "one orbit"),
    ("seen", None, "one orbit"),
]


@pytest.mark.parametrize(("asc", "dsc", "wanted"), WORDS)
def test_agreement_says_which_orbits_show_a_landslide(
    asc: str, dsc: str | None, wanted: str
) -> None:
    assert judge(0.5, asc, dsc)[0] == wanted


CLASSIFIED = [
    (0.71, "seen", "seen", "high"),
    (0.71, "seen", "unseen", "high"),
    (0.71, "unseen", "unseen", "medium"),
    (0.69, "seen", "seen", "high"),
    (0.69, "unseen", "seen", "medium"),
    (0.69, "unseen", "unseen", "low"),
    (0.71, "seen", "gap", "high"),
    (0.69, "seen", "gap", "medium"),
    (0.71, "gap", "gap", "medium"),
    (0.71, "seen", None, "high"),
    (0.69, "seen", None, "medium"),
    (0.69, "unseen", None, "low"),
]


@pytest.mark.parametrize(("probability", "asc", "dsc", "wanted"), CLASSIFIED)
def test_classes_follow_from_probability_and_orbits(
    probability: float, asc: str, dsc: str | None, wanted: str
) -> None:
    assert judge(probability, asc, dsc)[1] == wanted


def test_a_large_landslide_needs_no_orbit() -> None:
    found = [judge(0.5, "unseen", "unseen", size)[1] for size in range(len(SIZES))]
    assert found == ["low", "low", "medium", "high"]
    assert judge(0.5, "seen", "unseen", 2)[1] == "high"
    assert "0.72 ha" in SIZES[1]
    assert "2.88 ha" in SIZES[3]


def test_neither_more_probability_nor_another_orbit_lowers_the_class() -> None:
    for asc, dsc in product(("seen", "unseen"), repeat=2):
        ranks = [RANK[judge(p, asc, dsc)[1]] for p in (0.4, 0.6, 0.7, 0.9, 1.0)]
        assert ranks == sorted(ranks)
        for probability in (0.45, 0.95):
            less = RANK[judge(probability, asc, dsc)[1]]
            assert less <= RANK[judge(probability, "seen", dsc)[1]]
            assert less <= RANK[judge(probability, asc, "seen")[1]]


def test_no_landslide_has_no_class() -> None:
    nothing = {"s1asc": np.empty(0)}
    shown = {"s1asc": np.empty(0, bool)}
    assert describe_agreement(nothing, shown).shape == (0,)
    assert classify(np.empty(0), 0.4, shown, np.empty(0, int)).shape == (0,)
