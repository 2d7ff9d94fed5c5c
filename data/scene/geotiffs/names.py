"""What the name of a GeoTIFF says: orbit direction, date and polarisation, found by habit or by a given pattern.

Names that are found without a pattern, from the producers' own documents:
    OPERA RTC-S1 ``OPERA_L2_RTC-S1_T035-073251-IW2_20240105T211204Z_20240106T035531Z_S1A_30_v1.0_VV.tif``;
    ASF HyP3 ``S1A_IW_20180906T083510_DVP_RTC10_G_gpuned_B8D9_VV.tif``;
    and any ``<words>_20180906_<words>_VV.tif``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from data.cubes.orbits import DIRECTIONS
from data.io.errors import list_first, unknown_name
from data.io.safe_json import refused_error, show_value
from data.tiles.rules import BANDS, ORBITS

SUFFIXES = (".tif", ".tiff")
HEIGHTS = "DEM"
FIELDS = ("modality", "date", "band")
DATE_FORMAT = "%Y%m%d"
POLARISATIONS = BANDS[ORBITS[0]]
SHOWN = 3  # names in a message

# The first date of a name is the acquisition's; others are of its end or of the processing.
_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_]?(\d\d)[-_]?(\d\d)(?:T(\d{6}))?Z?(?!\d)")
_WORDS = re.compile(r"[^0-9A-Za-z]+")
_FIELD = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")
_DIGITS = {"%Y": r"\d{4}", "%y": r"\d\d", "%j": r"\d{3}"} | {
    f"%{letter}": r"\d\d" for letter in "mdHMS"
}


@dataclass(frozen=True)
class NamedFile:
    """A GeoTIFF and what its name says; None = nothing.

    Attributes:
        path: The file.
        modality: ``s1asc`` or ``s1dsc``.
        date: Time of acquisition, UTC; midnight if the name has only a day.
        bands: ``VV``, ``VH`` or ``DEM``, in the order of the name.
    """

    path: Path
    modality: str | None
    date: datetime | None
    bands: tuple[str, ...]


def is_geotiff(path: Path) -> bool:
    """Return whether a file is named as a GeoTIFF."""
    return path.suffix.lower() in SUFFIXES


def read_name(path: Path, root: Path) -> NamedFile:
    """Read a file's name and the folders between it and *root*.

    Raises:
        ValueError: If the name has an impossible date.
    """
    match = _DATE.search(path.stem)
    date = _make_date("".join(filter(None, match.groups())), path) if match else None
    return NamedFile(path, _find_modality(path, root), date, _find_bands(path))


def _find_modality(path: Path, root: Path) -> str | None:
    parts = path.relative_to(root).with_suffix("").parts[::-1]  # the file's own name first
    words = [word.lower() for part in parts for word in _WORDS.split(part)]
    return next((DIRECTIONS[word] for word in words if word in DIRECTIONS), None)


def _find_bands(path: Path) -> tuple[str, ...]:
    words = [word.upper() for word in _WORDS.split(path.stem)]
    return tuple(word for word in words if word in (*POLARISATIONS, HEIGHTS))


def _make_date(digits: str, path: Path) -> datetime:
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S"[: 6 if len(digits) == 8 else None])
    except ValueError as error:
        raise refused_error("The date in a name must exist", digits, path, "Rename it.") from error


def compile_pattern(pattern: str) -> tuple[re.Pattern[str], str]:
    """Translate a pattern such as ``{modality}/{date:%Y%m%d}_{band}.tif``.

    Args:
        pattern: Path below the input folder; ``{modality}``, ``{date}``, ``{date:FORMAT}`` and ``{band}`` stand for
            what they name, ``*`` for any text within a name. The date's format has Python's codes for digits.

    Returns:
        A regular expression with these names as groups, and the date's format.

    Raises:
        ValueError: If a field is unknown, given twice, or has a format that it cannot have; or there is no date.
    """
    text, position, date_format, seen = "", 0, "", set()
    for match in _FIELD.finditer(pattern):
        name, given = match[1], match[2]
        if name not in FIELDS:
            raise ValueError(unknown_name("field of --pattern", name, FIELDS))
        if name in seen or (given is not None and name != "date"):
            rule = "A field must be in --pattern once, and only date has a format"
            raise refused_error(rule, show_value(match[0]), show_value(pattern), "Change it.")
        seen.add(name)
        text += _escape(pattern[position : match.start()])
        position = match.end()
        if name == "date":
            date_format = given or DATE_FORMAT
            text += f"(?P<date>{_translate_format(date_format, pattern)})"
        else:
            words = DIRECTIONS if name == "modality" else (*POLARISATIONS, HEIGHTS)
            text += f"(?P<{name}>{'|'.join(sorted(words, key=len, reverse=True))})"
    if "date" not in seen:
        remedy = "Add it, for example {modality}/{date:%Y%m%d}_{band}.tif."
        raise refused_error("--pattern must have {date}", show_value(pattern), "--pattern", remedy)
    return re.compile(text + _escape(pattern[position:]), re.IGNORECASE), date_format


def _escape(text: str) -> str:
    return "[^/]*".join(re.escape(part) for part in text.split("*"))


def _translate_format(date_format: str, pattern: str) -> str:
    """Return a regular expression of a date's format."""
    parts = re.split(r"(%.?)", date_format)
    codes = parts[1::2]
    if unknown := [code for code in codes if code not in _DIGITS]:
        raise ValueError(unknown_name("code in the date's format", unknown[0], _DIGITS))
    if len(set(codes)) < len(codes) or not {"%Y", "%y"} & set(codes):
        rule = "The date's format must have a year, and each code once"
        raise refused_error(rule, show_value(date_format), show_value(pattern), "Change it.")
    return "".join(_DIGITS[part] if i % 2 else re.escape(part) for i, part in enumerate(parts))


def match_name(path: Path, root: Path, pattern: tuple[re.Pattern[str], str]) -> NamedFile | None:
    """Match a file's path below *root* with a pattern of :func:`compile_pattern`; None if it does not fit.

    What the pattern does not name is read as without one.

    Raises:
        ValueError: If the date does not exist.
    """
    expression, date_format = pattern
    match = expression.fullmatch(path.relative_to(root).as_posix())
    if match is None:
        return None
    found = match.groupdict()
    try:
        date = datetime.strptime(found["date"], date_format)
    except ValueError as error:
        got = found["date"]
        raise refused_error("The date in a name must exist", got, path, "Rename it.") from error
    modality, band = found.get("modality"), found.get("band")
    return NamedFile(
        path,
        DIRECTIONS[modality.lower()] if modality else _find_modality(path, root),
        date,
        (band.upper(),) if band else _find_bands(path),
    )


def show_names(paths: Sequence[Path], root: Path) -> str:
    """List a few files for a message."""
    names = [path.relative_to(root).as_posix() for path in paths]
    return list_first(names, SHOWN) or "no file"
