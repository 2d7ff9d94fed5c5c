"""How many tiles each cell trains, validates and tests on, from the positions of the tiles alone: nothing is packed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.splits import PARTS, list_folds, make_split, shrink_train
from data.splits.leakage import FolderSurvey, survey_folder
from tuning.campaign.find_tiles import pick_campaign_tiles, survey_twin
from tuning.settings.presets import get_preset
from tuning.settings.settings import PACKS, TWIN, Settings


@dataclass(frozen=True)
class FoldSize:
    """Tiles of one fold.

    Attributes:
        train: Tiles that are trained on.
        val: Tiles that choose epoch and threshold.
        test: Tiles that measure.
    """

    train: int
    val: int
    test: int


@dataclass(frozen=True)
class CellSize:
    """Tiles of a cell.

    Attributes:
        tiles: All that it packs.
        folds: Those of each fold.
    """

    tiles: int
    folds: tuple[FoldSize, ...]


class TileCounter:
    """Counts the tiles of cells; a folder is read once.

    Args:
        store: Folder that holds splits from files below ``packs``.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._surveys: dict[tuple[str, tuple[str, ...], tuple[str, ...]], FolderSurvey] = {}

    def count(self, settings: Settings) -> CellSize:
        """Count the tiles of a cell.

        Raises:
            ValueError: If its tiles cannot be split, a part has no landslide, or the share of train leaves too few tiles.
            OSError: If the tiles cannot be read.
        """
        preset, found = get_preset(settings.preset), self._survey(settings)
        picked = pick_campaign_tiles(self._store, settings, preset, lambda: found)
        known = found.tiles
        tiles = known if picked is None else {one: known[one] for one in picked if one in known}
        if not tiles:
            raise ValueError(f"A cell needs tiles, but none of {settings.data} can be used.")
        folds = []
        for name in list_folds(settings.split, settings.regions):
            split = make_split(name, tiles, self._store / PACKS)
            split = shrink_train(split, tiles, settings.train_share, preset.batch_size)
            for part in PARTS:
                if not any(tiles[one].annotated_px for one in split.part(part)):
                    raise ValueError(
                        f"Train, val and test each need a landslide pixel, but the {len(split.part(part))} {part} tiles of split "
                        f"{name!r} have none. Choose another split or add tiles."
                    )
            folds.append(FoldSize(*(len(split.part(part)) for part in ("train", "val", "test"))))
        return CellSize(len(tiles), tuple(folds))

    def _survey(self, settings: Settings) -> FolderSurvey:
        key = (settings.data, settings.regions, settings.packed)
        if key not in self._surveys:
            self._surveys[key] = (
                FolderSurvey(survey_twin(settings.regions))
                if settings.data == TWIN
                else survey_folder(
                    Path(settings.data), settings.regions, modalities=settings.packed
                )
            )
        return self._surveys[key]


def count_all(
    cells: Sequence[Settings], counter: TileCounter
) -> tuple[dict[str, CellSize], dict[str, str]]:
    """Count the tiles of all cells; return them by campaign, and what is wrong with the other cells, by their places."""
    sizes: dict[str, CellSize] = {}
    errors: dict[str, str] = {}
    for one in cells:
        try:
            sizes[one.campaign] = counter.count(one)
        except (ValueError, OSError) as error:
            errors["; ".join(one.places)] = str(error)
    return sizes, errors
