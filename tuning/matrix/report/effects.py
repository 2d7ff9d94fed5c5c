"""Effects of a matrix: every level against the reference of its axis, with verdicts that hold for a stated family.

The effects of the primary axis on the networks are confirmatory: Holm bounds the chance of any false one at 5 %. Everything else, such as other
axes, baselines, and how an effect differs between architectures, is exploratory: Benjamini and Hochberg bound the expected share of
false ones at 5 %.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Literal

import numpy as np
from threadpoolctl import threadpool_limits

from tuning.matrix.cell_models import CellModel
from tuning.matrix.cell_results import CellResult
from tuning.matrix.plan import Axis
from tuning.matrix.results import MatrixResults
from tuning.statistics.adjust import Method, adjust
from tuning.statistics.bootstrap import LEVEL
from tuning.statistics.contrasts import Contrast, Weights, estimate_contrasts
from tuning.statistics.family import Verdict, decide
from tuning.statistics.power import Needs
from tuning.statistics.variance_parts import Source

Kind = Literal["level", "mean", "interaction"]
Family = Literal["primary", "exploratory", ""]
METHODS: dict[Family, Method] = {"primary": "Holm", "exploratory": "FDR"}
MEAN = "mean of networks"  # name of a mean effect over architectures
UNCHANGED = "this level does not change it"
NO_NEEDS = Needs(nan, nan, nan, nan)
# Axes whose levels repeat the same experiment: their spread is a part of the variance, not an effect.
REPLICATES: dict[str, Source] = {"search_seed": "search", "data": "world"}


@dataclass(frozen=True)
class Effect:
    """The effect of one level against the reference of its axis.

    Attributes:
        axis: The axis.
        level: Text of the level.
        kind: ``level``: of one model; ``mean``: over the networks; ``interaction``: how far the effect on one network exceeds
            that on the others, a difference of differences.
        model: Title of the model, ``MEAN``, or such as ``U-TAE minus VanillaUNet``.
        key: Key of the model; empty for a mean.
        contrast: Estimate in average precision, intervals and unadjusted p-value.
        family: Family of tests; empty if it was not tested.
        p: P-value adjusted for the family; NaN if it was not tested.
        p_equivalent: P-value of equivalence within the margin, adjusted too.
        verdict: Of the level, against the reference.
        needs: What the test can decide, beside all others of its family.
        note: Why it is undecided in any case, or that the level changes nothing.
    """

    axis: Axis
    level: str
    kind: Kind
    model: str
    key: str
    contrast: Contrast
    family: Family = ""
    p: float = nan
    p_equivalent: float = nan
    verdict: Verdict = "undecided"
    needs: Needs = NO_NEEDS
    note: str = ""

    @property
    def decided(self) -> bool:
        """Whether the level is better or worse."""
        return self.verdict in ("better", "worse")


@dataclass(frozen=True)
class _Request:
    """An effect to estimate."""

    axis: Axis
    level: str
    kind: Kind
    model: str
    key: str
    weights: Weights
    unchanged: bool = False


def build_effects(results: MatrixResults) -> tuple[Effect, ...]:
    """Estimate and judge every effect that the cells allow, in the order of axes and levels."""
    asked = [one for axis in results.plan.axes for one in _request_axis(results, axis)]
    with threadpool_limits(1):  # the matrices are small: more threads only wait
        found = estimate_contrasts(
            results.samples,
            [one.weights for one in asked],
            results.kinds,
            results.plan.block_tiles,
        )
    effects = [
        _make_effect(one, contrast, results) for one, contrast in zip(asked, found, strict=True)
    ]
    for family, method in METHODS.items():
        effects = _judge(effects, family, method, results.plan.margin)
    return tuple(effects)


def _request_axis(results: MatrixResults, axis: Axis) -> Iterator[_Request]:
    """Yield the effects of an axis, level by level: of each model, their mean, and interactions."""
    if axis.name in REPLICATES:
        return
    reference = results.at(axis.name, axis.reference)
    for level in axis.levels:
        cell = results.at(axis.name, level.text)
        if cell is reference:
            continue
        both = [key for key in cell.by_key if key in reference.by_key]
        for key in both:
            yield _request_level(axis, level.text, cell, reference, key)
        networks = [key for key in both if not cell.by_key[key].is_baseline]
        changed = [
            key for key in networks if not _are_same(cell.by_key[key], reference.by_key[key])
        ]
        if len(changed) > 1:
            yield from _request_several(axis, level.text, cell, reference, changed)


def _request_level(
    axis: Axis, level: str, cell: CellResult, reference: CellResult, key: str
) -> _Request:
    model = cell.by_key[key]
    same = _are_same(model, reference.by_key[key])
    weights = {cell.name(key): 1.0, reference.name(key): -1.0}
    return _Request(axis, level, "level", model.title, key, weights, same)


def _request_several(
    axis: Axis, level: str, cell: CellResult, reference: CellResult, keys: Sequence[str]
) -> Iterator[_Request]:
    """Yield the mean effect over networks, and how each differs from the others; with two networks that is one number."""
    mean = _weigh(cell, reference, dict.fromkeys(keys, 1 / len(keys)))
    yield _Request(axis, level, "mean", MEAN, "", mean)
    titles = {key: cell.by_key[key].title for key in keys}
    for key in keys[1:] if len(keys) == 2 else keys:
        others = [other for other in keys if other != key]
        shares = {key: 1.0} | dict.fromkeys(others, -1 / len(others))
        rest = titles[others[0]] if len(others) == 1 else "the others"
        name = f"{titles[key]} minus {rest}"
        yield _Request(axis, level, "interaction", name, key, _weigh(cell, reference, shares))


def _weigh(cell: CellResult, reference: CellResult, shares: Mapping[str, float]) -> Weights:
    plus = {cell.name(key): share for key, share in shares.items()}
    return plus | {reference.name(key): -share for key, share in shares.items()}


def _are_same(one: CellModel, other: CellModel) -> bool:
    """Return whether a model has the very same scores in two cells, such as a log-ratio with another loss."""
    return np.array_equal(one.pr_auc, other.pr_auc) and np.array_equal(
        one.scores.influences, other.scores.influences
    )


def _make_effect(one: _Request, contrast: Contrast, results: MatrixResults) -> Effect:
    effect = Effect(one.axis, one.level, one.kind, one.model, one.key, contrast)
    if one.unchanged:
        return replace(effect, verdict="equivalent", note=UNCHANGED)
    if contrast.note:
        return replace(effect, note=contrast.note)
    networks = any(not model.is_baseline for cell in results.cells for model in cell.models)
    of_network = one.kind == "mean" or not networks or not _is_baseline(results, one.key)
    primary = one.axis.name == results.plan.primary and one.kind != "interaction" and of_network
    return replace(effect, family="primary" if primary else "exploratory")


def _is_baseline(results: MatrixResults, key: str) -> bool:
    return any(cell.by_key[key].is_baseline for cell in results.cells if key in cell.by_key)


def _judge(
    effects: Sequence[Effect], family: Family, method: Method, margin: float
) -> list[Effect]:
    """Adjust the p-values of a family and decide; other effects stay."""
    own = [effect for effect in effects if effect.family == family]
    p = adjust(np.array([one.contrast.p for one in own]), method)
    within = adjust(np.array([one.contrast.p_equivalent(margin) for one in own]), method)
    judged = iter(
        replace(
            one,
            p=float(p[k]),
            p_equivalent=float(within[k]),
            verdict=decide(one.contrast.estimate, p[k], within=within[k] < 1 - LEVEL),
            needs=one.contrast.plan(len(own)),
        )
        for k, one in enumerate(own)
    )
    return [next(judged) if effect.family == family else effect for effect in effects]
