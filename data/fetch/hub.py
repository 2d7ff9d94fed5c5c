"""The data set on the Hugging Face hub: its commit, its archives, and what an error of the hub means.

All requests go through the hub's own client, so a stored login, ``HF_TOKEN``, ``HF_ENDPOINT`` and proxies work as usual.
What the hub answers is not trusted.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import cast

import httpx2
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from data.io.safe_json import show_value
from data.tiles.rules import MODALITIES

REPO = "paulhoehn/Sen12Landslides"
VERSIONS = ("harmonized", "raw")
CONTINUE = "Run the same command again: it continues where it stopped."
# The modality becomes a folder's name, so the path holds no '..' and no further '/'.
ARCHIVE_PATH = re.compile(
    rf"data_(?:harmonized|raw)/({'|'.join(MODALITIES)})/[A-Za-z0-9_][A-Za-z0-9_.-]{{0,99}}\.tar\.gz"
)

_MAX_FILES = 10_000  # of one folder on the hub
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class FetchError(Exception):
    """A fetch that could not be finished; the message names the place and the remedy."""


@dataclass(frozen=True)
class HubArchive:
    """One archive as the hub lists it.

    Attributes:
        path: Path in the data set, such as ``data_harmonized/s1asc/part01.tar.gz``.
        size: Length in bytes.
        sha256: SHA-256 in hexadecimal digits; None if the hub does not state it.
    """

    path: str
    size: int
    sha256: str | None

    @property
    def modality(self) -> str:
        """The modality of its tiles, such as ``s1asc``."""
        return self.path.split("/")[1]


def resolve_revision(revision: str | None, endpoint: str | None = None) -> str:
    """Return the commit of a revision, 40 hexadecimal digits.

    Args:
        revision: Branch, tag or commit of the data set; its main branch if None.
        endpoint: The hub's address; the client's default if None.

    Raises:
        FetchError: If the hub does not answer or has no such revision.
    """
    with translate_errors(endpoint):
        info = HfApi(endpoint=endpoint).dataset_info(
            REPO, revision=revision, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT
        )
    if not isinstance(info.sha, str) or not _COMMIT.fullmatch(info.sha):
        got = show_value(info.sha) if info.sha else "none"
        raise FetchError(f"The hub must name a commit, but got {got} from {get_address(endpoint)}.")
    return info.sha


def list_archives(
    version: str, modality: str, commit: str, endpoint: str | None = None
) -> list[HubArchive]:
    """List the archives of one modality at a commit, at least one, sorted by path.

    Args:
        version: ``harmonized`` or ``raw``.
        modality: Such as ``s1asc``.
        commit: The data set's commit.
        endpoint: The hub's address; the client's default if None.

    Raises:
        FetchError: If the hub does not answer, or has no archive in that folder.
    """
    folder = f"data_{version}/{modality}"
    with translate_errors(endpoint):
        tree = HfApi(endpoint=endpoint).list_repo_tree(
            REPO, folder, recursive=True, revision=commit, repo_type="dataset"
        )
        files = [entry for entry in islice(tree, _MAX_FILES) if isinstance(entry, RepoFile)]
    archives = [
        check_archive(file.path, file.size, file.lfs.sha256 if file.lfs else None, folder)
        for file in files
        if str(file.path).endswith(".tar.gz")
    ]
    if not archives:
        got = f"none among {len(files)} files at revision {commit}"
        raise FetchError(
            f"The data set must have archives {folder}/*.tar.gz, but got {got}. "
            "Choose another revision (--revision)."
        )
    return sorted(archives, key=lambda archive: archive.path)


def check_archive(path: object, size: object, sha256: object, folder: str) -> HubArchive:
    """Return a listed file of *folder* (``data_harmonized/s1asc``); raise FetchError if a value is invalid."""
    is_path = isinstance(path, str) and ARCHIVE_PATH.fullmatch(path)
    is_length = isinstance(size, int) and size >= 0
    is_hash = sha256 is None or (isinstance(sha256, str) and _SHA256.fullmatch(sha256))
    if is_path and is_length and is_hash and str(path).startswith(f"{folder}/"):
        return HubArchive(cast(str, path), cast(int, size), cast(str | None, sha256))
    raise FetchError(
        f"A hub must list {folder}/<name>.tar.gz with its length and a SHA-256 of 64 digits, but got "
        f"{show_value(path)}, {show_value(size)}, {show_value(sha256)}. Check proxy and HF_ENDPOINT, or choose "
        "another revision (--revision)."
    )


def get_address(endpoint: str | None) -> str:
    """Return the hub's address for a message."""
    return endpoint or str(constants.ENDPOINT)


@contextmanager
def translate_errors(endpoint: str | None) -> Iterator[None]:
    """Turn the client's errors into a FetchError with address and remedy."""
    hub = get_address(endpoint)
    try:
        yield
    except HfHubHTTPError as error:
        raise FetchError(_explain_status(error, hub)) from error
    except (httpx2.HTTPError, httpx2.InvalidURL, OfflineModeIsEnabled) as error:
        raise FetchError(
            f"A fetch must reach {hub}, but got no connection ({error or type(error).__name__}). "
            f"Check the network, proxy and HF_ENDPOINT. {CONTINUE}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # such as a proxy's login page
        raise FetchError(
            f"A hub must answer in its JSON, but got something else from {hub} ({show_value(error)}). "
            "Check proxy and HF_ENDPOINT."
        ) from error


def _explain_status(error: HfHubHTTPError, hub: str) -> str:
    request, status = error.response.request, error.response.status_code
    if isinstance(error, RevisionNotFoundError | RemoteEntryNotFoundError):
        return (
            f"The data set must hold the requested revision and folder, but got HTTP {status} for {request.url}. "
            "Check --revision."
        )
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403):
        token = "with a token" if "authorization" in request.headers else "without a token"
        return (
            f"{hub} must grant access to the data set {REPO}, but got HTTP {status} {token}. Log in by "
            f"`hf auth login` or set HF_TOKEN, and accept the data set's terms on {hub}/datasets/{REPO}."
        )
    return f"{hub} must answer, but got HTTP {status} for {request.url}. {CONTINUE}"
