"""``--init``: from a file or a registered model to weights that a campaign's trainings start from (transfer learning)."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load

from data.io.safe_json import read_json
from models import create_model
from tuning.registry.resolve import URI, open_registry, resolve_model_uri, resolve_version
from tuning.serving.stored_network import NETWORK, WEIGHTS, read_network
from tuning.settings.initial import RANDOM
from tuning.settings.settings import PACKS, Settings, list_variant
from tuning.tracking.model_digest import ARTIFACTS, FACTS, fetch_registered, find_model_id
from tuning.train.checkpoints import load_checkpoint
from tuning.trial.config import OUTSIDE
from tuning.trial.folder import Config
from tuning.trial.initial import (
    InitialNetwork,
    compare_shapes,
    find_initial,
    list_shapes,
    read_initial,
    store_initial,
)
from tuning.trial.search_space import ARCH, Domain
from tuning.trial.variants import describe_variant

logger = logging.getLogger(__name__)

BEST = "best.pt"
_SUFFIXES = (".safetensors", ".pt")


def take_init(options: dict[str, Any], root: Path, store: Path | None = None) -> None:
    """Replace ``--init`` among the user's options by the settings that it means; the weights are kept below *root*.

    Without ``--model`` the campaign trains the architecture of the weights, beside the baselines.

    Args:
        options: The options that the user gave.
        root: Output folder, which also has the registry.
        store: Folder below which the weights are kept in the place of *root*.

    Raises:
        FileNotFoundError: If there is no such file, or no registry.
        ValueError: If the registry has no such model, or the file is no network's.
    """
    if "init" not in options or "resume" in options:
        return
    text = str(options.pop("init"))
    if text == RANDOM:
        return
    weights, config, place, regions = _open_network(text, root)
    options["init"] = {
        "digest": store_initial(weights, config, (store or root) / PACKS),
        "model": str(config["model"]),
        "origin": f"{place}, trained on {regions.replace(' ', ', ')}" if regions else place,
        "regions": regions,
    }
    options.setdefault("model", [str(config.get(OUTSIDE[0], config["model"])), "baselines"])


def _open_network(text: str, root: Path) -> tuple[Mapping[str, torch.Tensor], Config, str, str]:
    """Return the weights that a user named, their network's config, where they are, and the regions of their train tiles."""
    path = Path(text)
    if path.is_file() or path.is_dir() or path.suffix in _SUFFIXES:
        return _read_file(path)
    client = open_registry(root)
    uri = resolve_model_uri(client, text)
    name = uri.removeprefix(URI)
    if not name.startswith("m-"):
        version = resolve_version(client, uri)
        name = f"{version.name} version {version.version}"
    regions = str(client.get_logged_model(find_model_id(client, uri)).tags.get("regions", ""))
    with fetch_registered(client, uri) as folder:
        network = read_network(folder / ARTIFACTS)
    return load(network.weights), network.config, name, regions


def _read_file(path: Path) -> tuple[Mapping[str, torch.Tensor], Config, str, str]:
    """Read a trial's ``best.pt``, the ``weights.safetensors`` of an exported network, or the folder of either."""
    if path.is_dir():
        inside = (path / BEST, path / WEIGHTS, path / ARTIFACTS / WEIGHTS)
        path = next((file for file in inside if file.is_file()), path)
    place = "/".join(path.resolve().parts[-4:])
    if path.name == WEIGHTS and path.is_file():
        network, facts = read_network(path.parent), path.parent.parent / FACTS
        known: Mapping[str, Any] = read_json(facts) if facts.is_file() else {}
        regions = " ".join((known.get("profile") or {}).get("regions", ()))
        return load(network.weights), network.config, place, regions
    if path.suffix == ".pt":
        checkpoint = load_checkpoint(path)
        regions = checkpoint.learnt_regions.get("regions", "")
        return checkpoint.model.state_dict(), checkpoint.config, place, regions
    raise FileNotFoundError(
        f"Weights to start from are a trial's {BEST}, or a model's {WEIGHTS} with {NETWORK} beside it, but got {path}. Give one "
        "of them, their folder, or a registered model such as hokkaido-unet@champion."
    )


def read_start(root: Path, settings: Settings) -> InitialNetwork | None:
    """Return what the weights are of that a campaign starts from; None if they are random.

    Raises:
        FileNotFoundError: If the weights are lost.
        ValueError: If they are damaged.
    """
    return read_initial(root / PACKS, settings.init["digest"]) if settings.init else None


def describe_training(settings: Settings) -> str:
    """Say in a line what a campaign trains with, and where the weights come from that it starts from."""
    text = describe_variant(list_variant(settings))
    if not settings.init:
        return text
    seen = " ".join(find_seen(settings))
    warning = f"; test tiles of {seen} may have been among its train tiles" if seen else ""
    return f"{text} ({settings.init['origin']}{warning})"


def find_seen(settings: Settings) -> list[str]:
    """Return the campaign's regions of whose tiles the weights may have seen some that are val or test here."""
    known = settings.init.get("regions", "").split()
    return [region for region in settings.regions if region in known]


def list_files(root: Path, settings: Settings) -> tuple[Path, ...]:
    """Return the files of the weights that a campaign starts from, which every node needs."""
    init = settings.init
    return (find_initial((root / PACKS).resolve(), init["digest"]),) if init else ()


def check_start(root: Path, settings: Settings) -> None:
    """Check that the weights fit the network with the campaign's channels and acquisitions, and log where they come from.

    Raises:
        FileNotFoundError: If the weights are lost.
        ValueError: If they do not fit; the message says what differs.
    """
    start = read_start(root, settings)
    if start is None:
        return
    channels, timesteps = settings.channels, settings.timesteps
    theirs = tuple(start.config["channels"]), start.config["timesteps"]
    with torch.device("meta"):
        model = create_model(
            settings.init["model"], len(channels), timesteps, **start.config["arch"]
        )
    if text := compare_shapes(list_shapes(model), start.shapes):
        raise ValueError(
            f"--init needs weights that fit the campaign's network, but those of {settings.init['origin']} read "
            f"{_format_input(*theirs)}, and the campaign reads {_format_input(channels, timesteps)}: {text}. Choose "
            f"--channels {' '.join(theirs[0])} and as many acquisitions, or other weights."
        )
    logger.info("Trainings start from %s (%s).", settings.init["origin"], settings.init["digest"])
    if seen := find_seen(settings):
        text = "The weights learnt from tiles of %s, which may be val or test tiles here: scores may be too good."
        logger.warning(text, ", ".join(seen))
    if theirs != (channels, timesteps):
        text = "The weights learnt from %s; here they read %s."
        logger.warning(text, _format_input(*theirs), _format_input(channels, timesteps))


def _format_input(channels: tuple[str, ...], timesteps: int) -> str:
    return f"{timesteps} acquisitions of {' '.join(channels)}"


def keep_arch(
    space: Mapping[str, Domain], root: Path, settings: Settings, model: str
) -> dict[str, Domain]:
    """Return a search space with the architecture's arguments of the weights that a campaign starts from."""
    start = read_start(root, settings)
    if start is None or model != settings.init["model"]:
        return dict(space)
    searched = {name: domain for name, domain in space.items() if not name.startswith(ARCH)}
    return searched | {f"{ARCH}{name}": [value] for name, value in start.config["arch"].items()}
