"""Names of scores with few acquisitions after the event, which :mod:`tuning.train.early` measures."""

ALL = "all"  # in place of a number: all acquisitions that the network reads


def name_score(score: str, after: int | str) -> str:
    """Return the name of a score with so many acquisitions after the event, such as ``recall_after_1``."""
    return f"{score}_after_{after}"
