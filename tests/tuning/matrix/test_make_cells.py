"""Tests of the cells of a matrix: one campaign per level, equal ones once, all with one pack."""

from pathlib import Path

import pytest

from tuning.matrix.command.request import parse_command
from tuning.matrix.planning.make_plan import PlannedMatrix, plan_matrix


def plan(*words: str, root: Path) -> PlannedMatrix:
    command = parse_command([*words, "--preset", "smoke", "--name", "m"])
    return plan_matrix(command.options, command.study, root)


def test_a_cell_differs_from_the_reference_in_one_axis(tmp_path: Path) -> None:
    words = ["--vary", "channels=s1,VV", "--vary", "train=0.5,1", "--cross", "unet"]
    made = plan(*words, root=tmp_path)
    cells = {cell.campaign: cell.places for cell in made.plan.cells}
    assert cells == {
        "m-reference": (("channels", "s1"), ("train", "1")),
        "m-channels-VV": (("channels", "VV"),),
        "m-train-0.5": (("train", "0.5"),),
    }
    reference, channels, train = (cell.settings for cell in made.cells)
    assert (channels.channels, channels.train_share) == (("s1asc:VV", "s1dsc:VV"), "1")
    assert (train.channels, train.train_share) == (reference.channels, "scattered:0.5")
    assert {one.matrix for one in (reference, channels, train)} == {"m"}
    assert made.plan.primary == "channels"


def test_equal_cells_are_one(tmp_path: Path) -> None:
    words = ["--vary", "augment=turn,none", "--vary", "loss=bce_dice,tversky"]
    words += ["--vary", "steps=event,even", "--vary", "split=blocks,seed42", "--cross", "unet"]
    assert len(plan(*words, root=tmp_path).cells) == 5
    both = ["--vary", "test=noto,hokkaido", "--vary", "shots=0,5", "--region", "all"]
    assert len(plan(*both, "--cross", "unet", root=tmp_path).cells) == 3


def test_all_cells_pack_the_same_modalities(tmp_path: Path) -> None:
    made = plan("--vary", "channels=s1asc,s1dsc,VV", "--cross", "unet", root=tmp_path)
    assert {cell.settings.modalities for cell in made.cells} == {("s1asc", "s1dsc")}


def test_a_baseline_is_left_out_where_its_channels_are_missing(tmp_path: Path) -> None:
    made = plan("--vary", "channels=s1,VH", "--cross", "unet,log_ratio_vv", root=tmp_path)
    assert [cell.left_out for cell in made.cells] == [(), ("log_ratio_vv",)]
    assert [cell.settings.baselines for cell in made.cells] == [("log_ratio_vv",), ()]


def test_names_of_campaigns_are_safe_and_differ(tmp_path: Path) -> None:
    words = ["--vary", "label_noise=0,drop=0.1+shift=1,drop=0.1+dilate=1", "--cross", "unet"]
    names = [cell.campaign for cell in plan(*words, root=tmp_path).plan.cells]
    assert names == [
        "m-reference",
        "m-label-noise-drop-0.1-shift-1",
        "m-label-noise-drop-0.1-dilate-1",
    ]
    shrunk = ["--vary", "label_noise=0,dilate=-1,dilate=1", "--cross", "unet"]
    names = [cell.campaign for cell in plan(*shrunk, root=tmp_path).plan.cells]
    assert names[1:] == ["m-label-noise-dilate-1", "m-label-noise-dilate-1-2"]


def test_all_cells_that_cannot_be_run_are_named_together(tmp_path: Path) -> None:
    words = ["--vary", "channels=s1,s1+s2,published,VV", "--cross", "unet"]
    with pytest.raises(ValueError, match=r"^2 of 4 cells cannot be run: ") as caught:
        plan(*words, root=tmp_path)
    text = str(caught.value)
    assert "[channels=s1+s2, channels=published] The synthetic twin has Sentinel-1 alone" in text


def test_what_is_wrong_with_every_cell_is_said_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^--shots is the number of labelled tiles") as caught:
        plan("--vary", "loss=bce_dice,tversky", "--shots", "5", root=tmp_path)
    assert str(caught.value).count("--shots is") == 1
    with pytest.raises(ValueError, match=r"Unknown model 'unt'\. Did you mean 'unet'"):
        plan("--vary", "loss=bce_dice,tversky", "--cross", "unt", root=tmp_path)


def test_shots_without_a_split_across_events_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"but got --shots 5 with the split 'blocks'"):
        plan("--vary", "shots=0,5", "--cross", "unet", root=tmp_path)


def test_a_matrix_needs_a_new_short_and_safe_name(tmp_path: Path) -> None:
    words = ["--vary", "loss=bce_dice,tversky", "--cross", "unet", "--preset", "smoke"]
    for name, message in (("../x", "A matrix's name must have"), ("x" * 41, "at most 40 char")):
        command = parse_command([*words, "--name", name])
        with pytest.raises(ValueError, match=message):
            plan_matrix(command.options, "", tmp_path)
