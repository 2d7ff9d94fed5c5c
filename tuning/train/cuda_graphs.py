"""CUDA graphs: a GPU's work is captured once and then replayed, hundreds of kernels for the price of one launch.

The network of a trial is small: launching its kernels one by one takes the host longer than running them takes the GPU.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch

logger = logging.getLogger(__name__)

WARMUP_CALLS = 2  # calls before the capture, in which libraries pick and set up their kernels


def shared_generator(device: torch.device) -> torch.Generator:
    """Return torch's default generator of a device, from which dropout draws."""
    if device.type != "cuda":
        return torch.default_generator
    torch.cuda.init()  # type: ignore[no-untyped-call]  # creates the default generators
    index = torch.cuda.current_device() if device.index is None else device.index
    return torch.cuda.default_generators[index]


class GraphStream:
    """A CUDA stream with the memory pool of the graphs captured on it; without a GPU it does nothing.

    All work of one training runs on its own stream, so that several trainings of a process overlap.

    Args:
        device: Device of the work.
        graphs: Whether to capture graphs; work that cannot be captured runs uncaptured, with a warning in the log.
    """

    def __init__(self, device: torch.device, *, graphs: bool = True) -> None:
        cuda = device.type == "cuda"
        self.device, self.graphs = device, graphs and cuda
        self.stream = torch.cuda.Stream(device) if cuda else None  # type: ignore[no-untyped-call]
        self.failed: torch.cuda.CUDAGraph | None = None  # torch's allocator still refers to it
        self.pool = torch.cuda.graph_pool_handle() if self.graphs else None

    def active(self) -> AbstractContextManager[object]:
        """Return a context manager that queues work on this stream."""
        return torch.cuda.stream(self.stream)  # does nothing for None

    def wait_for_current(self) -> None:
        """Make this stream wait for everything queued on the current stream."""
        if self.stream is not None:
            self.stream.wait_stream(torch.cuda.current_stream(self.device))

    def block_current(self) -> None:
        """Make the current stream wait for everything queued on this stream."""
        if self.stream is not None:
            torch.cuda.current_stream(self.device).wait_stream(self.stream)


class GraphedCall:
    """A function on tensors that stay at their addresses: called normally at first, then captured and replayed.

    Args:
        function: Reads and writes persistent tensors; must not wait for the device.
        stream: Stream of the work.
        generators: Generators that the function draws from, besides the device's default one.
    """

    def __init__(
        self,
        function: Callable[[], object],
        stream: GraphStream,
        generators: Sequence[torch.Generator] = (),
    ) -> None:
        self._function, self._stream, self._generators = function, stream, generators
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    @property
    def captured(self) -> bool:
        """Whether the next call is a replay."""
        return self._graph is not None

    def __call__(self) -> None:
        """Run the function once, on the current stream, which must be the call's own."""
        if self._graph is None and self._stream.graphs and self._calls >= WARMUP_CALLS:
            self._graph = self._capture()
        self._calls += 1
        if self._graph is None:
            self._function()
        else:
            self._graph.replay()

    def _capture(self) -> torch.cuda.CUDAGraph | None:
        """Capture the function without running it; after a failure the stream captures nothing more."""
        default = shared_generator(self._stream.device)
        before = default.clone_state()  # a failed capture would leave the original state unusable
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        try:
            with torch.cuda.graph(graph, pool=self._stream.pool, stream=self._stream.stream):
                self._function()
        except RuntimeError as error:
            default.graphsafe_set_state(before)
            self._stream.graphs, self._stream.failed = False, graph
            logger.warning(
                "A CUDA graph could not be captured, so kernels are launched one by one: %s",
                str(error).strip().splitlines()[0],
            )
            return None
        return graph
