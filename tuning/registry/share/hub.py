"""A model's repository on the Hugging Face hub: its address, the files of a model in it, and the hub's errors."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import yaml
from huggingface_hub import constants
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from data.fetch.stream import FetchError, translate_errors
from data.io.errors import format_error
from data.io.safe_json import MAX_JSON_BYTES, refused_error, show_value
from tuning.serving.onnx_file import MAX_ONNX_BYTES
from tuning.serving.stored_network import MAX_WEIGHT_BYTES, NETWORK, WEIGHTS
from tuning.tracking.model_digest import ARTIFACTS, DIGEST, FACTS, PROGRAM

CARD = "README.md"  # the hub's name of a model card; beside the model, no part of its digest
CODE_FILE = "served_model.py"
WEIGHTS_FILE, CONFIG_FILE = f"{ARTIFACTS}/{WEIGHTS}", f"{ARTIFACTS}/{NETWORK}"
_TEXT_BYTES = 2**20
_EXAMPLE_BYTES = 2**26  # of the example input, as JSON
# The files of a model's folder and the most bytes of each; the first ones must be there.
REQUIRED_FILES = {
    "MLmodel": _TEXT_BYTES,
    CODE_FILE: _TEXT_BYTES,
    "requirements.txt": _TEXT_BYTES,
    PROGRAM: MAX_ONNX_BYTES,
    WEIGHTS_FILE: MAX_WEIGHT_BYTES,
    CONFIG_FILE: MAX_JSON_BYTES,
    FACTS: MAX_JSON_BYTES,
}
MODEL_FILES = REQUIRED_FILES | {
    "artifacts/README.md": _TEXT_BYTES,
    "conda.yaml": _TEXT_BYTES,
    "python_env.yaml": _TEXT_BYTES,
    "input_example.json": _EXAMPLE_BYTES,
    "serving_input_example.json": _EXAMPLE_BYTES,
}
CARD_BYTES = _TEXT_BYTES
FACTS_KEY = "landslide_benchmark"  # of the card's metadata: what the registry knows of the version

_ADDRESS = re.compile(r"hf:([^@\s]{1,200})(?:@([\w./-]{1,200}))?", re.ASCII)
_BLOCK = re.compile(r"---[ \t]*\r?\n(.*?)\n---[ \t]*(?:\r?\n|$)", re.DOTALL)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
REMEDY = "Do not use it; ask its publisher to push it again."
AGAIN = "Run the same command again."


class HubRepo(NamedTuple):
    """A model's repository.

    Attributes:
        name: ``USER/REPO``.
        revision: Branch, tag or commit; None for the main branch.
    """

    name: str
    revision: str | None = None

    @property
    def user(self) -> str:
        """The account or organisation that it belongs to."""
        return self.name.split("/")[0]


def read_address(text: str) -> HubRepo:
    """Read ``hf:USER/REPO`` or ``hf:USER/REPO@REVISION``.

    Raises:
        ValueError: If it is neither, or not a name that the hub allows.
    """
    match = _ADDRESS.fullmatch(text)
    rule = "A repository must be written hf:USER/REPO or hf:USER/REPO@REVISION, such as hf:anna/hokkaido-unet"
    if match is None or match[1].count("/") != 1:
        raise ValueError(f"{rule}, but got {show_value(text)}. Correct it.")
    try:
        validate_repo_id(match[1])
    except HFValidationError as error:
        raise ValueError(f"{rule}, but got {show_value(text)}: {format_error(error)}") from error
    return HubRepo(match[1], match[2])


def check_commit(sha: object) -> str:
    """Return the commit that a hub named.

    Raises:
        FetchError: If it named none.
    """
    if isinstance(sha, str) and _COMMIT.fullmatch(sha):
        return sha
    raise FetchError(
        f"The hub must name a commit, but got {show_value(sha)} from {constants.ENDPOINT}. "
        "Check proxy and HF_ENDPOINT."
    )


def parse_yaml(text: str, place: str) -> Any:
    """Parse a stranger's YAML of a bounded size, without references, which a few lines could multiply beyond any memory.

    Raises:
        RefusedError: If it is no YAML, nested too deeply, or has references.
    """
    try:
        events = yaml.parse(text, Loader=yaml.SafeLoader)
        if any(isinstance(event, yaml.AliasEvent) for event in events):
            raise refused_error("The YAML must have no references", "one", place, REMEDY)
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, OverflowError) as error:
        got = " ".join(str(error).split())
        raise refused_error("The text must be YAML", got, place, REMEDY) from error


def parse_card(text: str, place: str) -> dict[str, Any]:
    """Return the metadata at the beginning of a model card, with a digest.

    Raises:
        RefusedError: If there is none.
    """
    block = _BLOCK.match(text)
    content = parse_yaml(block[1], place) if block else None
    digest = content.get(DIGEST) if isinstance(content, dict) else None
    if (
        not isinstance(content, dict)
        or not isinstance(digest, str)
        or not _SHA256.fullmatch(digest)
    ):
        rule = f"A model card must begin with metadata that states {DIGEST}, 64 hexadecimal digits"
        remedy = "Choose a repository that `python -m tuning.registry push` wrote."
        raise refused_error(rule, show_value(digest), place, remedy)
    return content


@contextmanager
def hub_errors(repo: HubRepo, *, writes: bool) -> Iterator[None]:
    """Turn the errors of the hub's client into one sentence with the remedy.

    Args:
        repo: The repository.
        writes: Whether the body uploads.

    Raises:
        FetchError: If the hub refuses or does not answer.
    """

    def explain(error: HfHubHTTPError) -> str:
        return _explain_status(repo, error, writes=writes)

    with translate_errors(explain, "A push" if writes else "A pull", AGAIN):
        try:
            yield
        except OfflineModeIsEnabled:
            raise
        except (
            RuntimeError,
            ConnectionError,
            TimeoutError,
        ) as error:  # of its store of large files
            raise FetchError(
                f"{constants.ENDPOINT} must take the files of {repo.name}, but its client said: {format_error(error)}. "
                f"Check the network and proxy, or set HF_HUB_DISABLE_XET=1. {AGAIN}"
            ) from error


def _explain_status(repo: HubRepo, error: HfHubHTTPError, *, writes: bool) -> str:
    hub, status, request = constants.ENDPOINT, error.response.status_code, error.response.request
    token = "with a token" if "authorization" in request.headers else "without a token"
    if isinstance(error, RevisionNotFoundError | RemoteEntryNotFoundError):
        return (
            f"{hub}/{repo.name} must have the requested revision and files, but got HTTP {status} for {request.url}. "
            "Check what stands behind the @."
        )
    if writes and (isinstance(error, RepositoryNotFoundError) or status in (401, 402, 403, 404)):
        return (
            f"{hub} must let you write to {repo.name}, but got HTTP {status} {token}. Log in by `hf auth login`, or set "
            f"HF_TOKEN to a token that may write to the repositories of {repo.user}."
        )
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403, 404):
        return (
            f"{hub} must show you the model {repo.name}, but got HTTP {status} {token}. Check the name; if the model is "
            "private or asks for consent, log in by `hf auth login` or set HF_TOKEN."
        )
    if writes and status in (409, 412):
        return (
            f"{repo.name} must not change during a push, but somebody else committed to it (HTTP {status}). "
            "Look at it on the hub, then run the same command again."
        )
    return f"{hub} must answer, but got HTTP {status} for {request.url}. Try again later."
