import numpy as np
import pytest

from tuning.plots.confusions import PER_ROW, draw_confusions

SHARES = np.array([[0.97, 0.03], [0.35, 0.65]])


def test_every_cell_has_its_share_in_per_cent() -> None:
    (axes,) = draw_confusions({"UTAE": SHARES}, "Matrices", synthetic=False).axes
    assert [text.get_text() for text in axes.texts] == ["97.0 %", "3.0 %", "35.0 %", "65.0 %"]
    inks = [text.get_color() for text in axes.texts]
    assert inks == ["white", "black", "black", "white"]  # legible on the shade of grey


def test_an_undefined_share_is_no_number() -> None:
    shares = np.array([[1.0, 0.0], [np.nan, np.nan]])
    (axes,) = draw_confusions({"UTAE": shares}, "Matrices", synthetic=False).axes
    assert axes.texts[2].get_text() == "\N{EN DASH}"


def test_more_models_take_another_row() -> None:
    models = {f"net{number}": SHARES for number in range(PER_ROW + 1)}
    figure = draw_confusions(models, "Matrices", synthetic=True)
    assert sum(axes.axison for axes in figure.axes) == PER_ROW + 1


def test_no_model_is_refused() -> None:
    with pytest.raises(ValueError, match="must have a model, but 'Matrices' got none"):
        draw_confusions({}, "Matrices", synthetic=False)
