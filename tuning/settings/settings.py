"""The settings of a campaign, checked before it starts."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.io.errors import unknown_name
from data.io.safe_json import check_safe_name
from data.pack.augmentation import make_augment
from data.pack.channels import choose_channels, list_modalities
from data.pack.normalisation import KINDS
from data.splits import WHOLE, check_splits, is_cross_validation
from data.tiles import MODALITIES, PIXEL_M, TILE_PX, Units
from data.tiles.regions import DEFAULT_REGION
from tuning.settings.cell import check_cell
from tuning.settings.initial import check_initial
from tuning.settings.presets import SEEDS, get_preset
from tuning.settings.regions import check_split_regions, check_tiles, read_events
from tuning.settings.window import check_acquisitions
from tuning.statistics.blocks import BLOCK_TILES
from tuning.statistics.family import MARGIN
from tuning.trial.losses import BCE_DICE
from tuning.trial.recipe import PUBLISHED, SEARCHED, check_recipe
from tuning.trial.variants import make_variant

TWIN = "twin"
TILE_M2 = float(TILE_PX * PIXEL_M) ** 2
SEARCHES = ("once", "per-fold")
LEGACY_SEARCH_SEED = 42  # of campaigns whose settings do not name it
PACKS = "packs"  # below the output folder; also holds the splits that came from files


@dataclass(frozen=True)
class Settings:
    """The settings of a campaign, saved as ``campaign.json``.

    Attributes:
        campaign: Name of the campaign.
        models: Architectures, by registry key.
        baselines: Baselines, by key.
        preset: Name of the preset.
        data: ``twin``, or the folder of the tiles.
        units: Unit of the tiles' backscatter; the one in the folder's manifest if None.
        split: Name of the split; the hash for a split from a file.
        channels: Channels of the input.
        steps: Choice of the acquisitions, one of ``data.pack.channels.STEPS``, or a window.
        timesteps: Number of acquisitions.
        norm: Source of the normalisation statistics: ``train`` or ``published``.
        augment: Values of :class:`data.pack.augmentation.Augment`.
        trials: Search trials per architecture.
        seeds: Repeat trials per architecture.
        regions: Names of the regions, sorted.
        events: Times of the regions' events that replace those of the files, by region.
        cpus_per_trial: Cores of one trial; an equal share if None.
        gpus_per_trial: Fraction of a GPU of one trial; if None, half a GPU on machines that have one.
        address: Address of the Ray cluster; a local one if None.
        hang_after: Minutes without an epoch after which a trial counts as hung.
        storage: Path or URI of the storage that all nodes share; the output folder if None.
        wait_for_nodes: Minutes to wait for a node that has the resources of a trial.
        stack_seeds: Seeds of a winner that one process trains at most, all if None; does not change any score.
        search: With several folds, search ``once``, on the first, or ``per-fold``.
        margin: Difference in average precision below which two models count as equivalent.
        block_tiles: Edge in tiles of the spatial blocks that are resampled.
        mmu: Minimum mapping unit of landslides as objects, in m2.
        search_seed: Seed of the search trials; saved, so that a resumed campaign finds its trials.
        recipe: ``searched`` hyperparameters, or the ``published`` ones, one trial of each network.
        allow_dates: Whether networks may read dates that tell annotated tiles from others.
        baseline_trials: Samples of each baseline's search, as many as *trials* if None; 1 takes the untuned values.
        loss: Name of the training loss.
        train_share: Share of the train tiles, ``1`` or such as ``scattered:0.25`` and ``compact:0.25``.
        label_noise: Errors made in train labels, the values other than 0 of ``tuning.objects.label_noise.LabelNoise``.
        replay: Whether test is also measured on each day after the event that brings an acquisition.
        networks: ``reference``, ``digest`` and ``title`` of each architecture from outside this project, by its key.
        window: The user's window of acquisitions, such as ``pre:all/post:2``; empty without one. *steps* and *timesteps* hold
            its numbers, once the tiles are counted (`tuning.campaign.window`).
        init: ``digest``, ``model``, ``origin`` and ``regions`` of the weights that trainings start from; empty for random ones.
        matrix: Name of the matrix that the campaign is a cell of; empty for none.
        places: Axis and level at which the cell stands, each as ``axis=level``.
        modalities: Modalities that are packed, so that all cells of a matrix share one pack; those of the channels if empty.
    """

    campaign: str
    models: tuple[str, ...]
    baselines: tuple[str, ...]
    preset: str
    data: str
    units: Units | None
    split: str
    channels: tuple[str, ...]
    steps: str
    timesteps: int
    norm: str
    augment: dict[str, Any]
    trials: int
    seeds: int
    regions: tuple[str, ...] = (DEFAULT_REGION,)
    events: dict[str, str] = field(default_factory=dict)
    cpus_per_trial: float | None = None
    gpus_per_trial: float | None = None
    address: str | None = None
    hang_after: float = 60.0
    storage: str | None = None
    wait_for_nodes: float = 0.0
    stack_seeds: int | None = 1
    search: str = "once"
    margin: float = MARGIN
    block_tiles: int = BLOCK_TILES
    mmu: float = 0.0
    search_seed: int = LEGACY_SEARCH_SEED
    baseline_trials: int | None = None
    networks: dict[str, dict[str, str]] = field(default_factory=dict)
    recipe: str = SEARCHED
    allow_dates: bool = False
    loss: str = BCE_DICE
    train_share: str = WHOLE
    label_noise: dict[str, Any] = field(default_factory=dict)
    window: str = ""
    init: dict[str, str] = field(default_factory=dict)
    replay: bool = False
    matrix: str = ""
    places: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()

    @property
    def packed(self) -> tuple[str, ...]:
        """The modalities that are packed."""
        return self.modalities or list_modalities(self.channels)


def list_variant(settings: Settings) -> dict[str, Any]:
    """Return the entries of a config for what a campaign trains with and measures; none for the usual."""
    return make_variant(
        settings.loss,
        settings.train_share,
        settings.label_noise,
        settings.init.get("digest", ""),
        replay=settings.replay,
    )


def check_settings(settings: Settings) -> None:
    """Check settings before the campaign writes anything.

    Raises:
        ValueError: If a name is unknown or a number out of range.
        FileNotFoundError: If the data folder is missing.
    """
    check_safe_name("campaign", settings.campaign)
    check_cell(settings.matrix, settings.places)
    get_preset(settings.preset)
    check_recipe(settings.recipe)
    if settings.recipe == PUBLISHED and settings.trials != 1:
        raise ValueError(
            f"--recipe {PUBLISHED} has one trial of each network, but got trials={settings.trials}. Leave --trials out."
        )
    check_splits(settings.split)
    _check_inputs(settings)
    check_initial(settings.init, settings.models)
    check_split_regions(settings.split, settings.regions)
    if settings.search not in SEARCHES:
        raise ValueError(unknown_name("search", settings.search, SEARCHES))
    if settings.search == "per-fold" and not is_cross_validation(settings.split):
        raise ValueError(
            f"--search per-fold needs a split with several folds, but got the split {settings.split!r}. Add --split "
            "blocks:5 or --split events, or leave --search out."
        )
    read_events(settings.events, settings.regions)
    for name, value, most in (
        ("trials", settings.trials, None),
        ("seeds", settings.seeds, len(SEEDS)),
        (
            "baseline-trials",
            1 if settings.baseline_trials is None else settings.baseline_trials,
            None,
        ),
        ("block-tiles", settings.block_tiles, None),
        ("stack-seeds", 1 if settings.stack_seeds is None else settings.stack_seeds, None),
    ):
        if value < 1 or (most is not None and value > most):
            limit = f"1 to {most}" if most else "1 or more"
            raise ValueError(f"--{name} must be {limit}, but got {value}.")
    for name, number, rule in (
        ("cpus-per-trial", settings.cpus_per_trial, "be more than 0"),
        ("gpus-per-trial", settings.gpus_per_trial, "not be negative"),
        ("hang-after", settings.hang_after, "be more than 0 minutes"),
        ("wait-for-nodes", settings.wait_for_nodes, "not be negative"),
        ("margin", settings.margin, "be more than 0"),
    ):
        if number is not None and (number < 0 or (number == 0 and "more" in rule)):
            raise ValueError(f"--{name} must {rule}, but got {number:g}.")
    if not 0 <= settings.mmu <= TILE_M2:
        raise ValueError(
            f"--mmu must be from 0 to {TILE_M2:,.0f} m2, the area of a tile, but got {settings.mmu:g}."
        )
    folder = None if settings.data == TWIN else Path(settings.data)
    check_tiles(folder, settings.packed, settings.regions)


def _check_inputs(settings: Settings) -> None:
    """Check channels, acquisitions, augmentation and normalisation."""
    choose_channels(settings.channels)
    _check_packed(settings)
    check_acquisitions(settings.window, settings.steps, settings.timesteps)
    make_augment(settings.augment)
    list_variant(settings)
    if settings.norm not in KINDS:
        raise ValueError(unknown_name("norm", settings.norm, KINDS))
    if settings.data == TWIN and "s2" in list_modalities(settings.channels):
        raise ValueError(
            "The synthetic twin has Sentinel-1 alone, but got a channel of Sentinel-2. Give real tiles "
            "with --data PATH (`python -m data.fetch --to PATH --s2`), or leave s2 out."
        )


def _check_packed(settings: Settings) -> None:
    """Check that what is packed has every modality of the channels."""
    for name in settings.modalities:
        if name not in MODALITIES:
            raise ValueError(unknown_name("modality", name, MODALITIES))
    lacking = set(list_modalities(settings.channels)) - {*settings.packed}
    if lacking:
        raise ValueError(
            f"The modalities of a campaign must hold those of its channels, but {', '.join(settings.packed)} lack "
            f"{', '.join(sorted(lacking))}. Begin a new campaign."
        )
