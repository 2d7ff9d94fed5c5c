"""The texts of a bundle for its finder: what it is, how to verify it, and under which licences it may be used."""

from collections.abc import Mapping

from tuning.own_packages import HOME

README, LICENCES, ATTRIBUTION = "README.txt", "LICENCES.txt", "ATTRIBUTION.md"
DOI = "10.1038/s41597-025-06167-2"
APACHE = "https://www.apache.org/licenses/LICENSE-2.0"
CC_BY = "https://creativecommons.org/licenses/by/4.0/"
CITATION = f"Höhn et al. (2025), Sen12Landslides, Scientific Data, https://doi.org/{DOI}, licence CC BY 4.0"
_README = """Results of the landslide benchmark, campaign {name}
{underline}

This file holds what is needed to recompute a comparison of landslide segmentation models on Sentinel-1 time series: scores,
intervals, places and verdicts. It holds no image, no label, no map and no network.

Data: {origin}.
Code: version {version}, commit {commit}.

Verify it, with an installation of the landslide benchmark (numpy, scipy and pandas are enough; no GPU, no tiles, no network):

    python -m tuning.verify FILE.zip

It checks the SHA-256 of every file and that all counts agree with each other, recomputes the tables from the counts, and names
each number that differs from the tables in tables/.

What it proves: the tables follow from the counts, and the counts agree with the labels' numbers of landslide pixels. What it
cannot prove: that the maps behind the counts were made as their runs say, by models that did not see the test tiles, and
that the labels are those of the data set. Who has the tiles can compare the SHA-256 of each label (its rows from north to
south, a byte a pixel, 1 for landslide).

Files
-----
manifest.json    version of the format; size and SHA-256 of every other file
metadata.json    the same files for machines, in Croissant (https://docs.mlcommons.org/croissant)
campaign.json    campaign, splits with their tile ids, test tiles, models and runs: tags, params, metrics
runs/NNNN.npz    counts of one run (numpy, read with allow_pickle=False)
tables/*.csv     the report's tables; search_trials.csv has the hyperparameter searches
LICENCES.txt, ATTRIBUTION.md

A file of runs/ holds, of N test tiles in the order of campaign.json:
  tile_cells (N,)              filled cells of each tile's histogram of 2 x 4,096 cells: background by ascending probability, then
                               landslide
  cell_steps, cell_pixels (K,) steps from each filled cell to the next, the first of each tile from -1, and their pixels
  counts_steps, counts_pixels  the same for all test pixels together, 2 x 65,025 cells
  val_steps, val_pixels        the same for val, at the epoch whose weights were kept
  truth_steps, truth_pixels    landslide pixels of the true ground, 65,025 cells; only for synthetic tiles
  at_half, at_val (N, 4)       tp, fp, fn, tn at 0.5 and at the threshold of val
  objects (N, 29)              landslides as objects: tuning/objects/object_scores.py
  boundary (N, 4)              boundary pixels: tuning/objects/boundary.py
"""
_LICENCES = """Results in this file: {cc_by} (CC BY 4.0).

They are derived from
  {citation}{synthetic}
Give the credit in ATTRIBUTION.md when you use them.

Code that made and verifies them, the landslide benchmark: Apache License 2.0, {apache}
"""
_SYNTHETIC = "\nThe tiles of this campaign are synthetic: a twin made from positions and landslide pixels of these data."


def make_texts(name: str, provenance: Mapping[str, str]) -> dict[str, bytes]:
    """Return the texts of a bundle by file name."""
    origin = f"{provenance['data']} tiles of {provenance['regions']}"
    readme = _README.format(
        name=name,
        underline="=" * (45 + len(name)),
        origin=origin,
        version=provenance["version"],
        commit=provenance["commit"],
    )
    synthetic = _SYNTHETIC if provenance["data"] == "synthetic" else ""
    licences = _LICENCES.format(cc_by=CC_BY, citation=CITATION, apache=APACHE, synthetic=synthetic)
    attribution = (HOME / "data" / ATTRIBUTION).read_bytes()
    return {README: readme.encode(), LICENCES: licences.encode(), ATTRIBUTION: attribution}
