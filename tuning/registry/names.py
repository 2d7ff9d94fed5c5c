"""Names of registered models: ``<region>-<architecture>``, or ``multi-<architecture>`` for several regions.

So models of different regions never compete: champions, challengers and ``best`` belong to one region's models.
"""

from collections.abc import Mapping, Sequence

from mlflow.entities.model_registry import RegisteredModel
from mlflow.tracking import MlflowClient

from data.io.safe_json import refused_error, show_value
from data.tiles.paths import is_region
from data.tiles.regions import DEFAULT_REGION
from tuning.tracking.client import walk_pages
from tuning.tracking.model_digest import find_model_id

REGIONS_TAG = (
    "regions"  # of a campaign's runs, logged and registered models and versions: sorted names
)
MULTI = "multi"
_MAX_REGIONS = 100
_PAGE = 100


def read_regions_tag(tags: Mapping[str, str], place: str) -> tuple[str, ...]:
    """Return the regions of a run or version, sorted; Hokkaido for one of an earlier release.

    Args:
        tags: Of a run, a logged or registered model, or a version.
        place: Whose tags, for the message.

    Raises:
        ValueError: If the tag does not hold names of regions.
    """
    text = tags.get(REGIONS_TAG, DEFAULT_REGION)
    names = tuple(sorted(set(text.split()))) if isinstance(text, str) else ()
    if not 0 < len(names) <= _MAX_REGIONS or not all(map(is_region, names)):
        rule = f"The tag {REGIONS_TAG} must be 1 to {_MAX_REGIONS} names of regions"
        raise refused_error(rule, show_value(text), place, "Correct the tag in MLflow.")
    return names


def read_learnt_regions(client: MlflowClient, uri: str) -> tuple[str, ...]:
    """Return the regions that a logged model learnt from, which may be some of its campaign's.

    Raises:
        ValueError: If its tag does not hold names of regions.
    """
    tags = client.get_logged_model(find_model_id(client, uri)).tags
    return read_regions_tag(tags, f"the tags of {uri}")


def registered_name(model: str, regions: Sequence[str]) -> str:
    """Return the registered name of an architecture trained on *regions*, such as ``hokkaido-attention-unet``."""
    region = regions[0] if len(set(regions)) == 1 else MULTI
    return f"{region}-{model.replace('_', '-')}"


def split_name(name: str) -> tuple[str, str]:
    """Return the region (or ``multi``) and the architecture in a registered name."""
    region, _, model = name.partition("-")  # a region's name has no hyphen
    return region, model.replace("-", "_")


def list_registered_models(client: MlflowClient) -> list[str]:
    """List the names of this project's registered models, sorted; other models in the registry are left alone."""
    models = walk_pages(
        lambda token: client.search_registered_models(
            "name LIKE '%-%'", max_results=_PAGE, page_token=token
        )
    )
    return sorted(str(model.name) for model in models if _is_ours(model))


def _is_ours(model: RegisteredModel) -> bool:
    # Models of an earlier release have no tag; all of them are Hokkaido's.
    return REGIONS_TAG in model.tags or str(model.name).startswith(f"{DEFAULT_REGION}-")
