"""Training speed of the networks on a GPU: alone, several seeds in parallel, several processes.

    python benchmarks/train_gpu.py [--data PATH] [--minutes N] [--kernels] [--only WORDS] [--out FILE.json]

Everything is measured in one run: tiles per second of training steps (with shuffling, augmentation, forward, backward,
clipping, AdamW and histogram), the fraction of the GPU's peak, memory, and the time of whole epochs with validation and
checkpoints. The exit code is 1 if 8 parallel seeds are less than 4 times as fast as in sequence, 2 without a GPU; with
--only there is no aim.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from _book import Book
from _gpu import (
    BATCH,
    Network,
    Side,
    as_before,
    compiled,
    count_operations,
    describe,
    list_kernels,
    measure,
    measure_peak,
    measure_tally,
    train,
    warm,
)
from _gpu_shared import measure_fit, measure_processes
from _vmapped import Vmapped

from data.pack import make_pack
from data.twin import make_twin
from tuning.train import device_metrics
from tuning.train.training_data import TrainingData

MODELS, STEPS, STACKS, AIM = ("unet", "attention_unet", "unet_convlstm"), (4, 15), (2, 4, 8), 4.0
SHARED = (2, 1), (4, 1), (8, 1), (4, 4)  # processes, and seeds in each
NO_GPU = 2


def measure_ways(book: Book, network: Network, parts: TrainingData, peak: float) -> None:
    """Measure one training in every variant."""
    tiles, name = len(parts.train), str(network)
    operations = count_operations(network, parts)

    def show(rate: float) -> str:
        return f"{rate:9.0f} tiles/s  {1e3 * BATCH / rate:7.2f} ms a step  {100 * rate * operations / peak:5.1f} % of peak"

    def rate(prepare: Callable[[], object], seconds: float = 1.0) -> Callable[[], float]:
        def work() -> float:
            training = prepare()
            warm(lambda: train(training))
            return tiles / measure(lambda: train(training), seconds)

        return work

    print(f"  {operations / 1e9:.2f} GFLOP a tile and step")
    book.enter(
        f"{name} as before", rate(lambda: as_before(network.start(0, parts, graphs=False))), show
    )
    book.enter(f"{name} without waiting", rate(lambda: network.start(0, parts, graphs=False)), show)
    book.enter(f"{name} recorded", rate(lambda: network.start(0, parts)), show)
    torch.backends.cudnn.benchmark = True
    book.enter(f"{name} recorded, cuDNN tuned", rate(lambda: network.start(0, parts)), show)
    torch.backends.cudnn.benchmark = False


def measure_stacks(book: Book, network: Network, parts: TrainingData) -> None:
    """Measure parallel seeds, and seeds stacked by vmap."""
    tiles, name = len(parts.train), str(network)
    recorded, before = (book.found.get(f"{name} {way}") for way in ("recorded", "as before"))

    def show(rate: float) -> str:
        ratios = [
            f"{rate / base:5.2f} x {what}"
            for base, what in ((recorded, "recorded"), (before, "before"))
            if base
        ]
        return f"{rate:9.0f} tiles/s  {'  '.join(ratios)}"

    def side(seeds: int) -> float:
        stack = Side(network, seeds, parts)
        warm(stack.train)
        return seeds * tiles / measure(stack.train)

    def vmapped(seeds: int, nhwc: bool) -> float:
        stack = Vmapped([network.start(seed, parts) for seed in range(seeds)], nhwc=nhwc)
        warm(stack.train)
        return seeds * tiles / measure(stack.train)

    for seeds in STACKS:
        book.enter(f"{name} {seeds} seeds side by side", lambda seeds=seeds: side(seeds), show)
    for nhwc in (False, True) if network.model == "unet" else (False,):
        order = "NHWC" if nhwc else "NCHW"
        book.enter(f"{name} 8 seeds by vmap, {order}", lambda nhwc=nhwc: vmapped(8, nhwc), show)


def measure_compiled(book: Book, network: Network, parts: TrainingData) -> None:
    """Measure the cost and the gain of compiling."""
    tiles, name = len(parts.train), str(network)
    seconds: list[float] = []

    def work() -> float:
        began = time.perf_counter()
        training = compiled(network.start(0, parts))
        warm(lambda: train(training))
        seconds.append(time.perf_counter() - began)
        return tiles / measure(lambda: train(training))

    def show(rate: float) -> str:
        saved = tiles / book.found[f"{name} recorded"] - tiles / rate
        pays = f"pays after {seconds[0] / saved:.0f} epochs" if saved > 0 else "never pays"
        return f"{rate:9.0f} tiles/s, ready after {seconds[0]:.0f} s: {pays}"

    torch._dynamo.reset()
    book.enter(f"{name} compiled and recorded", work, show)


def measure_epochs(book: Book, network: Network) -> None:
    """Measure whole epochs: in one process with S seeds, and in several processes."""
    name = str(network)

    def show(rate: float) -> str:
        return f"{rate:8.1f} epochs/s  {1e3 / rate:7.1f} ms an epoch  {3600 * rate / 75:7.0f} trials of 75 epochs an hour"

    for seeds in (1, *STACKS):
        what = f"{name} epochs, {seeds} seeds in a process"
        book.enter(what, lambda seeds=seeds: measure_fit(network, seeds), show)
    for processes, seeds in SHARED:
        what = f"{name} epochs, {processes} processes of {seeds} seeds"
        how = partial(measure_processes, network, processes, seeds)
        book.enter(what, how, show)


def print_kernels(network: Network, parts: TrainingData) -> None:
    """Print the slowest kernels of a recorded epoch."""
    print("  " + "\n  ".join(list_kernels(network, parts)), flush=True)


def measure_lanes(book: Book) -> None:
    """Measure the histogram of a batch whose pixels nearly all fall into one bin, with few and many lanes."""
    for lanes in (1, 8, device_metrics.SUB_HISTOGRAMS, 128):
        name = f"histogram with {lanes} lanes"
        book.enter(name, lambda lanes=lanes: measure_tally(lanes), lambda s: f"{1e6 * s:9.1f} us")


def main(argv: list[str] | None = None) -> int:
    """Print the tables; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="tile folder (default: a new twin)")
    parser.add_argument("--minutes", type=float, default=6.0, help="default: %(default)s")
    parser.add_argument("--kernels", action="store_true", help="list the slowest kernels of a step")
    parser.add_argument(
        "--only",
        default="",
        help="run only sections whose title contains this text, such as epochs",
    )
    parser.add_argument("--out", type=Path, help="JSON file for the numbers")
    args = parser.parse_args(argv)
    if not torch.cuda.is_available():
        print("no GPU: not measured")
        return NO_GPU
    book = Book(args.minutes, args.out, args.only)
    with TemporaryDirectory() as folder:
        root = Path(folder)
        pack = make_pack(args.data or make_twin(root / "twin", progress=False), root / "packs").path
        measure_all(book, pack, kernels=args.kernels)
    return 0 if args.only else conclude(book)


