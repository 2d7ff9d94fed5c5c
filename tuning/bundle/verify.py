"""Recompute a bundle's tables from its counts, and say which cells differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.io.errors import list_first
from tuning.bundle.read import Bundle, read_bundle
from tuning.bundle.tables import KEYS, Difference, compare_tables, list_taken, recompute_tables
from tuning.report.ranking import Ranking, rank_sums
from tuning.statistics.family import Comparison

SHOWN = 20  # differences that are printed
_WORDS = {
    "better": "better than",
    "worse": "worse than",
    "equivalent": "equivalent to",
    "undecided": "not told apart from",
}


@dataclass(frozen=True)
class Verified:
    """What a verification found.

    Attributes:
        bundle: The bundle, whose files are whole and whose counts agree.
        ranking: Recomputed from its counts.
        compared: Cells of tables that were recomputed from counts.
        differences: Cells that are not as stored; none if the bundle is verified.
        taken: Columns that no count can show to be right, such as costs.
    """

    bundle: Bundle
    ranking: Ranking
    compared: int
    differences: tuple[Difference, ...]
    taken: tuple[str, ...]


def verify_bundle(path: Path) -> Verified:
    """Read a bundle, recompute its tables and compare them with the stored ones.

    Args:
        path: The zip file.

    Raises:
        RefusedError: As :func:`tuning.bundle.read.read_bundle`.
        ValueError: If a fold has no test tile with landslides.
    """
    bundle = read_bundle(path)
    models = [model.result for model in bundle.models]
    ranking = rank_sums(models, bundle.units, bundle.margin, bundle.block_tiles)
    recomputed = recompute_tables(ranking)
    compared, differences = compare_tables(bundle.tables, recomputed)
    taken = tuple(list_taken(bundle.tables, recomputed))
    return Verified(bundle, ranking, compared, tuple(differences), taken)


def describe_verified(verified: Verified) -> str:
    """Return ranking, verdicts and outcome of a verification as lines for the terminal."""
    bundle, ranking = verified.bundle, verified.ranking
    origin = f"{bundle.provenance.get('data', 'unknown')} tiles of {bundle.provenance.get('regions', 'unknown')}"
    first = (
        f"Campaign {bundle.name}: {origin}, split {bundle.provenance.get('split', 'unknown')} "
        f"({bundle.provenance['split_hash']}), {len(bundle.tile_ids)} test tiles in {bundle.units.count} blocks."
    )
    lines = [first, *_list_ranking(verified), *map(_describe_pair, ranking.comparisons)]
    lines.append(f"As logged or reported, not recomputed: {list_first(verified.taken, SHOWN)}.")
    if not verified.differences:
        lines.append(
            f"Verified: {verified.compared:,} values of {', '.join(KEYS)} follow from the counts."
        )
    return "\n".join(lines)


def _list_ranking(verified: Verified) -> list[str]:
    origins = {model.title: model.origin for model in verified.bundle.models}
    width = max(24, *(len(title) + 2 for title in origins))
    lines = [f"{'model':<{width}}{'place':<8}{'AP':<7}{'95 % interval':<18}origin"]
    for model in verified.ranking.models:
        found, places = (
            verified.ranking.estimates[model.title],
            verified.ranking.places.get(model.title),
        )
        place = "" if places is None else "-".join(map(str, dict.fromkeys(places)))
        ends = f"{found.low:.3f} to {found.high:.3f}"
        lines.append(
            f"{model.title:<{width}}{place:<8}{found.mean:<7.3f}{ends:<18}{origins[model.title]}"
        )
    return lines


def _describe_pair(pair: Comparison) -> str:
    note = f" ({pair.note})" if pair.note else ""
    return (
        f"{pair.a} is {_WORDS[pair.verdict]} {pair.b}: difference {pair.difference:+.3f} AP, 95 % interval "
        f"{pair.low:+.3f} to {pair.high:+.3f}, p {pair.p:.3f} (both adjusted for all pairs){note}."
    )


def describe_differences(differences: Sequence[Difference]) -> str:
    """Return one line per cell that differs, the first ``SHOWN`` of them."""
    lines = [str(one) for one in differences[:SHOWN]]
    if len(differences) > SHOWN:
        lines.append(f"and {len(differences) - SHOWN:,} more")
    return "\n".join(lines)
