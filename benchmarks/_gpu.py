"""The measurements of `train_gpu.py`: trainings of the networks on the twin, epoch by epoch, in several variants."""

import itertools
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import torch
from torch.utils.flop_counter import FlopCounterMode

from data.pack import Pack, load_pack
from data.pack.augmentation import make_augment
from data.pack.channels import SAR_CHANNELS
from models import known_good
from tuning.train import device_metrics
from tuning.train.epochs import HostEpochRunner
from tuning.train.fit import make_config_split
from tuning.train.multi_seed import GeneratorState
from tuning.train.training import Training
from tuning.train.training_data import TrainingData
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import KNOWN_GOOD

BATCH, WIDTH = 16, 16
WARM_EPOCHS = 3  # after which all sizes of batch are recorded
GPU = torch.device("cuda")


@dataclass(frozen=True)
class Network:
    """An architecture with its known-good values, on T acquisitions."""

    model: str
    timesteps: int
    pack: Path

    def __str__(self) -> str:
        return f"{self.model} T={self.timesteps}"

    def config(self, seed: int) -> Config:
        """Return the config of a long trial."""
        fixed = {"channels": list(SAR_CHANNELS), "timesteps": self.timesteps, "batch_size": BATCH}
        fixed |= {"clip": 1.0, "augment": {"turn": 1}, "steps": "even", "norm": "train"}
        fixed |= {"epochs": 1000, "patience": 1000, "seed": seed, "split": "blocks"}
        arch = known_good(self.model) | {"width": WIDTH}
        return {**fixed, **KNOWN_GOOD, "model": self.model, "arch": arch, "data": self.load().hash}

    def load(self) -> Pack:
        """Map the pack."""
        return load_pack(self.pack)

    def parts(self) -> TrainingData:
        """Send the tiles to the GPU."""
        return TrainingData.make(
            self.config(0), self.load(), make_config_split(self.config(0), self.load()), GPU
        )

    def start(self, seed: int, parts: TrainingData, *, graphs: bool = True) -> Training:
        """Make a training in its own folder."""
        config, pack = self.config(seed), self.load()
        trial_folder, split = TrialFolder(Path(mkdtemp())), make_config_split(config, pack)
        return Training(config, pack, split, trial_folder, GPU, data=parts, graphs=graphs)


def as_before(training: Training) -> Training:
    """Let the host augment every batch and check every loss."""
    augment = make_augment(training.config["augment"])
    training.runner = HostEpochRunner(
        training.step, training.data, augment, training.generator, training.check_loss
    )
    return training


def compiled(training: Training) -> Training:
    """Compile the network with torch.compile; the steps are still CUDA graphs."""
    training.step.model = torch.compile(training.model, dynamic=False)  # type: ignore[assignment]
    return training


def train(training: Training) -> None:
    """Train an epoch, without validation and history."""
    for _ in training.runner.train():
        pass


class Side:
    """Trainings of several seeds in parallel, interleaved like in `tuning.train.multi_seed`."""

    def __init__(self, network: Network, seeds: int, parts: TrainingData) -> None:
        self.members: list[tuple[Training, GeneratorState]] = []
        for seed in range(seeds):
            training = network.start(seed, parts)
            self.members.append((training, GeneratorState(GPU)))

    def train(self) -> None:
        """Train an epoch of each, without validation and history."""
        going = [(draws, training.runner.train()) for training, draws in self.members]
        while going:
            for member in tuple(going):
                draws, walk = member
                with draws.active():
                    if next(walk, self) is self:
                        going.remove(member)


def measure(work: Callable[[], object], seconds: float = 1.0) -> float:
    """Return the mean seconds of one call."""
    torch.cuda.synchronize()
    began = time.perf_counter()
    for calls in itertools.count(1):
        work()
        torch.cuda.synchronize()
        passed = time.perf_counter() - began
        if passed > seconds and calls > 1:
            return passed / calls
    raise AssertionError


def warm(work: Callable[[], object]) -> None:
    """Call until everything is set up and the CUDA graphs are recorded."""
    for _ in range(WARM_EPOCHS):
        work()


def measure_peak() -> float:
    """Return the bf16 operations per second of a large matrix product."""
    one, two = (torch.randn(8192, 8192, device=GPU, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        one @ two
    torch.cuda.synchronize()
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    began.record()
    for _ in range(20):
        one @ two
    ended.record()
    torch.cuda.synchronize()
    return float(20 * 2 * 8192**3 / (began.elapsed_time(ended) / 1e3))


def count_operations(network: Network, parts: TrainingData) -> float:
    """Count a tile's operations in one training step, forward and backward, by torch's own counter."""
    training = network.start(0, parts, graphs=False)
    batch = parts.train.batch(range(2))
    with FlopCounterMode(display=False) as counter:
        logits = training.model(batch.x)
        training.step.loss(logits, batch.mask).backward()  # type: ignore[no-untyped-call]
    return counter.get_total_flops() / 2


def measure_tally(lanes: int) -> float:
    """Return the seconds of a batch's histogram if all pixels are in one bin."""
    logits = torch.full((BATCH, 1, 128, 128), -20.0, device=GPU)
    mask = torch.zeros(BATCH, 128, 128, dtype=torch.uint8, device=GPU)
    loss, before = torch.zeros((), device=GPU), device_metrics.SUB_HISTOGRAMS
    device_metrics.SUB_HISTOGRAMS = lanes
    try:
        one = device_metrics.DeviceMetrics(GPU)
        return measure(lambda: [one.update(loss, logits, mask) for _ in range(50)], 0.2) / 50
    finally:
        device_metrics.SUB_HISTOGRAMS = before


def describe() -> str:
    """Return the names of device and versions."""
    name, (major, minor) = torch.cuda.get_device_name(), torch.cuda.get_device_capability()
    return (
        f"{name} (compute {major}.{minor}, {torch.cuda.get_device_properties(0).total_memory / 1e9:.0f} GB), "
        f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}, torch {torch.__version__}, "
        f"Python {platform.python_version()}"
    )


def list_kernels(network: Network, parts: TrainingData, most: int = 12) -> list[str]:
    """List the slowest kernels of a recorded epoch, and the GPU's idle time."""
    training = network.start(0, parts)
    warm(lambda: train(training))
    seconds = measure(lambda: train(training))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as seen:
        train(training)
        torch.cuda.synchronize()
    found = sorted(seen.key_averages(), key=lambda event: -event.self_device_time_total)
    busy = sum(event.self_device_time_total for event in found) / 1e6
    count = sum(event.count for event in found)
    lines = [
        f"an epoch takes {1e3 * seconds:.1f} ms: {count} kernels, of together {1e3 * busy:.1f} ms"
    ]
    for event in found[:most]:
        share = event.self_device_time_total / 1e6 / busy
        lines.append(f"{100 * share:5.1f} % {event.count:5d} x {event.key[:90]}")
    return lines
