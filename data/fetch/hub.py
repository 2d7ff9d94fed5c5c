"""The data set on the Hugging Face hub: its archives, and the bytes of one archive as a stream.

All requests go through the hub's own client, so a stored login, ``HF_TOKEN``, ``HF_ENDPOINT`` and proxies work as usual.
What the hub answers is not trusted.
"""

import logging
import re
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_url, hf_raise_for_status
from huggingface_hub.errors import (
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers, http_stream_backoff  # type: ignore[attr-defined]

from data.io.safe_json import show_value
from data.tiles.rules import MODALITIES

logger = logging.getLogger(__name__)

REPO = "paulhoehn/Sen12Landslides"
VERSIONS = ("harmonized", "raw")
RETRY_WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0)  # before each retry; any byte received resets them
# The modality becomes a folder's name, so the path holds no '..' and no further '/'.
ARCHIVE_PATH = re.compile(
    rf"data_(?:harmonized|raw)/({'|'.join(MODALITIES)})/[A-Za-z0-9_][A-Za-z0-9_.-]{{0,99}}\.tar\.gz"
)

_MAX_FILES = 10_000  # of one folder on the hub
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TRANSIENT = (408, 500, 502, 503, 504)
_CONTINUE = "Run the same command again: it continues where it stopped."


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


def resolve_revision(revision: str | None) -> str:
    """Return the commit of a branch, tag or commit (None: the main branch); raise FetchError if it has none."""
    with _translate_errors():
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
    with _translate_errors():
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
    position, waits = 0, iter(RETRY_WAITS_S)
    with _translate_errors():
        while position < archive.size:
            start, reason = position, "the response ended early"
            try:
                for chunk in _read_from(url, start):
                    position += len(chunk)
                    if position > archive.size:
                        raise _size_error(archive, f"more than {archive.size}")
                    yield chunk
            except httpx2.TransportError as error:
                reason = str(error) or type(error).__name__
            except HfHubHTTPError as error:
                reason = f"HTTP {error.response.status_code}"
                if error.response.status_code == 416:  # the file ends before this position
                    raise _size_error(archive, str(position)) from error
                if error.response.status_code not in _TRANSIENT:
                    raise
            if position < archive.size:
                waits = iter(RETRY_WAITS_S) if position > start else waits
                at = f"at {position / 1e6:.1f} of {archive.size / 1e6:.1f} MB of {archive.path}"
                _wait(next(waits, None), f"{at} ({reason})")


def _read_from(url: str, start: int) -> Iterator[bytes]:
    """Yield a file's bytes from *start*."""
    # The hub lists the stored length, which a compressed response would not have.
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with http_stream_backoff(
        "GET",
        url,
        headers=headers,
        timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
        retry_on_exceptions=(),
        retry_on_status_codes=(429,),  # waits as long as the hub asks
    ) as response:
        hf_raise_for_status(response)
        skip = 0 if response.status_code == 206 else start  # 200: the server ignored the range
        for chunk in response.iter_raw():
            if len(chunk) > skip:
                yield chunk[skip:]
            skip = max(0, skip - len(chunk))


def _wait(wait_s: float | None, at: str) -> None:
    """Wait before the next retry; raise FetchError if there is none."""
    if wait_s is None:
        raise FetchError(
            f"The connection to {constants.ENDPOINT} must last, but got lost {at} in every try. {_CONTINUE}"
        )
    logger.warning("Connection lost %s; retrying in %g s", at, wait_s)
    time.sleep(wait_s)


def _size_error(archive: HubArchive, got: str) -> FetchError:
    return FetchError(
        f"The hub must send the {archive.size} bytes it lists, but got {got} of {archive.path}. "
        "Try again later, or choose another revision (--revision)."
    )


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Turn the client's errors into a FetchError with address and remedy."""
    hub = constants.ENDPOINT
    try:
        yield
    except HfHubHTTPError as error:
        raise FetchError(_explain_status(error)) from error
    except (httpx2.HTTPError, httpx2.InvalidURL, OfflineModeIsEnabled) as error:
        raise FetchError(
            f"A fetch must reach {hub}, but got no connection ({error or type(error).__name__}). "
            f"Check the network, proxy and HF_ENDPOINT. {_CONTINUE}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # such as a proxy's login page
        raise FetchError(
            f"A hub must answer in its JSON, but got something else from {hub} ({show_value(error)}). "
            "Check proxy and HF_ENDPOINT."
        ) from error


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
    return f"{hub} must answer, but got HTTP {status} for {request.url}. {_CONTINUE}"
