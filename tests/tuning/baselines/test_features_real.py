"""Features of the real tile, with values measured on it: one tile, so hold them loosely."""

import numpy as np
import pytest

from data.pack import Pack, make_pack
from data.pack.channels import SAR_CHANNELS, select_steps
from data.pack.log_ratio import describe_pairs
from data.tiles import ORBITS
from tests.support.hand_packs import read_all
from tests.support.real_tiles import REAL_ID, REAL_TILES
from tuning.baselines.features import make_features, name_features


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """The pack of the real tile."""
    return make_pack(REAL_TILES, tmp_path_factory.mktemp("packs"), workers=1)


def measure(pack: Pack) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return each feature by name, shape ``(H, W)``, and where landslides are."""
    values = make_features(read_all(pack), REAL_ID)
    names = name_features(SAR_CHANNELS)
    return {name: values[..., i] for i, name in enumerate(names)}, pack.mask[0] == 1


def test_the_real_pack_has_the_event_and_the_findings_of_its_files(real: Pack) -> None:
    assert (real.tile_ids, real.modalities, real.synthetic) == ((REAL_ID,), ORBITS, False)
    assert real.events.tolist() == np.array(["2023-05-16T23:59:59"], "M8[s]").tolist()
    assert real.suspicious[REAL_ID][0].startswith("Dates span 2 tracks of 8 and 7 acquisitions")
    assert describe_pairs(real) == (
        "Dates span several tracks in 1 of 2 series of Sentinel-1. Acquisitions around the event and "
        "bi-temporal baselines compare one track in 1 of them."
    )


def test_noise_between_two_real_dates_is_that_of_the_published_files(real: Pack) -> None:
    features, _ = measure(real)
    spread = [float(features[f"s1asc:{band} pair"].std()) for band in ("VV", "VH")]
    assert spread == pytest.approx([2.65, 3.00], abs=0.02)  # dB between 11 and 23 May
    over_time = [real.bands[orbit][0, :, 0].astype(float).std(axis=0).mean() for orbit in ORBITS]
    assert over_time == pytest.approx([2.01, 2.16], abs=0.02)


def test_real_landslides_darken_vh_and_leave_vv_as_it_was(real: Pack) -> None:
    features, slides = measure(real)
    rise = [float(features[f"s1asc:{band} change"][slides].mean()) for band in ("VV", "VH")]
    assert rise == pytest.approx([0.0, -0.69], abs=0.03)


def test_the_real_descending_pair_is_of_one_track(real: Pack) -> None:
    features, _ = measure(real)
    steps = select_steps(real.times, "event", 2, real.events, real.modalities, real.regions)
    assert steps.tolist() == [[[9, 10], [7, 10]]]
    values = real.bands["s1dsc"][0, :, 0].astype(np.float32)
    np.testing.assert_array_equal(features["s1dsc:VV pair"], values[10] - values[7])
