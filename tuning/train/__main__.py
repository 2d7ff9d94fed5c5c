"""Train one trial's config.json again, without Ray or MLflow."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import tuning.own_packages  # noqa: F401 - first
from data.command.command import command
from data.command.explain import writes_to
from data.command.parser import CommandParser, make_parser

if TYPE_CHECKING:
    from tuning.trial.folder import Row


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "tuning.train",
        "Train one trial's config.json again, without Ray or MLflow.",
        example="config.json --pack mlruns/packs/pack-HASH --to trained --test",
    )
    add = parser.add_argument_group("trial").add_argument
    add("config", type=Path, metavar="CONFIG", help="a trial's config.json")
    add(
        "--pack",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="the pack that the config names, a folder pack-<hash>",
    )
    add("--test", action="store_true", help="measure the test tiles at the end")
    parser.add_argument_group("output").add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="output folder for checkpoints and history; an interrupted training is resumed",
    )
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Train one config; return the exit code."""
    args = command_parser().parse_args(argv)
    from data.io.malloc import keep_freed_memory
    from data.pack import load_pack
    from data.tiles.manifest import describe_origin
    from tuning.train.evaluate import measure_test
    from tuning.train.fit import choose_device, fit, make_config_split
    from tuning.trial.folder import TrialFolder, read_optional_json

    writes_to(args.to, option="--to")
    keep_freed_memory()
    config = read_optional_json(args.config)
    if config is None:
        raise FileNotFoundError(
            f"The config must be a JSON file, but got {args.config}, which does not exist."
        )
    pack = load_pack(args.pack)
    print(f"Data: {describe_origin(pack.synthetic)} tiles in {pack.path}.")
    reason = fit(config, pack, args.to, lambda row: print(_line(row), flush=True))
    print(f"Training ended ({reason}); the best checkpoint is {args.to / 'best.pt'}.")
    if args.test:
        split = make_config_split(config, pack)
        print(measure_test(TrialFolder(args.to), pack, split, choose_device()))
    return 0


def _line(row: "Row") -> str:
    from tuning.trial.folder import VAL_AP

    return (
        f"epoch {row['epoch']:3d}  train loss {row['train_loss']:.4f}  val loss {row['val_loss']:.4f}  "
        f"val AP {row['val_pr_auc']:.4f}  best {row[VAL_AP]:.4f}  {row['seconds']:.1f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
