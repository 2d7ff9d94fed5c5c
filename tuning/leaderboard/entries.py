"""Rows of a leaderboard: the models of verified bundles, with what decides whether two of them may be compared."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.io.errors import format_error
from tuning.bundle.read import Bundle, BundledModel
from tuning.bundle.verify import Verified, describe_differences, verify_bundle
from tuning.report.results import BASELINE, NETWORK
from tuning.statistics.estimate import FIXED, Estimate
from tuning.trial.foreign.names import NOT_STATED
from tuning.trial.foreign.provenance import LABELS, load_provenance

ORIGINS = {"trained here": "network"}  # of a bundle's model, as a page of many campaigns names it
_UNKNOWN = ("", "nan", NOT_STATED)
_DETAILS = ("data_hash", "preset", "training", "regions", "version", "commit")


@dataclass(frozen=True)
class Refused:
    """A bundle that is not on the page, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Entry:
    """One row: a model of a bundle.

    Attributes:
        file: Name of the bundle's file.
        bundle: The bundle.
        model: The model.
        estimate: Mean average precision and its interval, recomputed from the bundle's counts.
    """

    file: str
    bundle: Bundle
    model: BundledModel
    estimate: Estimate

    @property
    def name(self) -> str:
        """Name that is unique on the page."""
        return f"{self.file}: {self.model.title}"

    @property
    def data(self) -> str:
        """``synthetic`` or ``real``."""
        return self.bundle.provenance.get("data", "unknown")

    @property
    def split(self) -> str:
        """Name and hash of the split."""
        provenance = self.bundle.provenance
        return f"{provenance.get('split', 'unnamed')} ({provenance['split_hash']})"

    @property
    def regions(self) -> tuple[str, ...]:
        """Regions of the tiles."""
        return tuple(self.bundle.provenance.get("regions", "unknown").split())

    @property
    def origin(self) -> str:
        """``network``, ``baseline`` or ``foreign``."""
        return ORIGINS.get(self.model.origin, self.model.origin)

    @property
    def input(self) -> str:
        """Channels and acquisitions that the model reads, or ``not stated``."""
        channels, dates = (
            self.model.row.get(f"reads_{name}", "") for name in ("channels", "dates")
        )
        if channels in _UNKNOWN or dates in _UNKNOWN:
            return NOT_STATED
        return f"{channels}; {dates}"

    @property
    def kind(self) -> str:
        """Over the models of one kind the seeds' variance is pooled; foreign methods have none in common."""
        kind = self.model.kind
        if kind in (NETWORK, BASELINE) or (kind == FIXED and len(self.model.seeds) == 1):
            return kind
        return self.name

    @property
    def labels(self) -> str:
        """Hash of the labels and positions of the test tiles in their order, and of their folds."""
        digest = hashlib.sha256()
        tiles = zip(self.bundle.tile_ids, self.bundle.folds, self.bundle.label_hashes, strict=True)
        for tile in tiles:
            digest.update(" ".join(tile).encode())
        digest.update(np.ascontiguousarray(self.bundle.corners, "<f8").tobytes())
        return digest.hexdigest()

    @property
    def run_ids(self) -> frozenset[str]:
        """Ids of its runs."""
        return frozenset(run.run.info.run_id for run in self.model.result.runs)

    def list_details(self) -> Iterator[tuple[str, str]]:
        """Yield what is known of the row's origin as label and text."""
        provenance = self.bundle.provenance
        yield "campaign", f"{self.bundle.name}, begun {self.bundle.created}"
        yield "seeds", ", ".join(map(str, self.model.seeds))
        yield from (
            (name.replace("_", " "), provenance[name]) for name in _DETAILS if name in provenance
        )
        if self.origin == "foreign":
            run = self.model.result.runs[0].run
            stated = load_provenance(run.data.params)
            yield from ((label, getattr(stated, name)) for name, label in LABELS.items())
            yield "SHA-256 of the predictions", run.data.tags.get("predictions", NOT_STATED)


def load_entries(files: Sequence[Path]) -> tuple[list[Entry], list[Refused]]:
    """Verify bundles and list their models; a bundle that cannot be verified, or comes twice, is refused.

    Args:
        files: The zip files.

    Returns:
        The rows of all bundles that are verified, and the refused ones with the reason.
    """
    entries: list[Entry] = []
    refused: list[Refused] = []
    known: dict[frozenset[str], str] = {}
    for file, name in zip(files, name_files(files), strict=True):
        try:
            verified = verify_bundle(file)
            _check(verified, known)
        except (ValueError, OSError) as error:
            reason = format_error(error).replace(
                str(file), name
            )  # no folder of this machine on the page
            refused.append(Refused(name, reason))
            continue
        own = [
            Entry(name, verified.bundle, model, _find(verified, model))
            for model in verified.bundle.models
        ]
        known[_list_runs(verified.bundle)] = name
        entries += own
    return entries, refused


def name_files(files: Sequence[Path]) -> list[str]:
    """Return a name for each file that no other has: its own, with its folder where that is needed."""
    names = [file.name for file in files]
    return [str(file) if names.count(file.name) > 1 else file.name for file in files]


def _check(verified: Verified, known: Mapping[frozenset[str], str]) -> None:
    if verified.differences:
        first = describe_differences(verified.differences[:1])
        raise ValueError(
            f"A bundle's tables must follow from its counts, but {len(verified.differences):,} of {verified.compared:,} values "
            f"differ, the first: {first}"
        )
    if other := known.get(_list_runs(verified.bundle)):
        raise ValueError(f"Each campaign must be given once, but {other} holds the same runs.")


def _list_runs(bundle: Bundle) -> frozenset[str]:
    return frozenset(run.run.info.run_id for model in bundle.models for run in model.result.runs)


def _find(verified: Verified, model: BundledModel) -> Estimate:
    return verified.ranking.estimates[model.title]
