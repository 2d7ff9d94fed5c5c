"""Bins of probability are exact, and histograms of them add up."""

import numpy as np
import pytest
import torch

from tuning.metrics.histogram import BINS, count_bins, count_stored, edges, reach, to_bins


def draw(rng: np.random.Generator, size: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    probs = torch.from_numpy(rng.random(size, dtype=np.float32))
    return probs, torch.from_numpy((rng.random(size) < 0.1).astype(np.uint8))


# ---------------------------------------------------------------------------------------- the bins


def test_probability_reaches_an_edge_exactly_when_its_bin_does() -> None:
    at = edges().astype(np.float32)
    assert (at == edges()).all()  # float32 holds every edge
    below = np.nextafter(at[1:], np.float32(-1))
    assert (to_bins(torch.from_numpy(at)).numpy() >= np.arange(BINS)).all()
    assert (to_bins(torch.from_numpy(below)).numpy() < np.arange(1, BINS)).all()


def test_bins_never_fall_as_the_probability_rises(rng: np.random.Generator) -> None:
    bits = np.sort(rng.integers(0, np.float32(1).view(np.int32) + 1, 200_000, dtype=np.int32))
    assert (torch.diff(to_bins(torch.from_numpy(bits.view(np.float32)))) >= 0).all()


def test_bins_fit_into_two_bytes_and_span_the_probabilities() -> None:
    ends = to_bins(torch.tensor([0.0, 1e-45, 1.0]))
    assert ends.tolist() == [0, 0, BINS - 1]
    assert BINS <= 1 << 16


def test_half_and_every_even_step_are_edges() -> None:
    even = np.arange((1 << 15) + 1) / (1 << 15)
    assert np.isin(even, edges()).all()
    assert edges()[reach(0.5)] == 0.5


def test_bins_keep_apart_all_that_float32_keeps_apart_next_to_one() -> None:
    top = np.float32(1) - np.arange(1024, dtype=np.float32) * np.float32(2.0**-24)
    assert len(np.unique(to_bins(torch.from_numpy(top)).numpy())) == 1024


def test_bins_are_fine_next_to_zero() -> None:
    probs = torch.arange(-32.0, 0.0, 0.01).sigmoid()  # steps of 1 % in the odds
    assert (torch.diff(to_bins(probs)) > 0).all()


def test_bins_do_not_depend_on_how_many_pixels_come_at_once(rng: np.random.Generator) -> None:
    probs = torch.from_numpy(rng.random((3, 300, 301), dtype=np.float32))
    whole = to_bins(probs)
    assert whole.shape == probs.shape
    assert torch.equal(whole[2, 200:], to_bins(probs[2, 200:]))


def test_edges_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        edges()[0] = 1.0


def test_threshold_between_edges_counts_as_the_next_one() -> None:
    assert reach(0.5 - 1e-9) == reach(0.5)
    assert reach(0.5 + 1e-9) == reach(0.5 + 2.0**-15)


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan")])
def test_threshold_outside_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match=r"threshold must lie in \[0, 1\], but got"):
        reach(threshold)


# ------------------------------------------------------------------------------------ the counting


def test_counts_of_batches_add_up_to_the_whole(rng: np.random.Generator) -> None:
    probs, mask = draw(rng)
    parts = count_bins(probs[:7000], mask[:7000]) + count_bins(probs[7000:], mask[7000:])
    assert torch.equal(parts, count_bins(probs, mask))


def test_counts_hold_every_pixel_in_its_class() -> None:
    counts = count_bins(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0, 1, 1]))
    assert counts.sum() == 3
    assert counts[0, 0] == 1
    assert counts[1, reach(0.5)] == 1
    assert counts[1, BINS - 1] == 1


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float32])
def test_counts_do_not_depend_on_the_mask_s_type(dtype: torch.dtype) -> None:
    probs, mask = torch.tensor([[0.1, 0.9]]), torch.tensor([[0, 1]])
    assert torch.equal(count_bins(probs, mask), count_bins(probs, mask.to(dtype)))


def test_stored_bins_count_like_the_probabilities(rng: np.random.Generator) -> None:
    probs, mask = draw(rng)
    stored = to_bins(probs).numpy().astype(np.uint16)
    assert np.array_equal(count_stored(stored, mask.numpy()), count_bins(probs, mask).numpy())


def test_counting_refuses_logits() -> None:
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], but got -2 to 3. Apply a sigmoid"):
        count_bins(torch.tensor([-2.0, 3.0]), torch.tensor([0, 1]))


def test_counting_refuses_more_than_certainty() -> None:
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], but got 0.5 to 1.5"):
        count_bins(torch.tensor([0.5, 1.5]), torch.tensor([0, 1]))


def test_counting_refuses_nan() -> None:
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], but got nan"):
        count_bins(torch.tensor([0.5, float("nan")]), torch.tensor([0, 1]))


def test_counting_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"one shape, but got \(2, 1\) and \(2,\)"):
        count_bins(torch.zeros(2, 1), torch.zeros(2))
    with pytest.raises(ValueError, match=r"Bins and mask must have one shape, but got \(2,\) and"):
        count_stored(np.zeros(2, np.uint16), np.zeros(3, np.uint8))


def test_counting_refuses_no_pixels() -> None:
    with pytest.raises(ValueError, match=r"must have a pixel, but got shape \(0, 4\)"):
        count_bins(torch.zeros(0, 4), torch.zeros(0, 4))
    with pytest.raises(ValueError, match="from 0 to 65024, but got none"):
        count_stored(np.zeros(0, np.uint16), np.zeros(0, np.uint8))


@pytest.mark.parametrize(("value", "said"), [(2, "0 to 2"), (255, "0 to 255"), (-1, "-1 to 0")])
def test_counting_refuses_other_labels(value: int, said: str) -> None:
    probs, mask = torch.tensor([0.1, 0.2]), torch.tensor([0, value])
    with pytest.raises(ValueError, match=f"alone, but got {said}"):
        count_bins(probs, mask)
    with pytest.raises(ValueError, match=f"alone, but got {said}"):
        count_stored(to_bins(probs).numpy(), mask.numpy())


@pytest.mark.parametrize("bins", [np.array([BINS], np.uint16), np.array([-1]), np.array([0.5])])
def test_stored_numbers_that_are_no_bins_are_refused(bins: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"integers from 0 to 65024, but got .* Measure the trial"):
        count_stored(bins, np.zeros(1, np.uint8))
