"""Sources of the data and the models as BibTeX entries: what a paper that shows them cites.

Authors, titles and identifiers are those that the modules of the networks and baselines name in their docstrings; a test
holds both against each other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tuning.report.paper.bibtex import Entry

DATA_SET = "hoehn2025sen12landslides"
STUDY = "snfatih-hokkaido"


@dataclass(frozen=True)
class Source:
    """One publication.

    Attributes:
        author: As BibTeX writes it, ``Family, Given and Family, Given``; ``and others`` for those not named.
        title: Its title.
        year: Its year; None if it has no date.
        doi, arxiv: Its identifier; one of them, or neither.
        venue: Journal or conference, if known.
        note: What else identifies it, such as a repository and its commit.
    """

    author: str
    title: str
    year: int | None = None
    doi: str = ""
    arxiv: str = ""
    venue: str = ""
    note: str = ""


SOURCES: Mapping[str, Source] = {
    DATA_SET: Source(
        "Höhn, Paul and others",
        "Sen12Landslides: A Spatio-Temporal Dataset for Satellite-Based Landslide Detection",
        2025,
        doi="10.1038/s41597-025-06167-2",
        venue="Scientific Data",
        note="CC BY 4.0; data: https://huggingface.co/datasets/paulhoehn/Sen12Landslides",
    ),
    STUDY: Source(
        "{snfatih}",
        "SEN12Landslide-Hokkaido-SAR",
        note="https://github.com/snfatih/SEN12Landslide-Hokkaido-SAR, commit faba61f",
    ),
    "ronneberger2015unet": Source(
        "Ronneberger, Olaf and Fischer, Philipp and Brox, Thomas",
        "U-Net: Convolutional Networks for Biomedical Image Segmentation",
        2015,
        doi="10.1007/978-3-319-24574-4_28",
        venue="MICCAI",
    ),
    "oktay2018attention": Source(
        "Oktay, Ozan and others",
        "Attention U-Net: Learning Where to Look for the Pancreas",
        2018,
        arxiv="1804.03999",
    ),
    "shi2015convlstm": Source(
        "Shi, Xingjian and others",
        "Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting",
        2015,
        arxiv="1506.04214",
    ),
    "garnot2021panoptic": Source(
        "Garnot, Vivien Sainte Fare and Landrieu, Loic",
        "Panoptic Segmentation of Satellite Image Time Series with Convolutional Temporal Attention Networks",
        2021,
        arxiv="2107.07933",
    ),
    "cicek2016unet3d": Source(
        "Çiçek, Özgün and others",
        "3D U-Net: Learning Dense Volumetric Segmentation from Sparse Annotation",
        2016,
        arxiv="1606.06650",
    ),
    "rustowicz2019crop": Source(
        "Rustowicz, Rose and others",
        "Semantic Segmentation of Crop Type in Africa: A Novel Dataset and Analysis of Deep Learning Methods",
        2019,
        venue="CVPR workshops",
    ),
    "ballas2016delving": Source(
        "Ballas, Nicolas and others",
        "Delving Deeper into Convolutional Networks for Learning Video Representations",
        2016,
        arxiv="1511.06432",
    ),
    "russwurm2018sequential": Source(
        "Rußwurm, Marc and Körner, Marco",
        "Multi-Temporal Land Cover Classification with Sequential Recurrent Encoders",
        2018,
        arxiv="1802.02080",
    ),
    "cooijmans2017recurrent": Source(
        "Cooijmans, Tim and others", "Recurrent Batch Normalization", 2017, arxiv="1603.09025"
    ),
    "daudt2018siamese": Source(
        "Daudt, Rodrigo Caye and Le Saux, Bertrand and Boulch, Alexandre",
        "Fully Convolutional Siamese Networks for Change Detection",
        2018,
        arxiv="1810.08462",
    ),
    "handwerger2022heatmaps": Source(
        "Handwerger, Alexander L. and others",
        "Generating landslide density heatmaps for rapid detection using open-access satellite radar data in Google Earth Engine",
        2022,
        doi="10.5194/nhess-22-753-2022",
    ),
    "ruizramos2020cusum": Source(
        "Ruiz-Ramos, Javier and others",
        "Continuous Forest Monitoring Using Cumulative Sums of Sentinel-1 Timeseries",
        2020,
        doi="10.3390/rs12183061",
    ),
    "rignot1993change": Source(
        "Rignot, Eric J. M. and van Zyl, Jakob J.",
        "Change detection techniques for ERS-1 SAR data",
        1993,
        doi="10.1109/36.239913",
    ),
    "hardimanmostow2025dist": Source(
        "Hardiman-Mostow, Harris and Marshak, Charles and Handwerger, Alexander L.",
        "Deep Self-Supervised Disturbance Mapping with the OPERA Sentinel-1 Radiometric Terrain Corrected SAR Backscatter Product",
        2025,
        arxiv="2501.09129",
    ),
}
# What each network and baseline is from, by key; others are this project's own or standard methods.
CITED: Mapping[str, tuple[str, ...]] = {
    "unet": ("ronneberger2015unet", STUDY),
    "attention_unet": ("oktay2018attention", STUDY),
    "unet_convlstm": ("shi2015convlstm", "ronneberger2015unet", STUDY),
    "utae": ("garnot2021panoptic",),
    "utae_dates": ("garnot2021panoptic",),
    "unet3d": ("cicek2016unet3d", "rustowicz2019crop"),
    "convgru": ("ballas2016delving", "russwurm2018sequential"),
    "fcn_convlstm": ("rustowicz2019crop", "shi2015convlstm", "cooijmans2017recurrent"),
    "siamese_diff": ("daudt2018siamese",),
    "unet_ltae": ("garnot2021panoptic", "daudt2018siamese", "ronneberger2015unet"),
    "stacked_log_ratio": ("handwerger2022heatmaps",),
    "cusum": ("ruizramos2020cusum",),
    "mahalanobis": ("rignot1993change",),
    "dist_s1": ("hardimanmostow2025dist",),
}


def list_sources(models: Iterable[str]) -> list[Entry]:
    """Return the entries of the data set and of the models, each once.

    Args:
        models: Keys of the models, in order.
    """
    keys = [DATA_SET, *(key for model in models for key in CITED.get(model, ()))]
    return [make_entry(key, SOURCES[key]) for key in dict.fromkeys(keys)]


def make_entry(key: str, source: Source) -> Entry:
    """Return the BibTeX entry of a source."""
    fields = {"author": source.author, "title": source.title}
    if source.year:
        fields["year"] = str(source.year)
    if source.arxiv:
        fields |= {"eprint": source.arxiv, "archiveprefix": "arXiv"}
    more = {"doi": source.doi, "journal": source.venue, "note": source.note}
    if source.venue and source.venue != "Scientific Data":
        more = {"doi": source.doi, "booktitle": source.venue, "note": source.note}
    kind = "article" if "journal" in more and source.venue else "misc"
    kind = "inproceedings" if "booktitle" in more else kind
    return Entry(kind, key, fields | {name: text for name, text in more.items() if text})
