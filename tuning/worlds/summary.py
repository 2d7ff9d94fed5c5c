"""Tables and text of many worlds: scores, verdicts, and how often they were right."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from tuning.worlds.judge import (
    AREA,
    EVENTS,
    Claim,
    Rules,
    Scores,
    compare_groups,
    compare_rankings,
    compare_world,
    judge,
    score_world,
)
from tuning.worlds.world import World

FAMILY, ALONE = (
    "family",
    "alone",
)  # all pairs judged together, or each pair as if no other were compared
NO_COVER = (
    f"Verdicts for '{AREA}' rest on the tiles of one world: they do not cover other events, whose weather, ground and landslides "
    "differ. The coverage below says how far their intervals are from covering those."
)
COLUMNS = (
    *("difference", "spread", "better", "worse", "equivalent", "undecided", "right", "wrong"),
    *("coverage", "sd_ratio"),
)


class Judge:
    """Collects worlds one by one, so that only one is in memory, and judges them all at the end."""

    def __init__(self, models: Sequence[str], rules: Rules) -> None:
        self.models, self.rules = tuple(models), rules
        self.pairs = list(combinations(self.models, 2))
        self._rows: list[tuple[int, list[float], list[float]]] = []
        self._area: list[tuple[str, Claim]] = []

    def add(self, world: World) -> None:
        """Score one world and compare its models."""
        self._rows.append((world.seed, score_world(world.labels), score_world(world.truth)))
        self._area += [(FAMILY, c) for c in compare_world(world, self.models, self.rules)]
        for pair in self.pairs:
            self._area += [(ALONE, c) for c in compare_world(world, pair, self.rules)]

    @property
    def scores(self) -> Scores:
        """Average precision of every model in every world."""
        seeds, labels, truth = zip(*self._rows, strict=True)
        return Scores(tuple(seeds), self.models, np.array(labels), np.array(truth))

    def list_claims(self) -> pd.DataFrame:
        """Return every verdict: estimand, family, worlds, pair, difference, interval, error."""
        events = [(FAMILY, c) for c in compare_groups(self.scores, self.pairs, self.rules)]
        for pair in self.pairs:
            events += [(ALONE, c) for c in compare_groups(self.scores, [pair], self.rules)]
        rows = [
            {"estimand": estimand, "judged": judged, **asdict(claim)}
            for estimand, claims in ((AREA, self._area), (EVENTS, events))
            for judged, claim in claims
        ]
        return pd.DataFrame(rows)

    def summarise(self, claims: pd.DataFrame) -> pd.DataFrame:
        """Return a row per estimand, family and pair with what :func:`tuning.worlds.judge.judge` finds."""
        rows = []
        for (estimand, judged, a, b), part in claims.groupby(
            ["estimand", "judged", "a", "b"], sort=False
        ):
            own = [Claim(**row) for row in part.iloc[:, 2:].to_dict("records")]
            found = judge(self.scores, own, self.rules.margin)
            rows.append({"estimand": estimand, "judged": judged, "a": a, "b": b, **found})
        return pd.DataFrame(rows)

    def list_scores(self) -> pd.DataFrame:
        """Return a row per world and model: average precision against labels and true ground."""
        s = self.scores
        return pd.DataFrame(
            {"world": seed, "model": model, "ap_labels": labels[k], "ap_truth": truth[k]}
            for seed, labels, truth in zip(s.seeds, s.labels, s.truth, strict=True)
            for k, model in enumerate(s.models)
        )


def format_summary(judged: Judge, summary: pd.DataFrame) -> str:
    """Format the judgement for the terminal."""
    scores, rules = judged.scores, judged.rules
    between, ground = compare_rankings(scores)
    lines = [f"{len(scores.seeds)} worlds, seeds {scores.seeds[0]} to {scores.seeds[-1]}", ""]
    lines.append(f"{'mean AP (sd between worlds)':<30}{'labels':>16}{'true ground':>16}")
    for k, model in enumerate(scores.models):
        cells = (
            f"{x[:, k].mean():.3f} ({x[:, k].std(ddof=1):.3f})"
            for x in (scores.labels, scores.truth)
        )
        lines.append(f"{model:<30}" + "".join(f"{cell:>16}" for cell in cells))
    lines += [
        "",
        f"Kendall's tau of the ranking: {between:.2f} between worlds, {ground:.2f} between labels and true ground",
    ]
    for (estimand, family), part in summary.groupby(["estimand", "judged"], sort=False):
        unit = (
            "each world alone" if estimand == AREA else f"groups of {rules.group} worlds as events"
        )
        how = "all pairs as one family" if family == FAMILY else "each pair alone"
        lines += [
            "",
            f"Estimand '{estimand}' ({unit}; {how})",
            *([NO_COVER] if estimand == AREA else []),
        ]
        lines.append(_format_rows(part))
    return "\n".join(lines)


def _format_rows(part: pd.DataFrame) -> str:
    table = part[["a", "b", "shown", *COLUMNS]].rename(columns={"shown": "worlds show"})
    return str(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"))


def write_summary(judged: Judge, out: Path) -> str:
    """Write ``scores.csv``, ``verdicts.csv``, ``summary.csv`` and ``summary.txt``; return the text."""
    claims = judged.list_claims()
    summary = judged.summarise(claims)
    text = format_summary(judged, summary)
    judged.list_scores().to_csv(out / "scores.csv", index=False)
    claims.assign(worlds=[" ".join(map(str, w)) for w in claims["worlds"]]).to_csv(
        out / "verdicts.csv", index=False
    )
    summary.to_csv(out / "summary.csv", index=False)
    (out / "summary.txt").write_text(f"{text}\n", encoding="utf-8")
    return text
