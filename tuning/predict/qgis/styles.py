"""How QGIS draws the files of a map: colours and classes, as in the picture, and as ``.qml`` files beside them.

Colours of one ramp differ in lightness, so that they can be told apart in a greyscale print and with every kind of colour vision:
inferno from pale yellow to dark purple for probability and confidence, cividis for change and spread.

Reference:
    QGIS reads ``NAME.qml`` beside ``NAME.tif`` and ``NAME.gpkg``. Its format has no schema; the elements are those that QGIS
    3.22 saves, fewer where its default is meant.
    Nuñez et al. (2018), Optimizing colormaps with consideration for color vision deficiency, PLoS ONE 13(7), doi
    10.1371/journal.pone.0199239: cividis.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import jinja2
import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_rgba

from tuning.plots.style import INK
from tuning.predict.landslides.confidence import CLASSES
from tuning.predict.picture.legend import OUTLINE, TOO_FEW
from tuning.predict.picture.quicklook import make_ramp

VERSION = "3.22.0"  # the oldest QGIS for which the files are written
LABEL_SCALE = 50_000  # smaller maps have no room for the landslides' numbers
CHANGE_DB = 6.0  # a change of so much and more has the strongest colour
SPREAD = 0.3  # the same of the standard deviation of the probability
STOPS = 5  # of a ramp; QGIS interpolates between them

_JUST_BELOW = 1e-6
_FILL_OPACITY = 0.6


@dataclass(frozen=True)
class Entry:
    """A value or class and its colour.

    Attributes:
        value: The value, or the highest one of a class; of landslides a word.
        label: Its text in the legend.
        colours: Red, green, blue and opacity, each from 0 to 1.
        line: Style of a landslide's outline.
    """

    value: float | str
    label: str
    colours: tuple[float, ...]
    line: str = "solid"

    @property
    def colour(self) -> str:
        """Such as ``#1d1147``."""
        return "#" + "".join(f"{round(255 * part):02x}" for part in self.colours[:3])

    @property
    def alpha(self) -> int:
        """From 0, transparent, to 255."""
        return round(255 * self.colours[3])

    @property
    def rgba(self) -> str:
        """Such as ``29,17,71,255``."""
        return format_rgba(self.colours)


@dataclass(frozen=True)
class Style:
    """How a layer is drawn.

    Attributes:
        kind: Name of QGIS's raster renderer, or ``landslides``.
        entries: Values or classes.
        band: Band of a raster.
        ramp: ``INTERPOLATED`` or ``DISCRETE``.
        column: Column with the classes of landslides.
        outline: Colour of their outlines, as ``29,17,71,255``.
        ink: Colour of their numbers.
        label_scale: Smallest scale with numbers, such as 50000 for 1:50,000.
    """

    kind: str
    entries: Sequence[Entry] = field(default_factory=tuple)
    band: int = 1
    ramp: str = "INTERPOLATED"
    column: str = "confidence"
    outline: str = ""
    ink: str = ""
    label_scale: int = LABEL_SCALE

    @property
    def low(self) -> float | str:
        """Lowest value."""
        return self.entries[0].value

    @property
    def high(self) -> float | str:
        """Highest value."""
        return self.entries[-1].value


def format_rgba(colour: Sequence[float]) -> str:
    """Format a colour as QGIS's symbols have it."""
    return ",".join(str(round(255 * part)) for part in colour)


def make_styles(threshold: float) -> dict[str, Style]:
    """Return the style of each file of a map by its name without suffix.

    Args:
        threshold: Minimum probability of a landslide pixel; from half of it on, probabilities are drawn, as in the picture.
    """
    return {
        "landslides": _style_landslides(),
        "probability": _style_probability(threshold / 2),
        "mask": _style_mask(),
        "spread": _style_spread(),
        "change": _style_change(),
        "coverage": _style_coverage(),
        "relief": Style("multibandcolor"),
    }


def _style_landslides() -> Style:
    ramp = make_ramp()
    places = dict(zip(CLASSES, ((0.95, "solid"), (0.5, "solid"), (0.05, "dash")), strict=True))
    entries = [
        Entry(name, f"{name} confidence", (*ramp(place)[:3], _FILL_OPACITY), line)
        for name, (place, line) in places.items()
    ]
    outline, ink = (format_rgba(to_rgba(colour)) for colour in (OUTLINE, INK))
    return Style("landslides", entries, outline=outline, ink=ink)


def _style_probability(low: float) -> Style:
    colours = make_ramp()(np.linspace(0, 1, STOPS))
    values = np.linspace(low, 1, STOPS)
    return Style("singlebandpseudocolor", _start_clear(_make_entries(values, colours)))


def _style_spread() -> Style:
    colours = mpl.colormaps["cividis_r"](np.linspace(0, 1, STOPS))
    colours[:, 3] = np.linspace(0, 0.9, STOPS)
    entries = _make_entries(np.linspace(0, SPREAD, STOPS), colours)
    last = entries[-1]
    return Style(
        "singlebandpseudocolor", [*entries[:-1], replace(last, label=f"{last.label} and more")]
    )


def _style_change() -> Style:
    values = np.linspace(-CHANGE_DB, CHANGE_DB, STOPS)
    entries = _make_entries(values, mpl.colormaps["cividis"](np.linspace(0, 1, STOPS)), "+g", " dB")
    return Style("singlebandpseudocolor", entries)


def _style_mask() -> Style:
    return Style(
        "paletted",
        [
            Entry(1, "landslide", to_rgba(OUTLINE)),
            Entry(0, "no landslide", (0.92, 0.92, 0.92, 0.0)),
        ],
    )


def _style_coverage() -> Style:
    """Draw the acquisitions after the event, of which there are seldom many; none in the colour of the picture."""
    colours = (TOO_FEW, "#f0f0f0", "#969696", "#525252")
    labels = ("none after the event", "1 after the event", "2 after the event", "3 and more")
    values = (0, 1, 2, 254)
    entries = [
        Entry(value, label, to_rgba(colour))
        for value, label, colour in zip(values, labels, colours, strict=True)
    ]
    return Style("singlebandpseudocolor", entries, band=2, ramp="DISCRETE")


def _make_entries(
    values: np.ndarray, colours: np.ndarray, form: str = ".2g", unit: str = ""
) -> list[Entry]:
    return [
        Entry(round(float(value), 6), f"{value:{form}}{unit}", tuple(map(float, colour)))
        for value, colour in zip(values, colours, strict=True)
    ]


def _start_clear(entries: list[Entry]) -> list[Entry]:
    """Make lower values transparent: QGIS draws those below the first entry as this one."""
    first = entries[0]
    clear = replace(
        first,
        value=float(first.value) - _JUST_BELOW,
        label="lower",
        colours=(*first.colours[:3], 0.0),
    )
    return [clear, *entries]


def write_styles(folder: Path, names: Sequence[str], threshold: float) -> None:
    """Write ``NAME.qml`` for some files of a map.

    Raises:
        FileExistsError: If one exists.
        OSError: If a file cannot be written.
    """
    styles = make_styles(threshold)
    for name in names:
        text = render("style.qml.j2", style=styles[name], version=VERSION)
        with (folder / f"{name}.qml").open("x", encoding="utf-8") as file:
            file.write(text)


def render(template: str, **values: object) -> str:
    """Fill a template of this folder; texts are escaped for XML."""
    return _ENVIRONMENT.get_template(template).render(**values)


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
)
