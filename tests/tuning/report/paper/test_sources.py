"""Sources of networks and baselines: what an entry cites, the module of its model names too."""

import importlib

import pytest

from models import get_architecture, list_models
from tuning.baselines.baselines import BASELINES
from tuning.report.paper.sources import CITED, DATA_SET, SOURCES, STUDY, list_sources

MODULES = {
    "stacked_log_ratio": "tuning.baselines.stacked",
    "cusum": "tuning.baselines.cusum",
    "mahalanobis": "tuning.baselines.deviation.mahalanobis",
    "dist_s1": "tuning.baselines.deviation.dist_s1",
}


@pytest.mark.parametrize("key", sorted(CITED))
def test_a_model_s_module_names_every_source_that_is_cited_for_it(key: str) -> None:
    words = " ".join(
        (importlib.import_module(MODULES.get(key, f"models.{key}")).__doc__ or "").split()
    )
    for name in CITED[key]:
        source = SOURCES[name]
        identifier = source.doi or source.arxiv or source.title
        assert identifier in words, (key, name)
        if source.year and name != STUDY:
            assert str(source.year) in words


def test_every_network_of_the_project_and_no_unknown_model_is_cited() -> None:
    own = {name for name in list_models() if not get_architecture(name).is_outside}
    assert own - set(CITED) == set()
    assert set(CITED) - own <= set(BASELINES)


def test_each_source_is_listed_once_after_the_data_set() -> None:
    keys = [entry.key for entry in list_sources(["unet", "unet_convlstm", "log_ratio_vv"])]
    assert keys == [DATA_SET, "ronneberger2015unet", STUDY, "shi2015convlstm"]


def test_an_article_has_its_journal_and_a_preprint_its_archive() -> None:
    data, preprint = list_sources(["attention_unet"])[:2]
    assert (data.kind, data.fields["journal"]) == ("article", "Scientific Data")
    assert (preprint.kind, preprint.fields["archiveprefix"]) == ("misc", "arXiv")
