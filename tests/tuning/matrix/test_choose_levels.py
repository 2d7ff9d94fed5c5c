"""Tests of axes and their levels: what they set, their order, and the reference of each."""

from pathlib import Path

import pytest

from tuning.matrix.axes.kinds import AXES, read_level
from tuning.matrix.axes.levels import split_levels
from tuning.matrix.axes.names import AXIS_LABELS
from tuning.matrix.command.request import make_request, parse_command
from tuning.matrix.plan import Axis
from tuning.matrix.planning.choose_levels import Folders, choose_axes


def choose(*words: str, root: Path = Path("unused"), preset: str = "smoke") -> tuple[Axis, ...]:
    command = parse_command([*words, "--cross", "unet"])
    return choose_axes(make_request(command.options, command.study, preset), Folders(root, root))


def test_every_axis_has_a_label_and_an_example_that_can_be_read() -> None:
    assert list(AXES) == list(AXIS_LABELS)
    for axis, (_, example) in AXIS_LABELS.items():
        for level in split_levels(example.partition(" ")[0]):
            assert read_level(axis, level).options


@pytest.mark.parametrize(
    ("axis", "level", "options"),
    [
        ("channels", "s1+DEM", {"channels": ["s1", "DEM"]}),
        ("window", "pre:all/post:3", {"window": "pre:all/post:3"}),
        ("train", "compact:0.25", {"train_share": "compact:0.25"}),
        ("label_noise", "0.1", {"label_noise": ["drop=0.1"]}),
        ("label_noise", "none", {"label_noise": []}),
        ("label_noise", "drop=0.1+shift=1", {"label_noise": ["drop=0.1", "shift=1"]}),
        ("augment", "turn+cut=0.5", {"augment": ["turn", "cut=0.5"]}),
        ("test", "noto", {"split": "events:noto"}),
        ("transfer", "a+b:c", {"region": ["a", "b", "c"], "split": "events:c"}),
        ("split", "mine.json", {"split": "mine.json"}),
        ("shots", "5", {"shots": 5}),
    ],
)
def test_a_level_sets_options_of_a_campaign(
    axis: str, level: str, options: dict[str, object]
) -> None:
    assert read_level(axis, level).options == options


def test_a_range_stands_for_its_levels() -> None:
    assert split_levels("pre:all/post:1..3, x") == [
        "pre:all/post:1",
        "pre:all/post:2",
        "pre:all/post:3",
        "x",
    ]


def test_levels_that_are_numbers_of_one_kind_ascend() -> None:
    (train,) = choose("--vary", "train=1,0.1,0.5")
    assert [(level.text, level.value) for level in train.levels] == [
        ("0.1", 0.1),
        ("0.5", 0.5),
        ("1", 1.0),
    ]
    assert train.ordered


@pytest.mark.parametrize(
    "axis",
    [
        "train=0.1,compact:0.2,1",
        "label_noise=0,0.1,shift=1",
        "label_noise=0,drop=0.1+shift=1",
        "window=pre:1/post:1,pre:2/post:2",
        "loss=bce_dice,tversky",
    ],
)
def test_levels_of_several_kinds_keep_the_user_s_order(axis: str) -> None:
    (made,) = choose("--vary", axis)
    assert not made.ordered
    assert [level.text for level in made.levels] == axis.partition("=")[2].split(",")
    assert {level.value for level in made.levels} == {None}


@pytest.mark.parametrize(
    ("words", "reference"),
    [
        (["loss=tversky,bce_dice"], "bce_dice"),  # what the command would use anyway
        (["loss=tversky,bce_dice", "--loss", "tversky"], "tversky"),
        (["loss=tversky,lovasz"], "tversky"),  # the first
        (["train=0.1,0.5"], "0.5"),  # the greatest
        (["train=0.1,0.5,1", "--train-share", "scattered:0.5"], "0.5"),
        (["train=0.1,0.5,1", "--reference", "train=0.1"], "0.1"),
        (["channels=VV,s1asc+s1dsc"], "s1asc+s1dsc"),  # s1 in other words
        (["shots=0,5", "--split", "events:noto", "--region", "all"], "0"),
        (["window=pre:all/post:1..3"], "pre:all/post:3"),
    ],
)
def test_the_reference_is_the_usual_level_else_the_greatest_else_the_first(
    words: list[str], reference: str
) -> None:
    assert choose("--vary", *words)[0].reference == reference