def measure_all(book: Book, pack: Path, *, kernels: bool = False) -> None:
    """Measure everything, the most important first."""
    peak = measure_peak()
    print(f"{describe()}\nbf16 matrix product of 8192: {peak / 1e12:.0f} TFLOP/s")
    networks = [Network(model, steps, pack) for steps in STEPS for model in MODELS]
    parts = {steps: Network("unet", steps, pack).parts() for steps in STEPS}
    book.section("histogram of a batch", partial(measure_lanes, book))
    for network in networks[:3] if kernels else ():
        work = partial(print_kernels, network, parts[network.timesteps])
        book.section(f"{network}: kernels", work)
    for network in networks:
        work = partial(measure_ways, book, network, parts[network.timesteps], peak)
        book.section(f"{network}: one training", work)
    for network in (*networks[:3], networks[-1]):
        work = partial(measure_stacks, book, network, parts[network.timesteps])
        book.section(f"{network}: seeds at once, against one after the other", work)
    whole = f"{networks[0]}: whole epochs, with val, trial_folder and checkpoints"
    book.section(whole, partial(measure_epochs, book, networks[0]))
    for network in (networks[0], networks[-1]):
        work = partial(measure_compiled, book, network, parts[network.timesteps])
        book.section(f"{network}: kernels compiled for it", work)


def conclude(book: Book) -> int:
    """Print the ratio of 8 parallel seeds to the same steps in sequence; return the exit code."""
    print()
    enough = True
    for name in (f"{model} T=4" for model in MODELS):
        rate, *bases = (
            book.found.get(f"{name} {what}")
            for what in ("8 seeds side by side", "recorded", "as before")
        )
        if not rate or not all(bases):
            print(f"{name}: 8 seeds at once were not measured")
            enough = False
            continue
        recorded, before = (rate / base for base in bases if base)
        print(
            f"{name}: 8 seeds at once / one after the other: {recorded:.1f} x (aim {AIM:.0f}), ",
            end="",
        )
        print(f"/ one after the other as before: {before:.1f} x")
        enough = enough and recorded >= AIM
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
