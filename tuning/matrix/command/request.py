"""What the user asks of a matrix: from words, a file or a study to axes and common options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.io.errors import unknown_name
from tuning.matrix.axes.names import AXIS_LABELS
from tuning.matrix.command.arguments import command_parser, list_options
from tuning.matrix.command.matrix_file import read_matrix_file
from tuning.matrix.command.studies import STUDIES, Study
from tuning.settings.roots import ROOT

_ALONE: dict[str, tuple[str, set[str]]] = {
    "resume": ("continues a matrix with its own plan", {"address", "stack_seeds"}),
    "report": ("writes the report of a matrix from MLflow", set()),
}
OWN = ("vary", "reference", "primary", "search", "budget", "name")  # options of the matrix itself


@dataclass(frozen=True)
class Request:
    """What the user asks of a matrix.

    Attributes:
        vary: Text of the levels by axis, in the user's order.
        references: Text of the chosen reference level by axis.
        options: Options of every campaign, by their names in `tuning.run`.
        primary: Axis whose effects are confirmatory; the first if None.
        search: ``once`` or ``per-cell``.
        budget: Hours; None for any.
        name: Name of the matrix; None for a new one.
        study: Name of the study; empty for none.
    """

    vary: Mapping[str, str]
    references: Mapping[str, str]
    options: Mapping[str, Any]
    primary: str | None = None
    search: str = "once"
    budget: float | None = None
    name: str | None = None
    study: str = ""


@dataclass(frozen=True)
class Command:
    """A parsed command line.

    Attributes:
        root: Output folder.
        action: ``run``, ``dry-run``, ``resume`` or ``report``.
        named: Name of the matrix to resume or report; None for the latest.
        options: All other options that the user gave, by name.
        study: Name of the study; empty for none.
    """

    root: Path
    action: str
    named: str | None
    options: dict[str, Any]
    study: str = ""


def parse_command(argv: Sequence[str] | None) -> Command:
    """Parse the command line, and the file that it names: what stands on the command line comes first.

    Raises:
        ValueError: If a study is unknown, options contradict each other, or a file is wrong.
        OSError: If a file cannot be read.
    """
    parser = command_parser()
    options = vars(parser.parse_args(argv))
    study, file = _what(options.pop("what", None), options.pop("file", None))
    if file is not None:
        words = read_matrix_file(file, list_options(parser))
        of_file = vars(parser.parse_args(words))
        study = study or str(of_file.pop("what", ""))
        _check_study(study)
        options = {**of_file, **options, **_join_levels(of_file, options)}
    root = options.pop("root", ROOT)
    chosen = [name for name in ("dry_run", "resume", "report") if name in options]
    if len(chosen) > 1:
        raise ValueError(
            f"--{' and --'.join(chosen)} cannot be combined. Choose one of them.".replace("_", "-")
        )
    action = chosen[0].replace("_", "-") if chosen else "run"
    named = options.pop(chosen[0]) if chosen else None
    if action in _ALONE:
        _check_alone(action, options, study)
        return Command(root, action, named, options)
    return Command(root, action, None, options, study)


def _what(word: str | None, file: Path | None) -> tuple[str, Path | None]:
    """Return the study and the file that the first word and --file mean."""
    if word is None or word in STUDIES:
        return word or "", file
    path = Path(word)
    if path.suffix not in (".yaml", ".yml") and not path.is_file():
        raise ValueError(unknown_name("study", word, [*STUDIES, "FILE.yaml"]))
    if file is not None:
        raise ValueError(
            f"A matrix has one file, but got {word} and --file {file}. Leave one of them out."
        )
    return "", path


def _check_study(study: str) -> None:
    if study and study not in STUDIES:
        raise ValueError(unknown_name("study", study, STUDIES))


def _join_levels(of_file: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return axes and references of both: what names the same axis on the command line replaces that of the file."""
    joined = {}
    for key in ("vary", "reference"):
        own = options.get(key, [])
        named = {text.partition("=")[0] for text in own}
        kept = [text for text in of_file.get(key, []) if text.partition("=")[0] not in named]
        if kept or own:
            joined[key] = [*kept, *own]
    return joined


def _check_alone(action: str, options: Mapping[str, Any], study: str) -> None:
    goes, allowed = _ALONE[action]
    extra = [f"--{name.replace('_', '-')}" for name in sorted({*options} - allowed)]
    extra += [study] if study else []
    if extra:
        raise ValueError(f"--{action} {goes}, but also got {', '.join(extra)}. Leave them out.")


def make_request(options: Mapping[str, Any], study: str, preset: str) -> Request:
    """Sort the user's options into those of the matrix and those of every campaign.

    Args:
        options: What the user gave, by name.
        study: Name of the study; empty for none.
        preset: Length of the campaigns, which a study follows.

    Raises:
        ValueError: If there is no axis, an axis is unknown or comes twice, or options contradict each other.
    """
    given = dict(options)
    if "model" in given and "cross" in given:
        raise ValueError(
            "Models must be given once, but got --cross and --model. Leave one of them out."
        )
    if "cross" in given:
        given["model"] = [name.strip() for name in given.pop("cross").split(",") if name.strip()]
        if not given["model"]:
            raise ValueError("--cross must name a model, but got none. Write it such as unet,utae.")
    given["preset"] = preset
    if study:
        given = _add_study(given, STUDIES[study], preset)
    vary = _parse_axes(given.get("vary", []), "--vary")
    if not vary:
        raise ValueError(
            "A matrix needs an axis, but got none. Add --vary, such as --vary channels=s1,VV, or name a study: "
            f"{', '.join(STUDIES)}."
        )
    references = _parse_axes(given.get("reference", []), "--reference")
    primary = given.get("primary")
    for axis in (*references, *([primary] if primary else [])):
        if axis not in vary:
            raise ValueError(unknown_name("axis of this matrix", axis, vary))
    if (budget := given.get("budget")) is not None and not budget > 0:
        raise ValueError(f"--budget must be more than 0 hours, but got {budget:g}.")
    common = {name: value for name, value in given.items() if name not in OWN}
    if "search_folds" in common:
        common["search"] = common.pop("search_folds")
    return Request(
        *(vary, references, common, primary),
        *(given.get("search", "once"), budget, given.get("name"), study),
    )


def _add_study(given: dict[str, Any], study: Study, preset: str) -> dict[str, Any]:
    """Return the options with those of a study that the user did not give."""
    if preset not in study.vary:
        raise ValueError(unknown_name("preset", preset, study.vary))
    own = {text.partition("=")[0] for text in given.get("vary", [])}
    axes = [text for text in study.vary[preset] if text.partition("=")[0] not in own]
    options = dict(study.options[preset])
    if given.get("recipe", "searched") != "searched":  # has no search
        options.pop("trials", None)
    return {**options, **given, "vary": [*axes, *given.get("vary", [])]}


def _parse_axes(texts: Sequence[str], option: str) -> dict[str, str]:
    """Return what stands after ``=`` by axis."""
    found: dict[str, str] = {}
    for text in texts:
        axis, equals, levels = (part.strip() for part in text.partition("="))
        if axis not in AXIS_LABELS:
            raise ValueError(unknown_name("axis", axis, AXIS_LABELS))
        if not equals or not levels:
            raise ValueError(
                f"{option} must be AXIS=LEVELS, such as {axis}={AXIS_LABELS[axis][1]}, but got {text!r}."
            )
        if axis in found:
            raise ValueError(
                f"{option} must name each axis once, but got {axis} twice. Join its levels with commas."
            )
        found[axis] = levels
    return found
