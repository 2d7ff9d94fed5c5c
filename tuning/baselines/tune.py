"""The search of a baseline's values on val, with a stated number of samples.

Sample 0 has the values of the baseline's definition; the others are drawn by Optuna's TPE. Each draw depends on the seed,
its number and the results so far, so a resumed search goes on as it would have. A small space ends early, when all of
it is tried.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from data.io.safe_json import is_number, read_json, refused_error, show_value
from data.io.seals import seal, unseal
from tuning.trial.folder import write_json
from tuning.trial.search_space import Domain, LogUniform

DRAWS = 20  # attempts to draw values that were not tried
Space = Mapping[str, Domain]


@dataclass(frozen=True)
class Tried:
    """One sample of a search.

    Attributes:
        params: The values.
        val_pr_auc: Their average precision on val.
    """

    params: dict[str, Any]
    val_pr_auc: float


def search_params(
    score: Callable[[Mapping[str, Any]], float],
    first: Mapping[str, Any],
    space: Space,
    trials: int,
    seed: int,
    journal: Path,
) -> list[Tried]:
    """Try samples until there are enough; those of the journal are not tried again.

    Args:
        score: Returns the average precision on val of some values.
        first: Values of sample 0.
        space: Domain of each value.
        trials: Most samples, sample 0 included.
        seed: Seed of the draws.
        journal: JSON file that holds every sample as soon as it is tried.

    Returns:
        The samples in their order.

    Raises:
        ValueError: If *trials* is less than 1, or the journal is damaged.
    """
    if trials < 1:
        raise ValueError(f"A search needs 1 sample or more, but got trials={trials}.")
    tried = read_journal(journal, space)[:trials]
    while len(tried) < trials:
        params = draw_params(space, tried, seed) if tried else dict(first)
        if params is None:
            break
        tried.append(Tried(params, score(params)))
        journal.parent.mkdir(parents=True, exist_ok=True)
        write_json(journal, seal({"tried": [asdict(one) for one in tried]}))
    return tried


def find_tried(space: Space, trials: int, seed: int, journal: Path) -> list[Tried] | None:
    """Return the samples of a search that is over; None if some are left to be tried.

    Raises:
        ValueError: If the journal is damaged.
    """
    tried = read_journal(journal, space)[:trials]
    if not tried or (len(tried) < trials and draw_params(space, tried, seed) is not None):
        return None
    return tried


def pick_winner(tried: Sequence[Tried]) -> Tried:
    """Return the sample with the best average precision on val, the first of equals."""
    return max(tried, key=lambda one: one.val_pr_auc)


def read_journal(journal: Path, space: Space) -> list[Tried]:
    """Read the samples of an earlier process, empty if there are none.

    Raises:
        ValueError: If the file holds something else.
    """
    if not journal.is_file():
        return []
    remedy = "Delete the file to search again."
    content: Any = unseal(read_json(journal), journal, remedy).get("tried")
    valid = isinstance(content, list) and all(
        isinstance(one, dict)
        and set(one) == {"params", "val_pr_auc"}
        and isinstance(one["params"], dict)
        and set(one["params"]) == set(space)
        and is_number(one["val_pr_auc"], 0, 1)
        for one in content
    )
    if not valid:
        rule = f"A search's journal must list samples of {', '.join(space)} with val_pr_auc"
        raise refused_error(rule, show_value(content), journal, remedy)
    return [Tried(one["params"], one["val_pr_auc"]) for one in content]


def draw_params(space: Space, tried: Sequence[Tried], seed: int) -> dict[str, Any] | None:
    """Draw values that were not tried; None if the whole space is tried."""
    import optuna  # importing it takes a second

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    domains = {name: _to_optuna(domain) for name, domain in space.items()}
    known = [one.params for one in tried]
    for attempt in range(DRAWS):
        number = len(tried) + 1000 * attempt
        sampler = optuna.samplers.TPESampler(
            seed=seed + number, n_startup_trials=max(3, len(tried) // 4)
        )
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for one in tried:
            study.add_trial(
                optuna.trial.create_trial(
                    params=one.params, distributions=domains, value=one.val_pr_auc
                )
            )
        params = dict(study.ask(domains).params)
        if params not in known:
            return params
    return next((params for params in _list_grid(space) if params not in known), None)


def _list_grid(space: Space) -> list[dict[str, Any]]:
    """List all values of a space of lists; empty if a domain is a range."""
    lists = [domain for domain in space.values() if not isinstance(domain, LogUniform)]
    if len(lists) < len(space):
        return []
    return [dict(zip(space, values, strict=True)) for values in product(*lists)]


def _to_optuna(domain: Domain) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(domain, LogUniform):
        return FloatDistribution(domain.low, domain.high, log=True)
    return CategoricalDistribution(domain)
