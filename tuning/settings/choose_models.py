"""The models that a command names: architectures of this project and from outside, baselines, and words for several."""

from collections.abc import Iterable, Mapping

from data.io.errors import unknown_name
from models import (
    add_network,
    get_architecture,
    is_reference,
    list_models,
    recall_network,
)
from tuning.baselines.baselines import BASELINES, list_baselines

# The networks that --model all means: the published study's, and the data set's network that two cores can train. A new file
# in models/ belongs to --model field.
OF_ALL = ("attention_unet", "unet", "unet_convlstm", "utae")
ALL, FIELD = "all", "field"
GROUPS = ("baselines", ALL, FIELD)  # words for several models


def choose_models(
    names: Iterable[str], channels: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split model names into architectures and baselines.

    Args:
        names: Models; also ``baselines`` (all baselines), ``all`` (them and the networks of ``OF_ALL``), ``field`` (them and
            every network), and references to networks from outside, such as ``path/to/file.py:Class``.
        channels: The input's channels, which limit the baselines that can be computed.

    Raises:
        ValueError: If a name is unknown, or a reference leads to no network.
    """
    wanted = {add_network(name) if is_reference(name) else name for name in names}
    models, baselines = list_models(), list_baselines(channels)
    known = [*models, *baselines, *GROUPS]
    for name in wanted:
        if name not in known:
            raise ValueError(unknown_name("model", name, known))
    of_all = OF_ALL if ALL in wanted else ()
    return (
        tuple(name for name in models if wanted & {name, FIELD} or name in of_all),
        tuple(name for name in baselines if wanted & {name, *GROUPS}),
    )


def describe_networks(models: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the entry ``networks`` of the settings of a campaign with these architectures.

    Raises:
        ValueError: If one has the name of a baseline or of a group of models.
    """
    outside = [made for made in map(get_architecture, models) if made.is_outside]
    for made in outside:
        if made.name in (*BASELINES, *GROUPS):
            raise ValueError(
                f"A network's name must be its own, but {made.name} of {made.reference} is that of a baseline or group. "
                f"Choose another: my_{made.name}={made.reference}"
            )
    return {
        made.name: {
            "reference": made.reference,
            "digest": made.digest,
            "title": made.paper_name,
        }
        for made in outside
    }


def recall_networks(networks: Mapping[str, Mapping[str, str]]) -> None:
    """Make the networks from outside of a saved campaign known to this process.

    Raises:
        ValueError: If one is not found, or its source files have changed.
    """
    for name, kept in networks.items():
        recall_network(name, kept["reference"], kept["digest"])
