import numpy as np
import pytest
import torch

from data.pack.augment.cuts import UNCUT, cut_series, forget_cut_days
from data.pack.augmentation import (
    NO_AUGMENT,
    Augment,
    apply_augment,
    draw_params,
    make_augment,
    parse_augment,
)
from data.pack.normalisation import Normalisation

NORM = Normalisation(("s1asc:VV", "s1asc:VH", "DEM"), (-9.0, -15.0, 200.0), (4.0, 2.0, 100.0))
TURN = Augment(turn=1)


def augment_batch(
    x: torch.Tensor, mask: torch.Tensor, augment: Augment
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    params = draw_params(len(mask), mask.shape[1], augment, generator)
    first_after = torch.full((len(x), x.shape[2]), x.shape[1])
    days = torch.zeros(x.shape[:3])
    return apply_augment(x, mask, days, augment, NORM, params, first_after)[:2]


def numbered(batch: int, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tiles whose pixels are numbered, as input and as mask."""
    mask = torch.arange(side * side).view(1, side, side).repeat(batch, 1, 1)
    return mask[:, None, None].repeat(1, 2, 3, 1, 1).float(), mask


def test_flips_and_rotations_move_mask_and_input_alike() -> None:
    x, mask = numbered(200, 4)
    turned, moved = augment_batch(x.clone(), mask, TURN)
    assert torch.equal(turned[:, 1, 2], moved.float())
    assert torch.equal(x, numbered(200, 4)[0])


def test_flips_and_rotations_are_the_eight_symmetries_of_a_square() -> None:
    x, mask = numbered(200, 4)
    _, moved = augment_batch(x, mask, TURN)
    found = {tuple(layer.flatten().tolist()) for layer in moved}
    whole = mask[0].numpy()
    expected = {
        tuple(np.rot90(layer, quarter).flatten().tolist())
        for layer in (whole, np.fliplr(whole))
        for quarter in range(4)
    }
    assert found == expected


def test_crop_is_a_window_of_its_tile() -> None:
    x, mask = numbered(50, 64)
    cut, moved = augment_batch(x, mask, Augment(turn=0, crop=32))
    assert cut.shape == (50, 2, 3, 32, 32)
    assert torch.equal(cut[:, 0, 0], moved.float())
    corners = moved[:, 0, 0]
    rows, columns = corners // 64, corners % 64
    assert len(set(corners.tolist())) > 30
    assert (moved[:, -1, -1] == (rows + 31) * 64 + columns + 31).all()


def test_speckle_and_jitter_are_in_db_and_do_not_change_the_height() -> None:
    x = torch.zeros(20, 5, 3, 64, 64)
    noisy, _ = augment_batch(x.clone(), torch.zeros(20, 64, 64), Augment(turn=0, speckle=2.0))
    spread = noisy.std((0, 1, 3, 4)) * torch.tensor(NORM.std)  # back to dB
    assert spread[:2] == pytest.approx([2.0, 2.0], rel=0.02)
    assert not noisy[:, :, 2].any()
    shifted, _ = augment_batch(x.clone(), torch.zeros(20, 64, 64), Augment(turn=0, jitter=1.0))
    images = shifted.flatten(3)
    assert torch.equal(images.amin(-1), images.amax(-1))  # one offset per image
    assert (images[..., 0].std((0, 1)) * torch.tensor(NORM.std))[:2] == pytest.approx(
        [1.0, 1.0], rel=0.25
    )


def test_dropped_acquisition_is_the_mean_in_all_channels() -> None:
    x, mask = torch.ones(200, 4, 3, 2, 2), torch.zeros(200, 2, 2)
    kept, _ = augment_batch(x, mask, Augment(turn=0, drop=0.9))
    steps = kept.flatten(2)
    assert torch.equal(steps.amin(-1), steps.amax(-1))
    assert steps.amax(-1).any(1).all()  # no tile loses all acquisitions
    # Each of four dates is kept with 0.1, and the last one if no other is: 0.1 + 0.9^4 / 4 = 0.264
    assert float(steps[..., 0].mean()) == pytest.approx(0.264, abs=0.04)


def test_no_augmentation_returns_the_batch_itself() -> None:
    x, mask = numbered(3, 8)
    same, label = augment_batch(x, mask, NO_AUGMENT)
    assert same is x
    assert label is mask


def test_words_are_parsed_as_an_augmentation() -> None:
    assert parse_augment(["turn"]) == Augment()
    assert parse_augment(["none"]) == NO_AUGMENT
    assert parse_augment(["crop=96", "jitter=0.5"]) == Augment(turn=0, crop=96, jitter=0.5)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("jiter=1", r"Unknown augmentation 'jiter'\. Did you mean 'jitter'\?"),
        ("speckle=loud", r"needs a number, such as speckle=0\.5, but got 'speckle=loud'"),
        ("drop=1.0", r"drop must be from 0 to 0\.9, but got 1\.0"),
        ("crop=256", r"crop must be from 0 to 128, but got 256"),
        ("crop=50", r"crop must be a multiple of 32 px, but got 50"),
    ],
)
def test_bad_words_are_refused(word: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_augment([word])


def test_config_values_are_checked() -> None:
    assert make_augment({"turn": 1, "drop": 0.1}) == Augment(drop=0.1)
    with pytest.raises(ValueError, match=r"turn must be from 0 to 1, but got 2"):
        make_augment({"turn": 2})


def test_cut_series_keeps_its_first_images_after_the_event_and_repeats_the_last_one() -> None:
    x = torch.arange(6.0)[None, :, None, None, None].repeat(4, 1, 3, 1, 1)
    first_after = torch.tensor([2, 3, 6]).repeat(4, 1)  # of the two orbits, and of a map
    cuts = torch.tensor([0, UNCUT // 2, UNCUT - 1, UNCUT])
    kept = cut_series(x, first_after, cuts)[..., 0, 0]
    early = [[0, 1, 2, 2, 2, 2], [0, 1, 2, 3, 3, 3], [0, 1, 2, 3, 4, 4], [0, 1, 2, 3, 4, 5]]
    assert kept[:, :, 0].tolist() == early
    assert kept[:, :, 1].tolist()[:2] == [[0, 1, 2, 3, 3, 3], [0, 1, 2, 3, 4, 4]]
    assert torch.equal(kept[:, :, 2], x[:, :, 2, 0, 0])


def test_days_of_images_that_a_cut_replaces_are_unknown() -> None:
    days = torch.tensor([-8.0, 4, 16, 28])[None, :, None].repeat(1, 1, 2)
    first_after, cuts = torch.tensor([[1, 2]]), torch.tensor([0])
    cut = forget_cut_days(days, first_after, cuts)
    kept = torch.where(cut.isnan(), 0.0, cut)
    assert kept[0].T.tolist() == [[-8, 4, 0, 0], [-8, 4, 16, 0]]
    assert torch.equal(forget_cut_days(days, first_after, torch.tensor([UNCUT])), days)


def test_days_of_dropped_acquisitions_are_unknown() -> None:
    x, augment = torch.ones(50, 4, 3, 2, 2), Augment(turn=0, drop=0.5)
    params = draw_params(50, 2, augment, torch.Generator().manual_seed(0))
    mask, first_after = torch.zeros(50, 2, 2, dtype=torch.uint8), torch.full((50, 3), 4)
    dropped, _, days = apply_augment(
        x, mask, torch.zeros(50, 4, 3), augment, NORM, params, first_after
    )
    assert torch.equal(days.isnan(), (dropped == 0).all(dim=(3, 4)))
    assert 0.4 < days.isnan().double().mean() < 0.6


def test_series_without_images_after_the_event_is_never_cut() -> None:
    x = torch.randn(2, 3, 1, 2, 2)
    assert torch.equal(cut_series(x, torch.full((2, 1), 3), torch.zeros(2, dtype=torch.int64)), x)


def test_cuts_are_drawn_for_their_share_of_the_tiles_at_every_place_alike() -> None:
    generator = torch.Generator().manual_seed(0)
    cuts = draw_params(4000, 4, Augment(cut=0.5), generator).cuts
    assert 0.45 < float((cuts < UNCUT).double().mean()) < 0.55
    places = torch.bincount(cuts[cuts < UNCUT] * 6 // UNCUT)
    assert len(places) == 6
    assert places.min() > 0.8 * places.max()


def test_training_without_cuts_draws_the_same_numbers_as_before() -> None:
    plain, cut = (
        draw_params(8, 64, Augment(crop=32, cut=share), torch.Generator().manual_seed(3))
        for share in (0.0, 0.5)
    )
    assert torch.equal(plain.symmetries, cut.symmetries)
    assert torch.equal(plain.corners, cut.corners)
    assert plain.cuts.tolist() == [UNCUT] * 8
