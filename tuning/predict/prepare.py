"""Prepares a map: loads the networks, opens the scene, and collects the facts of both; writes nothing."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from data.io.malloc import keep_freed_memory
from data.pack.placebo import Placebo
from data.scene.base import Scene
from data.scene.open import open_scene
from data.tiles import TILE_PX
from data.tiles.manifest import describe_origin
from data.tiles.map_dates import DatesError
from tuning.predict.device import parse_device
from tuning.predict.ensemble import Member, examine_model, load_members
from tuning.predict.familiarity import UNKNOWN, check_familiar, find_differences
from tuning.predict.pick import pick_model
from tuning.predict.predictor import Predictor
from tuning.registry.map_facts import describe_model, format_model
from tuning.registry.trust import check_trust
from tuning.serving.pyfunc_model import read_threshold

WINDOW_PX = 512  # larger windows waste less on overlap, smaller ones need less memory


@dataclass(frozen=True)
class MapJob:
    """A scene, the networks and the options of a map.

    Attributes:
        scene: The scene to map.
        predictor: The networks.
        threshold: Minimum probability of a landslide pixel.
        window_px: Side of a datacube's windows.
        overlap_px: Pixels shared by neighbouring windows.
        facts: Provenance for the summary and the rasters' tags.
        early: The same scene as a placebo, on which false alarms are counted beside the map; None to count none.
    """

    scene: Scene
    predictor: Predictor
    threshold: float
    window_px: int
    overlap_px: int
    facts: dict[str, Any]
    early: Scene | None = None


def prepare_map(args: argparse.Namespace) -> MapJob:
    """Load the networks and open the scene; writes nothing.

    Args:
        args: Parsed arguments of ``python -m tuning.predict``.

    Raises:
        FileExistsError: If the output folder is not empty.
        FileNotFoundError: If the registry or the input does not exist.
        ValueError: If the model, an option or the input is invalid.
    """
    keep_freed_memory()
    check_map_folder(args.out)
    placebo = Placebo(args.placebo_event) if args.placebo else None

    def open_with(
        members: Sequence[Member], *, any_dates: bool = False, placebo: Placebo | None = placebo
    ) -> Scene:
        spec = replace(members[0].spec, event=args.event, placebo=placebo)
        return open_scene(
            *(args.input, replace(spec, learnt=()) if any_dates else spec, args.units),
            resample=args.resample,
            pattern=args.pattern,
            orbit=args.orbit,
        )

    picked = other_dates = ""
    try:
        members, scene, picked = pick_model(
            args.model, args.root, open_with, ensemble=args.ensemble
        )
    except DatesError as error:
        if not args.untrusted:
            raise DatesError(f"{error} With --untrusted it is mapped, and marked.") from error
        members = load_members(args.model, args.root, ensemble=args.ensemble)
        scene = open_with(members, any_dates=True)
        other_dates = f"Not trusted: {error}"
    trust = examine_model(args.model if args.ensemble else members[0].uri, args.root)
    check_trust(trust, untrusted=args.untrusted)
    predictor = Predictor(members, parse_device(args.device), flips=args.tta)
    after = scene.find_shortage()
    usual = float(np.mean([member.choose_threshold(after) for member in members]))
    threshold = read_threshold({"threshold": args.threshold}, usual)
    learnt_synthetic = any(member.synthetic for member in members)
    found = find_differences(scene, members[0].profile, learnt_synthetic=learnt_synthetic)
    if args.strict:
        check_familiar(found, describe_input(args.input))
    early = (
        _open_early(scene, partial(open_with, members, placebo=Placebo()))
        if args.false_alarms
        else None
    )
    facts = _collect_facts(args, members, scene, found)
    facts |= describe_model(
        *(trust, members[0].expected, usual if threshold is None else threshold),
        own=args.threshold is None,
        averaged=len(members) > 1 or args.tta,
        few=None if after is None else members[0].find_early(after),
    )
    facts["warning"] = " ".join(filter(None, [facts["warning"], other_dates]))
    print(format_model(trust, facts))
    print(
        f"Model learnt on: {describe_origin(learnt_synthetic)} tiles; scene: {describe_origin(scene.synthetic)}, "
        f"{facts['input']}."
    )
    for note in (
        *filter(None, [facts["warning"], picked]),
        *scene.notes,
        *([UNKNOWN] if found is None else found),
    ):
        print(note)
    return MapJob(
        scene,
        predictor,
        usual if threshold is None else threshold,
        args.window or (WINDOW_PX if predictor.local else TILE_PX),
        args.overlap,
        facts,
        early,
    )


def _open_early(scene: Scene, open_placebo: Callable[[], Scene]) -> Scene | None:
    """Open a scene's images before the event; None, with a note, if they are too few for a placebo."""
    try:
        return open_placebo()
    except ValueError as error:
        scene.notes.append(describe_unmeasured(error))
        return None


def describe_unmeasured(error: ValueError) -> str:
    """Say why false alarms were not counted on the images before the event."""
    return f"False alarms to expect are not measured: {error}"


def _collect_facts(
    args: argparse.Namespace, members: list[Member], scene: Scene, differences: list[str] | None
) -> dict[str, Any]:
    """Collect a map's provenance."""
    learnt_on = any(member.synthetic for member in members)
    return {
        "model": args.model,
        "networks": [member.uri for member in members],
        "input": describe_input(args.input),
        "scene": args.loaded,
        "learnt_on": "synthetic" if learnt_on else "real",
        "made_from": "synthetic" if scene.synthetic else "real",
        "flips": args.tta,
        "event": ", ".join(map(str, scene.events)),
        "few_after_event": scene.find_shortage(),
        "notes": scene.notes,
        "differs_from_training": differences,
    }


def describe_input(paths: Sequence[Path]) -> str:
    """Return the input as text: a path, or the first of several files and their number."""
    more = f" and {len(paths) - 1} more files" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"


def check_map_folder(out: Path) -> None:
    """Raise if the output folder is not new or empty."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f"A map needs a new or empty folder, but {out} is not empty. Choose another with --out."
        )
