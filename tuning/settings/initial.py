"""The setting ``--init``: the trained network from whose weights a campaign's trainings start."""

import re
from collections.abc import Mapping, Sequence

RANDOM = "random"
ENTRIES = ("digest", "model", "origin", "regions")
_DIGEST = re.compile(r"[0-9a-f]{12}")


def check_initial(init: Mapping[str, str], models: Sequence[str]) -> None:
    """Check what the settings of a campaign say about the weights that it starts from; nothing without any.

    Args:
        init: ``digest`` of the stored weights, the ``model`` whose they are, their ``origin`` in words, and the ``regions`` of the
            tiles that they learnt from, empty if unknown.
        models: The campaign's architectures.

    Raises:
        ValueError: If an entry is missing, or the campaign trains another architecture, or none.
    """
    if not init:
        return
    if sorted(init) != sorted(ENTRIES) or not _DIGEST.fullmatch(str(init["digest"])):
        raise ValueError(
            f"Weights to start from need {', '.join(ENTRIES)}, but got {', '.join(init)}. Begin a new campaign with --init."
        )
    others = [name for name in models if name != init["model"]]
    if others or not models:
        raise ValueError(
            f"--init starts the trainings of one architecture, here {init['model']}, from its trained weights, but this campaign "
            f"trains {', '.join(others) or 'no network'}. Choose --model {init['model']}, with baselines if you like."
        )