def test_an_axis_may_need_the_reference_of_another() -> None:
    shots, transfer = choose("--vary", "shots=0,1,5", "--vary", "transfer=pairs")
    assert (shots.reference, transfer.reference) == ("0", "noto:hokkaido")
    assert [level.text for level in transfer.levels] == ["noto:hokkaido", "hokkaido:noto"]
    assert shots.same_tiles
    assert not transfer.same_tiles


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["channels=s1,VX"], r"channels=VX: Unknown channel 'VX'\. Did you mean 'VV'\?"),
        (
            ["loss=bce_dice,tversy"],
            r"loss=tversy: Unknown loss 'tversy'\. Did you mean 'tversky'\?",
        ),
        (["steps=even,evnt"], r"steps=evnt: Unknown choice of acquisitions 'evnt'"),
        (["norm=train,x"], r"norm=x: Unknown norm 'x'"),
        (["recipe=searched,x"], r"recipe=x: Unknown recipe 'x'"),
        (["shots=0,2"], r"shots=2: Unknown number of shots '2'"),
        (["timesteps=2,99"], r"timesteps=99: A level must be the number of acquisitions, a whole"),
        (["window=pre:1/post:1,post:2"], r"window=post:2: A window is pre:K/post:K"),
        (["label_noise=0,drp=1"], r"label_noise=drp=1: Unknown label noise 'drp'"),
        (["augment=turn,trn"], r"augment=trn: Unknown augmentation 'trn'"),
        (["train=0.1,2"], r"train=2: --train-share must be above 0 and at most 1"),
        (["split=blocks,blks"], r"split=blks: Unknown split 'blks'"),
        (
            ["test=hokkaido,../x"],
            r"test=\.\./x: A region must be such as hokkaido, but got '\.\./x'",
        ),
        (["transfer=a:b,c"], r"transfer=c: A level must be TRAINED:TESTED"),
        (["transfer=a:b,a:a"], r"transfer=a:a: The tested region must not be trained on"),
        (["search_seed=1,2"], r"The axis search_seed varies the search, but --search once"),
        (["channels=s1"], r"An axis needs two levels, but got channels=s1 alone"),
        (["channels=s1,,VV"], r"Levels must be separated by single commas, but got 's1,,VV'"),
        (["channels=s1,VV,s1"], r"must have each level once, but got channels=s1 twice"),
        (["train=0.5,0.50"], r"train=0\.5 and train=0\.50 are the same"),
        (["timesteps=8..2"], r"A range of levels must rise, by fewer than 100, such as 1\.\.8"),
        (["loss=bce_dice,tversky", "--loss", "lovasz"], r"--loss lovasz is no level of loss"),
        (
            ["loss=bce_dice,tversky", "--reference", "loss=lovasz"],
            r"Unknown level of loss 'lovasz'",
        ),
        (["window=pre:1/post:1..2", "--steps", "even"], r"contradicts --steps, but got both"),
        (["window=pre:1/post:1..2", "--vary", "timesteps=2,4"], r"both decide on --timesteps"),
        (["test=noto,hokkaido", "--vary", "split=blocks,seed42"], r"both decide on --split"),
        (["transfer=a:b,b:a", "--region", "all"], r"contradicts --region, but got both"),
    ],
)
def test_wrong_axes_are_refused_with_a_remedy(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose("--vary", *words)


def test_weights_to_start_from_need_a_named_architecture() -> None:
    command = parse_command(["--vary", "init=random,x.pt"])
    request = make_request(command.options, "", "smoke")
    with pytest.raises(ValueError, match=r"The axis init trains one architecture.*Add it with"):
        choose_axes(request, Folders(Path("unused"), Path("unused")))
    assert choose("--vary", "init=x.pt,random")[0].reference == "random"
