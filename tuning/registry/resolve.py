"""From what a user types, such as ``unet`` or ``hokkaido-unet@champion``, to a registered model and its version."""

from pathlib import Path

from mlflow.entities.model_registry import ModelVersion
from mlflow.pyfunc import PyFuncModel
from mlflow.pyfunc import load_model as load_pyfunc
from mlflow.tracking import MlflowClient

from data.io.errors import unknown_name
from models import list_models, paper_name
from tuning.registry.aliases import CHAMPION, list_model_versions
from tuning.registry.names import list_registered_models, split_name
from tuning.tracking.client import connect_existing

URI = "models:/"


def open_registry(root: Path) -> MlflowClient:
    """Open the tracker's registry as :func:`open_tracker` does; return the client."""
    return open_tracker(root)[0]


def open_tracker(root: Path) -> tuple[MlflowClient, str]:
    """Open the tracker without creating a database; return the client and the experiment's id.

    Raises:
        NoStoreError: If there is no database.
    """
    return connect_existing(root)


def load_registered(root: Path, model: str) -> PyFuncModel:
    """Load the registered version that a user named.

    Raises:
        NoStoreError: If there is no database.
        ValueError: If there is no such model or version; the message suggests the nearest name.
    """
    client = open_registry(root)
    return load_pyfunc(resolve_model_uri(client, model))


def find_model(client: MlflowClient, text: str) -> str:
    """Return the name of a registered model.

    Args:
        client: MLflow client.
        text: Registered name (``hokkaido-unet``); or, where one region alone has it, architecture (``unet``) or name
            in tables (``VanillaUNet``).

    Raises:
        ValueError: If there is no such model, the message lists all; or if several regions have it.
    """
    names = list_registered_models(client)
    choices: dict[str, list[str]] = {}
    for name in names:
        key = split_name(name)[1]
        for word in (key, *([paper_name(key)] if key in list_models() else [])):
            choices.setdefault(word, []).append(name)
    choices |= {name: [name] for name in names}
    if len(found := choices.get(text, [])) > 1:
        raise ValueError(
            f"A model that several regions have must be named with its region, but got {text!r}, which stands for "
            f"{' and '.join(found)}. Choose one of them."
        )
    if found:
        return found[0]
    if not choices:
        raise ValueError(
            f"The registry must have a model, but got {text!r} and the registry is empty. "
            "Run `python -m tuning.run`."
        )
    raise ValueError(unknown_name("registered model", text, choices))


def find_version(client: MlflowClient, name: str, text: str) -> int:
    """Return the number of an existing version.

    Raises:
        ValueError: If there is no such version; the message lists all.
    """
    numbers = [str(version.version) for version in list_model_versions(client, name)]
    if text not in numbers:
        raise ValueError(unknown_name(f"version of {name}", text, numbers))
    return int(text)


def resolve_model_uri(client: MlflowClient, model: str) -> str:
    """Return the URI of the version or logged model that a user named.

    Raises:
        ValueError: If it does not exist; the message suggests the nearest name.
    """
    word = model.removeprefix(URI)
    if word.startswith("m-"):
        return f"{URI}{word}"
    name, _, alias = word.partition("@")
    name, _, version = name.partition("/")
    name = find_model(client, name)
    if version:
        return f"{URI}{name}/{find_version(client, name, version)}"
    aliases = client.get_registered_model(name).aliases
    alias = alias or CHAMPION
    if alias not in aliases:
        reason = unknown_name("alias", alias, aliases) if aliases else "It has no alias."
        raise ValueError(
            f"{name}: {reason} Choose a version, such as {URI}{name}/1; `python -m tuning.registry list` shows "
            "them and why none was promoted."
        )
    return f"{URI}{name}@{alias}"


def resolve_version(client: MlflowClient, model: str) -> ModelVersion:
    """Return the registered version that a user named; the champion, without a number or alias.

    Raises:
        ValueError: If it does not exist, or is a logged model that is not registered.
    """
    name = resolve_model_uri(client, model).removeprefix(URI)
    if "@" in name:
        return client.get_model_version_by_alias(*name.rsplit("@", 1))
    if "/" in name:
        return client.get_model_version(*name.rsplit("/", 1))
    raise ValueError(
        f"The model must be a registered version, such as hokkaido-unet/1, but got the logged model {model}. "
        "`python -m tuning.registry list` shows the versions."
    )
