"""QGIS draws a map in the picture's colours, which differ in lightness, and reads what is written."""

from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_rgb

from tuning.predict.landslides.confidence import CLASSES
from tuning.predict.picture.legend import TOO_FEW
from tuning.predict.picture.quicklook import make_ramp
from tuning.predict.qgis.styles import Entry, make_styles, write_styles

FILES = ["landslides", "probability", "mask", "spread", "change", "coverage"]


def lightness(entry: Entry) -> float:
    """Return the L* of CIELAB, which a greyscale print keeps, over white."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in entry.colours[:3]]  # fmt: skip
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return float(116 * luminance ** (1 / 3) - 16) if luminance > 0.009 else 903.3 * luminance


@pytest.mark.parametrize(("name", "sign"), [("landslides", 1), ("probability", -1), ("spread", -1), ("change", 1)])  # fmt: skip
def test_colours_of_a_ramp_differ_in_lightness(name: str, sign: int) -> None:
    entries = [one for one in make_styles(0.4)[name].entries if one.label != "lower"]
    for one, other in pairwise(entries):
        assert sign * (lightness(other) - lightness(one)) > 6, (name, one.label, other.label)


def test_counts_of_acquisitions_differ_in_lightness() -> None:
    found = sorted(lightness(one) for one in make_styles(0.4)["coverage"].entries)
    assert all(other - one > 12 for one, other in pairwise(found))


def test_probabilities_have_the_picture_s_colours_from_half_the_threshold_on() -> None:
    clear, *entries = make_styles(0.3)["probability"].entries
    assert [float(one.value) for one in entries] == pytest.approx([0.15, 0.3625, 0.575, 0.7875, 1])
    for place, one in zip((0, 0.25, 0.5, 0.75, 1.0), entries, strict=True):
        assert one.colours == pytest.approx(make_ramp()(place))
    assert clear.alpha == 0
    assert float(clear.value) < 0.15


def test_each_class_of_confidence_has_a_colour() -> None:
    assert [one.value for one in make_styles(0.4)["landslides"].entries] == list(CLASSES)


def test_pixels_without_acquisitions_have_the_picture_s_colour() -> None:
    first = make_styles(0.4)["coverage"].entries[0]
    assert first.colours[:3] == to_rgb(TOO_FEW)
    assert first.value == 0


def test_styles_are_written_as_xml_and_not_over_others(tmp_path: Path) -> None:
    write_styles(tmp_path, FILES, 0.4)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{one}.qml" for one in FILES)
    for name in FILES:
        root = ElementTree.parse(tmp_path / f"{name}.qml").getroot()  # noqa: S314 - our own
        assert root.tag == "qgis"
        assert (root.find("renderer-v2") is not None) == (name == "landslides")
        assert (root.find("pipe/rasterrenderer") is not None) == (name != "landslides")
    with pytest.raises(FileExistsError):
        write_styles(tmp_path, ["mask"], 0.4)
