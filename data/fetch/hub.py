"""The data set on the Hugging Face hub: which archives it has, and an archive's bytes as one stream.

All requests go through the hub's own client: a stored login, ``HF_TOKEN``, ``HF_ENDPOINT`` and proxies
work as they do elsewhere.
"""

import logging
import re
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
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

from data.fetch.listing import Archive, ArchiveError, FetchError, check_archive
from data.io.safe_json import show_value

logger = logging.getLogger(__name__)

VERSIONS = ("harmonized", "raw")
REPO = "paulhoehn/Sen12Landslides"
WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0)  # before each new try; a try that gets bytes starts over

_MOST_FILES = 10_000  # that the hub may list in a folder
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PASSING = (408, 500, 502, 503, 504)  # states that a new try may find gone
_CONTINUE = "Run the same command again: it continues where it stopped."


def resolve_revision(revision: str | None, endpoint: str | None = None) -> str:
    """Ask the hub which commit a revision is.

    Args:
        revision: Branch, tag or commit of the data set; its main branch if None.
        endpoint: The hub's address; the client's own choice if None.

    Returns:
        The commit as 40 hexadecimal digits.

    Raises:
        FetchError: If the hub does not answer, or knows no such revision.
    """
    with _name_errors(endpoint):
        info = HfApi(endpoint=endpoint).dataset_info(
            REPO, revision=revision, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT
        )
    if not isinstance(info.sha, str) or not _COMMIT.fullmatch(info.sha):
        got = show_value(info.sha) if info.sha else "none"
        raise FetchError(f"The hub must name a commit, but got {got} from {_name(endpoint)}.")
    return info.sha


def list_archives(
    version: str, modality: str, commit: str, endpoint: str | None = None
) -> list[Archive]:
    """List the archives of one modality, sorted by path.

    Args:
        version: ``harmonized`` or ``raw``.
        modality: Such as ``s1asc``.
        commit: The data set's commit.
        endpoint: The hub's address; the client's own choice if None.

    Returns:
        At least one archive.

    Raises:
        FetchError: If the hub does not answer, or has no archive there.
    """
    folder = f"data_{version}/{modality}"
    with _name_errors(endpoint):
        tree = HfApi(endpoint=endpoint).list_repo_tree(
            REPO, folder, recursive=True, revision=commit, repo_type="dataset"
        )
        entries = list(islice(tree, _MOST_FILES))
    files = [entry for entry in entries if isinstance(entry, RepoFile)]
    if not (packed := [file for file in files if str(file.path).endswith(".tar.gz")]):
        got = f"none among {len(files)} files at revision {commit}"
        raise FetchError(
            f"The data set must have archives {folder}/*.tar.gz, but got {got}. "
            "Choose another revision (--revision)."
        )
    archives = [
        check_archive(file.path, file.size, file.lfs.sha256 if file.lfs else None, folder)
        for file in packed
    ]
    return sorted(archives, key=lambda archive: archive.path)


def stream_archive(
    archive: Archive, commit: str, endpoint: str | None = None, waits_s: Sequence[float] = WAITS_S
) -> Generator[bytes, None, None]:
    """Yield an archive's bytes in order; where the connection is lost, ask for the rest.

    Args:
        archive: What to read.
        commit: The data set's commit.
        endpoint: The hub's address; the client's own choice if None.
        waits_s: Seconds to wait before each new try.

    Yields:
        ``archive.size`` bytes in pieces.

    Raises:
        ArchiveError: If the hub sends another number of bytes.
        FetchError: If the last try fails too.
    """
    url = hf_hub_url(REPO, archive.path, repo_type="dataset", revision=commit, endpoint=endpoint)
    reached, tries = 0, iter(waits_s)
    with _name_errors(endpoint):
        while reached < archive.size:
            before, reason = reached, "it ended early"
            try:
                for piece in _read_from(url, reached):
                    reached += len(piece)
                    if reached > archive.size:
                        raise _wrong_size(archive, f"more than {archive.size}")
                    yield piece
            except httpx2.TransportError as error:
                reason = str(error) or type(error).__name__
            except HfHubHTTPError as error:
                if error.response.status_code == 416:  # asked for bytes behind the file's end
                    raise _wrong_size(archive, str(reached)) from error
                if error.response.status_code not in _PASSING:
                    raise
                reason = f"HTTP {error.response.status_code}"
            if reached < archive.size:
                tries = iter(waits_s) if reached > before else tries
                _wait(next(tries, None), archive, reached, reason, endpoint)


