"""Work of a GPU recorded once as a CUDA graph and then replayed: hundreds of kernels for the price of one launch.

The network of a trial is small: launched one by one, its kernels take the host longer than they take the GPU.
"""

import logging
from collections.abc import Callable, Sequence

import torch

logger = logging.getLogger(__name__)

WARMUP_CALLS = 2  # calls before the recording, in which libraries pick and set up what they need


def shared_generator(device: torch.device) -> torch.Generator:
    """Return the generator that dropout draws from on a device."""
    if device.type != "cuda":
        return torch.default_generator
    torch.cuda.init()  # type: ignore[no-untyped-call]  # there is none before
    at = torch.cuda.current_device() if device.index is None else device.index
    return torch.cuda.default_generators[at]


class GraphStream:
    """A stream of a GPU with the memory of what is recorded on it; elsewhere it does nothing.

    All work of one training runs on its lane, so that several trainings of a process overlap.

    Args:
        device: Where the work is done.
        graphs: Whether to record; what cannot be recorded is done as it is, and the log says why.
    """

    def __init__(self, device: torch.device, *, graphs: bool = True) -> None:
        cuda = device.type == "cuda"
        self.device, self.graphs = device, graphs and cuda
        self.stream = torch.cuda.Stream(device) if cuda else None  # type: ignore[no-untyped-call]
        self.failed: torch.cuda.CUDAGraph | None = None  # torch's allocator still refers to it
        self.pool = torch.cuda.graph_pool_handle() if self.graphs else None

    def run(self, work: Callable[[], object]) -> None:
        """Queue work on the lane's stream."""
        with torch.cuda.stream(self.stream):  # does nothing for None
            work()

    def follow(self) -> None:
        """Let the lane begin only after all that is queued on the current stream."""
        if self.stream is not None:
            self.stream.wait_stream(torch.cuda.current_stream(self.device))

    def join(self) -> None:
        """Let the current stream begin only after all that is queued on the lane."""
        if self.stream is not None:
            torch.cuda.current_stream(self.device).wait_stream(self.stream)


class GraphedCall:
    """Work on tensors that stay where they are: done as it is at first, then recorded and replayed.

    Args:
        work: Reads and writes tensors that live on; must not wait for the device.
        lane: Where it runs.
        generators: Generators that it draws from, beside the device's own.
    """

    def __init__(
        self,
        work: Callable[[], object],
        lane: GraphStream,
        generators: Sequence[torch.Generator] = (),
    ) -> None:
        self._work, self._lane, self._generators = work, lane, generators
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    @property
    def recorded(self) -> bool:
        """Whether the next call replays."""
        return self._graph is not None

    def __call__(self) -> None:
        """Do the work once, on the current stream, which must be the lane's."""
        if self._graph is None and self._lane.graphs and self._calls >= WARMUP_CALLS:
            self._graph = self._record()
        self._calls += 1
        if self._graph is None:
            self._work()
        else:
            self._graph.replay()

    def _record(self) -> torch.cuda.CUDAGraph | None:
        """Record the work, which does nothing yet; where that fails, none of the lane's is tried again."""
        own = shared_generator(self._lane.device)
        before = (
            own.clone_state()
        )  # a failed recording would leave the generator's own state unusable
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        try:
            with torch.cuda.graph(graph, pool=self._lane.pool, stream=self._lane.stream):
                self._work()
        except RuntimeError as error:
            own.graphsafe_set_state(before)
            self._lane.graphs, self._lane.failed = False, graph
            logger.warning(
                "Not recorded as a CUDA graph, so each kernel is launched on its own: %s",
                str(error).strip().splitlines()[0],
            )
            return None
        return graph
