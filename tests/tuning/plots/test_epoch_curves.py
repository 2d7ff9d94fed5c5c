import pytest

from tuning.plots.epoch_curves import PER_BAND, EpochCurves, draw_epoch_curves

ONE = EpochCurves((1.0, 0.8, 0.7), (1.1, 0.9, 1.0), (0.2, 0.5, 0.4), 2)


def test_every_seed_has_a_line_and_its_kept_epoch_a_dot() -> None:
    figure = draw_epoch_curves({"UTAE": [ONE, ONE]}, "Curves", synthetic=True)
    losses, scores = figure.axes
    assert len(losses.lines) == 2 * 3  # train, val and the dot of each seed
    assert len(scores.lines) == 2 * 2
    assert scores.lines[1].get_xydata().tolist() == [[2.0, 0.5]]
    assert "(synthetic data)" in figure.get_suptitle()


def test_train_and_val_differ_without_colour() -> None:
    losses = draw_epoch_curves({"UTAE": [ONE]}, "Curves", synthetic=False).axes[0]
    train, val, _ = losses.lines
    assert train.get_linestyle() != val.get_linestyle()


def test_all_networks_share_the_axis_of_average_precision() -> None:
    low = EpochCurves((1.0,), (1.0,), (0.05,), 1)
    names = [f"net{number}" for number in range(PER_BAND + 1)]
    figure = draw_epoch_curves(
        {name: [low if name == "net0" else ONE] for name in names}, "C", False
    )
    shown = [axes for axes in figure.axes if axes.axison and axes.get_xlabel() == "epoch"]
    assert len(shown) == PER_BAND + 1
    assert len({axes.get_ylim() for axes in shown}) == 1


def test_a_network_without_values_has_empty_panels() -> None:
    figure = draw_epoch_curves({"UTAE": [EpochCurves((), (), (), 0)]}, "Curves", synthetic=False)
    assert figure.axes[1].get_ylim() == (0, 1)


def test_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="must have a model, but 'Curves' got none"):
        draw_epoch_curves({}, "Curves", synthetic=False)
