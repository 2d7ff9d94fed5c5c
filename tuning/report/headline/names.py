"""Names of models as a sentence has them: ``the U-Net`` for ``VanillaUNet``."""

from collections.abc import Sequence

WORDS = {
    "VanillaUNet": "the U-Net",
    "AttentionUNet": "the Attention U-Net",
    "TemporalUNet_ConvLSTM": "the ConvLSTM U-Net",
    "UNet3D": "the 3D U-Net",
    "UNetLTAE": "the U-Net with L-TAE",
    "U-ConvLSTM": "the U-ConvLSTM",
    "ConvGRU": "the ConvGRU",
    "UTAE": "the U-TAE",
    "UTAE_dates": "the U-TAE with dates",
    "LogRatioVV": "the VV log-ratio",
    "LogRatioVH": "the VH log-ratio",
    "LogRatioVV_asc": "the ascending VV log-ratio",
    "LogRatioVV_dsc": "the descending VV log-ratio",
    "LogRatioVH_asc": "the ascending VH log-ratio",
    "LogRatioVH_dsc": "the descending VH log-ratio",
    "BiLogRatioVV": "the VV log-ratio of two dates",
    "BiLogRatioVH": "the VH log-ratio of two dates",
    "StackedLogRatio": "the stacked log-ratio",
    "Mahalanobis": "the Mahalanobis distance",
    "DistS1": "DIST-S1",
    "LogisticRegression": "logistic regression",
    "GradientBoosting": "boosted trees",
    "GradientBoostingWindows": "boosted trees with windows",
    "TileMeansAndDates": "the probe of tile means and dates",
}
_PLURAL = frozenset({"boosted trees", "boosted trees with windows"})


def name_in_words(title: str) -> str:
    """Return a model's name in a sentence; a network that the project does not know keeps its title."""
    return WORDS.get(title, title)


def join_names(names: Sequence[str], last: str = "and") -> str:
    """Join names as in a sentence: ``A``, ``A and B``, ``A, B and C``."""
    *first, final = names
    return f"{', '.join(first)} {last} {final}" if first else final


def name_models(titles: Sequence[str], last: str = "and") -> str:
    """Return the names of models in words, joined."""
    return join_names([name_in_words(title) for title in titles], last)


def be(titles: Sequence[str]) -> str:
    """Return the verb that follows the names of models: ``is`` or ``are``."""
    return "are" if len(titles) > 1 or name_in_words(titles[0]) in _PLURAL else "is"


def capitalise(sentence: str) -> str:
    """Return a sentence with its first letter in upper case."""
    return sentence[:1].upper() + sentence[1:]
