"""The data set on the Hugging Face hub: its archives, and the bytes of one archive as a stream."""

import re
from collections.abc import Generator
from dataclasses import dataclass
from itertools import islice

from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.errors import (
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from data.command.choices import DATA_VERSIONS
from data.fetch.stream import CONTINUE, FetchError, stream_file, translate_errors
from data.io.safe_json import show_value
from data.tiles.rules import MODALITIES

REPO = "paulhoehn/Sen12Landslides"
VERSIONS = DATA_VERSIONS
# The modality becomes a folder's name, so the path holds no '..' and no further '/'.
ARCHIVE_PATH = re.compile(
    rf"data_(?:harmonized|raw)/({'|'.join(MODALITIES)})/[A-Za-z0-9_][A-Za-z0-9_.-]{{0,99}}\.tar\.gz"
)

_MAX_FILES = 10_000  # of one folder on the hub
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


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


def resolve_revision(revision: str | None) -> str:
    """Return the commit of a branch, tag or commit (None: the main branch); raise FetchError if it has none."""
    with translate_errors(_explain_status):
        info = HfApi().dataset_info(
            REPO, revision=revision, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT
        )
    if not isinstance(info.sha, str) or not _COMMIT.fullmatch(info.sha):
        got = show_value(info.sha) if info.sha else "none"
        raise FetchError(f"The hub must name a commit, but got {got} from {constants.ENDPOINT}.")
    return info.sha


def list_archives(version: str, modality: str, commit: str) -> list[HubArchive]:
    """Return the archives of one modality at a commit, at least one, sorted by path.

    Raises:
        FetchError: If the hub does not answer, has no archive there, or lists an invalid one.
    """
    folder = f"data_{version}/{modality}"
    with translate_errors(_explain_status):
        tree = HfApi().list_repo_tree(
            REPO, folder, recursive=True, revision=commit, repo_type="dataset"
        )
        files = [entry for entry in islice(tree, _MAX_FILES) if isinstance(entry, RepoFile)]
    archives = [
        check_archive(file.path, file.size, file.lfs.sha256 if file.lfs else None, folder)
        for file in files
        if str(file.path).endswith(".tar.gz")
    ]
    if not archives:
        raise FetchError(
            f"The data set must have archives {folder}/*.tar.gz, but got none among {len(files)} files "
            f"at revision {commit}. Choose another revision (--revision)."
        )
    return sorted(archives, key=lambda archive: archive.path)


def check_archive(path: str, size: int, sha256: str | None, folder: str) -> HubArchive:
    """Return a listed file of *folder* (``data_harmonized/s1asc``); raise FetchError if a value is invalid."""
    is_path = ARCHIVE_PATH.fullmatch(str(path)) and path.startswith(f"{folder}/")
    is_hash = sha256 is None or _SHA256.fullmatch(str(sha256))
    if is_path and is_hash and isinstance(size, int) and size >= 0:
        return HubArchive(path, size, sha256)
    raise FetchError(
        f"A hub must list {folder}/<name>.tar.gz with its length and a SHA-256 of 64 digits, but got "
        f"{show_value(path)}, {show_value(size)}, {show_value(sha256)}. Check proxy and HF_ENDPOINT, or choose "
        "another revision (--revision)."
    )


def stream_archive(archive: HubArchive, commit: str) -> Generator[bytes, None, None]:
    """Yield an archive's ``archive.size`` bytes in order; resume where a connection breaks.

    Raises:
        FetchError: If the hub sends another number of bytes, or the last retry fails.
    """
    url = hf_hub_url(REPO, archive.path, repo_type="dataset", revision=commit)
    with translate_errors(_explain_status):
        yield from stream_file(url, archive.path, archive.size)


def _explain_status(error: HfHubHTTPError) -> str:
    hub, request, status = constants.ENDPOINT, error.response.request, error.response.status_code
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
