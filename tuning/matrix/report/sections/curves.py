"""The section on ordered axes: curves over an amount, and what more of it would bring."""

from collections.abc import Mapping
from pathlib import Path

from tuning.matrix.report.context import MatrixContext
from tuning.matrix.report.curves import describe_more
from tuning.page.html import Block, Image, Section, Text

ABOUT = (
    "A curve a \N{MINUS SIGN} b · n⁻ᶜ with a plateau of at most 1 is fitted to the levels' scores by least squares. Its 95 % band is over joint draws of "
    "the levels' scores: what their blocks share moves all levels together. Beyond the largest amount (dotted) it "
    "assumes that the curve goes on as it began."
)
CAPTION = "Test AP over {unit}: mean over seeds with its 95 % interval by itself, over blocks of test tiles and over seeds{more}."


def build_curves_section(context: MatrixContext, figures: Mapping[str, Path]) -> Section | None:
    """Build the section on learning curves; None without an ordered axis of three levels."""
    if not context.curves:
        return None
    blocks: list[Block] = []
    if any(points.curve for one in context.curves for points in one.models.values()):
        blocks.append(Text(ABOUT))
    for one in context.curves:
        told = [describe_more(title, points, one.unit) for title, points in one.models.items()]
        blocks += [Text(sentence) for sentence in (*one.notes, *told) if sentence]
        fitted = any(points.curve for points in one.models.values())
        more = ", and the fitted curve with its band" if fitted else ""
        if figure := figures.get(f"curve_{one.axis.name}"):
            blocks.append(Image(figure, CAPTION.format(unit=one.unit, more=more)))
    return Section("Score over amount", blocks)
