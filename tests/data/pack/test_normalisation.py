import json
from dataclasses import replace

import numpy as np
import pytest

from data.pack import Pack
from data.pack.channels import SAR_CHANNELS
from data.pack.normalisation import PUBLISHED, make_normalisation, save_normalisation
from data.splits import Split


def test_norm_is_measured_on_train_only(pack: Pack, split: Split) -> None:
    norm = make_normalisation("train", pack, split.train, SAR_CHANNELS)
    rows = pack.rows(split.train)
    layers = np.concatenate([pack.bands[m][rows] for m in pack.bands], axis=2).astype(np.float64)
    assert norm.mean == pytest.approx(layers.mean((0, 1, 3, 4)))
    assert norm.std == pytest.approx(layers.std((0, 1, 3, 4)))
    other = make_normalisation("train", pack, split.test, SAR_CHANNELS)
    assert norm.mean != pytest.approx(other.mean, abs=1e-6)


def test_height_and_slope_have_a_norm(pack: Pack, split: Split) -> None:
    norm = make_normalisation("train", pack, split.train, ("s1asc:VV", "DEM", "slope"))
    rows = pack.rows(split.train)
    assert norm.mean[1] == pytest.approx(pack.dem[rows].mean())
    assert norm.std[2] == pytest.approx(pack.slope[rows].astype(np.float64).std(), rel=1e-3)


def test_published_norm_has_the_data_set_s_values(pack: Pack, split: Split) -> None:
    norm = make_normalisation("published", pack, split.train, ("s1asc:VV", "DEM"))
    assert (norm.kind, norm.mean, norm.std) == ("published", (-9.1787, 767.52), (3.5571, 646.22))
    assert len(PUBLISHED) == 4 + 10 + 1


def test_published_norm_names_missing_channels(pack: Pack, split: Split) -> None:
    with pytest.raises(ValueError, match=r"published norm covers .* but got slope\. Omit these"):
        make_normalisation("published", pack, split.train, ("s1asc:VV", "slope"))


def test_norm_refuses_a_constant_channel(pack: Pack, split: Split) -> None:
    flat = pack.moments.copy()
    flat[:, 1] = [10.0, -100.0, 1000.0]  # ten pixels of -10 dB: no variance
    for kind in ("train", "published"):
        with pytest.raises(
            ValueError, match=r"must vary over the train tiles, but s1asc:VH has .* 0\.0000"
        ):
            make_normalisation(kind, replace(pack, moments=flat), split.train, SAR_CHANNELS)


def test_norm_refuses_unknown_names(pack: Pack, split: Split) -> None:
    with pytest.raises(ValueError, match=r"Unknown channel 's1asc:VX'\. Did you mean 's1asc:V"):
        make_normalisation("train", pack, split.train, ["s1asc:VX"])
    with pytest.raises(ValueError, match=r"Unknown norm 'trian'\. Did you mean 'train'\?"):
        make_normalisation("trian", pack, split.train, SAR_CHANNELS)


def test_norm_refuses_channels_out_of_order(pack: Pack, split: Split) -> None:
    with pytest.raises(
        ValueError, match=r"must be unique and in the order .* but got s1asc:VH, s1asc:VV"
    ):
        make_normalisation("train", pack, split.train, ["s1asc:VH", "s1asc:VV"])


def test_norm_is_written_beside_the_manifest(pack: Pack, split: Split) -> None:
    norm = make_normalisation("train", pack, split.train, SAR_CHANNELS)
    save_normalisation(pack, split, norm)
    kept = json.loads((pack.path / f"norm-train-{split.hash}.json").read_text())
    assert kept["mean"] == list(norm.mean)
    assert (kept["split"], kept["channels"]) == ("blocks", list(SAR_CHANNELS))
