"""The section with example test tiles, each with its id and its scores."""

from dataclasses import dataclass
from math import isnan
from pathlib import Path

from tuning.metrics.scores import Confusion, score_confusion
from tuning.metrics.tile_sums import pooled_ap
from tuning.page.html import Gallery, Image, Section, Text
from tuning.report.context import ReportContext
from tuning.report.reference_layers import ReferenceLayers
from tuning.report.results import ModelResult
from tuning.train.evaluate import pick_examples

EXAMPLES = 4  # per network on the page; its folder has more
ABOUT = (
    "Each picture has the change of VV over the event, the label, the probability, and what is found at the threshold chosen on val: "
    "hits white, false alarms orange, misses dark blue. Shown are the test tiles{where} with most landslide pixels and one tile "
    "without a landslide, as the run maps them that is best on val. Scores are of that tile and that run alone, those of the "
    "tables are means over seeds."
)


@dataclass(frozen=True)
class Example:
    """A test tile and how a run maps it.

    Attributes:
        tile_id: The tile.
        f1: At the threshold chosen on val; NaN without a labelled and a found landslide.
        average_precision: NaN without a landslide.
        landslide_px: Labelled landslide pixels.
        found_px: Pixels called landslide.
    """

    tile_id: str
    f1: float
    average_precision: float
    landslide_px: int
    found_px: int

    def describe(self) -> str:
        """Return the tile with its scores, or with what is found where there is no landslide."""
        if isnan(self.average_precision):
            return f"{self.tile_id}: no landslide, {self.found_px:,} px found"
        return f"{self.tile_id}: F1 {self.f1:.3f}, AP {self.average_precision:.3f}, {self.landslide_px:,} landslide px"


def list_examples(model: ModelResult, layers: ReferenceLayers) -> list[Example]:
    """Return the example tiles of a model's chosen run, most landslide pixels first; one tile for a baseline."""
    run = model.chosen
    landslide_px = layers.mask[layers.rows(run.tile_ids)].sum(axis=(1, 2))
    ids = pick_examples(run.tile_ids, landslide_px)[: 1 if model.is_baseline else None]
    rows = [run.tile_ids.index(tile) for tile in ids]
    scores = pooled_ap(run.tiles[rows]).tolist()
    cases = [Confusion(*map(int, counts)) for counts in run.at_val[rows]]
    return [
        Example(tile, score_confusion(case)["f1_dice"], ap, case.tp + case.fn, case.tp + case.fp)
        for tile, case, ap in zip(ids, cases, scores, strict=True)
    ]


def name_example(folder: Path, title: str, number: int) -> Path:
    """Return the file of a model's example tile."""
    return folder / f"{title}_qual_{number:02d}.png"


def build_examples_section(context: ReportContext) -> Section:
    """Build the section with example tiles of each network and of the best baseline."""
    models = [model for model in context.ranking.models if not model.is_foreign]
    networks = [model for model in models if not model.is_baseline]
    shown = [*networks, *[model for model in models if model.is_baseline][:1]]
    where = f" of the fold {shown[0].chosen.fold}" if len(shown[0].by_seed[0]) > 1 else ""
    galleries = [_show(model, context) for model in shown]
    return Section("Examples", [Text(ABOUT.format(where=where)), *galleries])


def _show(model: ModelResult, context: ReportContext) -> Gallery:
    folder = context.folder / "Figures" / model.title
    examples = list_examples(model, context.layers)[:EXAMPLES]
    images = [
        Image(
            name_example(folder, model.title, number),
            f"{model.title}, {example.describe()}",
            f"Change of VV, label, probability and errors of {model.title} on {example.describe()}",
        )
        for number, example in enumerate(examples)
    ]
    return Gallery(images, f"{model.title}, seed {model.chosen.seed}")
