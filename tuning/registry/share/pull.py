"""Fetches a published model from the Hugging Face hub and registers it here, without running any code of it.

A pulled version gets no alias: its publisher's scores and gate are claims, so they are kept as tags ``claimed_…`` and the
gate counts as not run.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, constants, hf_hub_url
from mlflow.tracking import MlflowClient

from data.fetch.stream import FetchError, stream_file
from data.io.safe_json import show_value
from tuning.registry.share.hub import (
    AGAIN,
    CARD,
    CARD_BYTES,
    CODE_FILE,
    MODEL_FILES,
    REQUIRED_FILES,
    HubRepo,
    check_commit,
    hub_errors,
    read_address,
)
from tuning.registry.share.received import Received, examine_received
from tuning.registry.share.register_pulled import (
    check_name,
    find_pulled,
    format_version,
    register_pulled,
)
from tuning.store.lease import lock_registry

_OTHER = "choose another revision (hf:USER/REPO@REVISION)"


def pull(
    client: MlflowClient,
    experiment_id: str,
    address: str,
    name: str | None = None,
    *,
    untrusted: bool = False,
) -> str:
    """Fetch a published model and register it, once for each commit of its repository.

    Args:
        client: MLflow client.
        experiment_id: Experiment for the run and the logged model.
        address: ``hf:USER/REPO`` or ``hf:USER/REPO@REVISION``.
        name: Registered model that gets the version (default: region and architecture, as for a campaign's models).
        untrusted: Whether to take a model whose code file is not this project's; it is marked.

    Returns:
        What was registered, for the terminal.

    Raises:
        FetchError: If the hub refuses, does not answer, or has no whole model there.
        ValueError: If the address or name is wrong, or a file is refused.
    """
    repo = read_address(address)
    if name is not None:
        check_name(client, name)
    commit, sizes = list_files(repo)
    source = f"hf:{repo.name}@{commit}"
    if known := find_pulled(client, source, name):
        return f"{format_version(known)} is {source} already; nothing was changed."
    with _downloaded(repo, commit, sizes) as (folder, card):
        received = examine_received(folder, card, source)
        _check_code(received, source, untrusted=untrusted)
        with lock_registry(client, experiment_id):
            if known := find_pulled(client, source, name):  # meanwhile, by another process
                return f"{format_version(known)} is {source} already; nothing was changed."
            version = register_pulled(client, experiment_id, source, folder, received, name)
    title, number = format_version(version), version.version
    lines = [
        f"{title} is registered: {source}",
        "It has no alias, since its gate has not run here. Its publisher's scores are its tags claimed_…, not measured here.",
        *([] if received.own_code else [_describe_foreign(title)]),
        f"Map with it: python -m tuning.predict --model models:/{version.name}/{number} --untrusted …",
        f"Run its gate, where its campaign's tiles are: python -m tuning.registry promote {version.name} {number}",
    ]
    return "\n".join(lines)


def _describe_foreign(title: str) -> str:
    return (
        f"{title} holds a {CODE_FILE} that is not this project's: never load it by mlflow.pyfunc.load_model or serve it. "
        "tuning.predict, load_registered and load_torch do not run it."
    )


def _check_code(received: Received, source: str, *, untrusted: bool) -> None:
    """Refuse a code file of somebody else, which ``mlflow.pyfunc.load_model`` would run, unless the user insists."""
    if not received.own_code and not untrusted:
        raise ValueError(
            f"The {CODE_FILE} of a model must be this release's, since mlflow.pyfunc.load_model runs it, but got another "
            f"in {source}: its publisher has another release, or changed it. Pull with --untrusted if you will load it "
            "only by tuning.predict, load_registered or load_torch, which do not run it."
        )


def list_files(repo: HubRepo) -> tuple[str, dict[str, int]]:
    """Return a repository's commit and the lengths of the model's files and its card; other files are left alone.

    Raises:
        FetchError: If the hub does not answer, a file is missing, or one is too large.
    """
    with hub_errors(repo, writes=False):
        info = HfApi().model_info(
            repo.name,
            revision=repo.revision,
            files_metadata=True,
            timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
        )
        listed = {file.rfilename: file.size for file in info.siblings or []}
    commit = check_commit(info.sha)
    limits = MODEL_FILES | {CARD: CARD_BYTES}
    if missing := sorted((REQUIRED_FILES.keys() | {CARD}) - listed.keys()):
        raise FetchError(
            f"A published model must have {', '.join([*REQUIRED_FILES, CARD])}, but {repo.name} at {commit[:12]} lacks "
            f"{', '.join(missing)}. Choose a repository that `python -m tuning.registry push` wrote."
        )
    for name in limits.keys() & listed.keys():
        size = listed[name]
        if not isinstance(size, int) or not 0 <= size <= limits[name]:
            raise FetchError(
                f"{name} of a model must have at most {limits[name]:,} bytes, but {repo.name} lists {show_value(size)}. "
                "Do not use it."
            )
    return commit, {name: int(listed[name] or 0) for name in sorted(limits.keys() & listed.keys())}


@contextmanager
def _downloaded(repo: HubRepo, commit: str, sizes: dict[str, int]) -> Iterator[tuple[Path, Path]]:
    """Download the files; yield the model's folder and its card; delete both at the end."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, card = Path(temporary) / "model", Path(temporary) / CARD
        with hub_errors(repo, writes=False):
            for name, size in sizes.items():
                _download(repo, commit, name, size, card if name == CARD else folder / name)
        yield folder, card


def _download(repo: HubRepo, commit: str, name: str, size: int, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    url = hf_hub_url(repo.name, name, revision=commit)
    with target.open("wb") as file:
        for chunk in stream_file(url, name, size, again=AGAIN, other=_OTHER):
            file.write(chunk)
