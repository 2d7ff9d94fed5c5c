"""Publishes a registered version on the Hugging Face hub: its whole folder and a model card, in one commit."""

from pathlib import Path

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    constants,
    get_token,
    hf_hub_url,
)
from huggingface_hub.hf_api import ModelInfo
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from data.fetch.stream import FetchError, stream_file
from tuning.registry.resolve import URI, resolve_version
from tuning.registry.share.hub import (
    AGAIN,
    CARD,
    CARD_BYTES,
    MODEL_FILES,
    REQUIRED_FILES,
    HubRepo,
    check_commit,
    hub_errors,
    parse_card,
    read_address,
)
from tuning.registry.share.hub_card import make_hub_card
from tuning.registry.trust import Trust, examine_registered
from tuning.serving.program import load_program
from tuning.tracking.model_digest import (
    ADDED,
    DIGEST,
    PROGRAM,
    digest_folder,
    fetch_registered,
)


def push(
    client: MlflowClient,
    model: str,
    address: str,
    *,
    private: bool = False,
    untrusted: bool = False,
) -> str:
    """Publish a registered version.

    Args:
        client: MLflow client.
        model: The version as a user names it; see :func:`tuning.registry.resolve.resolve_model_uri`.
        address: ``hf:USER/REPO``; the repository is made if it does not exist.
        private: Whether it must be private.
        untrusted: Whether a version that has not passed its gate may be published; its card then says so.

    Returns:
        What was done, for the terminal.

    Raises:
        FetchError: If the hub refuses or does not answer.
        FileNotFoundError: If an earlier release logged the model.
        ValueError: If the model or address is wrong, the gate has not been passed, or the repository holds something else.
    """
    repo = read_address(address)
    if repo.revision:
        raise ValueError(
            f"A push must go to the main branch, but got {address}. Leave out @{repo.revision}."
        )
    version = resolve_version(client, model)
    uri = f"{URI}{version.name}/{version.version}"
    trust = examine_registered(client, uri)
    _check_gate(trust, untrusted=untrusted)
    _check_login(repo)
    with fetch_registered(client, uri) as folder:
        _check_names(folder, uri)
        facts = trust.facts | {DIGEST: digest_folder(folder)}
        card = _make_card(version, folder, facts, repo, trust.problem)
        former = _open_repository(repo, private=private)
        commit = _commit(repo, folder, card, former, f"{version.name} version {version.version}")
    mark = f"\n{trust.warning}" if trust.warning else ""
    return (
        f"{version.name} version {version.version} is published: {constants.ENDPOINT}/{repo.name} at {commit}\n"
        f"{DIGEST} {facts[DIGEST]}\nFetch it: python -m tuning.registry pull hf:{repo.name}@{commit[:12]}{mark}"
    )


def _check_gate(trust: Trust, *, untrusted: bool) -> None:
    if trust.problem and not untrusted:
        raise ValueError(
            f"A published model must have passed its gate. {trust.problem} Choose another version (`python -m "
            "tuning.registry list`), or push with --untrusted: the card then says so."
        )


def _check_login(repo: HubRepo) -> None:
    with hub_errors(repo, writes=True):
        token = get_token()
    if not token:
        raise FetchError(
            f"A push needs a token that may write to the repositories of {repo.user}, but got none. Log in by "
            f"`hf auth login`, or set HF_TOKEN ({constants.ENDPOINT}/settings/tokens)."
        )


def _check_names(folder: Path, uri: str) -> None:
    """Refuse a folder that a pull would not take."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    names = {
        file.relative_to(folder).as_posix() for file in files if file.parent.name != "__pycache__"
    }
    missing, others = REQUIRED_FILES.keys() - names, names - MODEL_FILES.keys() - {ADDED}
    if missing or others:
        got = f"no {', '.join(sorted(missing))}" if missing else f"also {', '.join(sorted(others))}"
        raise ValueError(
            f"A published model must have the files that this release logs, but {uri} has {got}. Log and register it again."
        )


def _make_card(
    version: ModelVersion, folder: Path, facts: dict[str, object], repo: HubRepo, problem: str
) -> bytes:
    card = make_hub_card(
        version.name,
        int(version.version),
        version.tags,
        version.description or f"# {version.name}",
        facts,
        program=load_program(folder / PROGRAM, threads=1),
        repo=repo.name,
        problem=problem,
    )
    return card.encode()


def _open_repository(repo: HubRepo, *, private: bool) -> ModelInfo:
    """Make the repository unless it exists; return its state.

    Raises:
        ValueError: If it is public but must be private, or holds something else than a model of this project.
    """
    with hub_errors(repo, writes=True):
        api = HfApi()
        api.create_repo(repo.name, private=True if private else None, exist_ok=True)
        info = api.model_info(repo.name, files_metadata=True)
        check_commit(info.sha)
    if private and not info.private:
        raise ValueError(
            f"With --private the repository must be private, but {repo.name} exists and is public. Make it private "
            f"({constants.ENDPOINT}/{repo.name}/settings), or push to another."
        )
    card = next((file for file in info.siblings or [] if file.rfilename == CARD), None)
    if card is not None and not _is_ours(repo, str(info.sha), card.size or 0):
        raise ValueError(
            f"A push must not overwrite somebody's work, but {repo.name} has a {CARD} that no push wrote. Push to another "
            f"repository, or delete the file on the hub."
        )
    return info


def _is_ours(repo: HubRepo, commit: str, size: int) -> bool:
    """Return whether a push wrote a repository's card: it states a digest."""
    if size > CARD_BYTES:
        return False
    url = hf_hub_url(repo.name, CARD, revision=commit)
    with hub_errors(repo, writes=True):
        content = b"".join(stream_file(url, CARD, size, again=AGAIN, other="look at it on the hub"))
    try:
        parse_card(content.decode("utf-8-sig"), CARD)
    except ValueError:  # no card of a push
        return False
    return True


def _commit(repo: HubRepo, folder: Path, card: bytes, former: ModelInfo, title: str) -> str:
    """Upload everything in one commit, which also deletes a former model's files that this one lacks; return its SHA."""
    names = sorted(name for name in MODEL_FILES if (folder / name).is_file())
    held = {file.rfilename for file in former.siblings or []}
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        *(CommitOperationAdd(name, str(folder / name)) for name in names),
        CommitOperationAdd(CARD, card),
        *(CommitOperationDelete(name) for name in sorted(held & MODEL_FILES.keys() - set(names))),
    ]
    with hub_errors(repo, writes=True):
        # Not upload_folder: it splits a folder into several commits, between which the repository is no whole model.
        done = HfApi().create_commit(
            repo.name,
            operations,
            commit_message=f"Publish {title}",
            parent_commit=former.sha,
        )
        return check_commit(done.oid)