def _read_from(url: str, start: int) -> Iterator[bytes]:
    # A server that compresses what it sends would count other bytes than the hub lists.
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with http_stream_backoff(
        "GET",
        url,
        headers=headers,
        timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
        retry_on_exceptions=(),
        retry_on_status_codes=(429,),  # waits for as long as the hub says
    ) as response:
        hf_raise_for_status(response)
        skip = 0 if response.status_code == 206 else start  # 200: sends all from the first byte
        for piece in response.iter_raw():
            if len(piece) > skip:
                yield piece[skip:]
            skip = max(0, skip - len(piece))


def _wait(
    wait_s: float | None, archive: Archive, reached: int, reason: str, endpoint: str | None
) -> None:
    """Wait before the next try, or raise if there is none."""
    at = f"at {reached / 1e6:.1f} of {archive.size / 1e6:.1f} MB of {archive.path}"
    if wait_s is None:
        raise FetchError(
            f"The connection to {_name(endpoint)} must last, but got lost {at} ({reason}) "
            f"in every try. {_CONTINUE}"
        )
    logger.warning("Connection lost %s (%s); trying again in %g s", at, reason, wait_s)
    time.sleep(wait_s)


def _wrong_size(archive: Archive, got: str) -> ArchiveError:
    return ArchiveError(
        f"The hub must send the {archive.size} bytes it lists, but got {got} of {archive.path}. "
        "Try again later, or choose another revision (--revision)."
    )


def _name(endpoint: str | None) -> str:
    return endpoint or str(constants.ENDPOINT)


@contextmanager
def _name_errors(endpoint: str | None) -> Iterator[None]:
    """Turn what the client raises into one sentence with the address and the remedy."""
    place = _name(endpoint)
    try:
        yield
    except HfHubHTTPError as error:
        raise FetchError(_explain(error, place)) from error
    except OfflineModeIsEnabled as error:
        raise FetchError(
            f"A fetch must reach {place}, but got HF_HUB_OFFLINE in the environment. Unset it."
        ) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise FetchError(
            f"A fetch must reach {place}, but got no connection ({error or type(error).__name__}). "
            f"Check the network, proxy and HF_ENDPOINT. {_CONTINUE}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # a proxy's login page, for one
        raise FetchError(
            f"A hub must answer in its JSON, but got something else from {place} ({show_value(error)}). "
            "Check proxy and HF_ENDPOINT."
        ) from error


def _explain(error: HfHubHTTPError, place: str) -> str:
    status = error.response.status_code
    if isinstance(error, RevisionNotFoundError):
        return f"A revision must exist, but got none for {error.response.request.url}. Check --revision."
    if isinstance(error, RemoteEntryNotFoundError):
        return (
            f"The data set must hold what is asked for, but got HTTP {status} for "
            f"{error.response.request.url}. Choose another revision (--revision)."
        )
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403):
        token = (
            "with a token"
            if "authorization" in error.response.request.headers
            else "without a token"
        )
        return (
            f"{place} must grant access to the data set {REPO}, but got HTTP {status} {token}. "
            "Log in by `hf auth login` or set HF_TOKEN, and accept the data set's terms on "
            f"{place}/datasets/{REPO}."
        )
    return (
        f"{place} must answer, but got HTTP {status} for {error.response.request.url}. {_CONTINUE}"
    )
