"""Alternating measurements of several variants: on a busy machine times are noisy, ratios of neighbours less so.

A side has its own process if the sides cannot share one (the C library's heap is set once per process). All processes stay
open and work in turn, so that the machine's state is the same in each round.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from data.io.processes import count_cpus


@dataclass(frozen=True)
class Ratio:
    """A ratio of paired measurements: its median, lowest and highest over rounds."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, above: Sequence[float], below: Sequence[float]) -> Self:
        """Divide pair by pair."""
        found = [a / b for a, b in zip(above, below, strict=True)]
        return cls(statistics.median(found), min(found), max(found))


def judge(
    what: str, ratio: Ratio, *, least: float | None = None, most: float | None = None
) -> bool:
    """Print a ratio and its aim; return whether it meets the aim."""
    kept = (least is None or ratio.middle >= least) and (most is None or ratio.middle <= most)
    aims = [f"aim: at least {least:g}"] if least is not None else []
    aims += [f"aim: at most {most:g}"] if most is not None else []
    aim = ", ".join(aims) or "told only"
    mark = "" if kept else "  MISSED"
    spread = f"{ratio.low:.3g} to {ratio.high:.3g}"
    print(f"{what}: {ratio.middle:.3g} ({spread}; {aim}){mark}", flush=True)
    return kept


NETWORKS = ("attention_unet", "unet", "unet_convlstm")  # those whose speed is claimed


def tell_load() -> str:
    """Return the machine's load: processes that needed a core over the last minute."""
    return f"load {os.getloadavg()[0]:.1f} on {count_cpus()} cores"


class Side:
    """One side of a comparison, in its own process.

    Args:
        script: The script, which calls :func:`serve` when it gets these words.
        words: Its arguments.
    """

    def __init__(self, script: str, words: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - a script of this folder
            [sys.executable, script, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(self, request: Any) -> None:
        """Start its work."""
        if self._process.stdin is not None:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def receive(self) -> Any:
        """Wait for its answer.

        Raises:
            RuntimeError: If its process ended instead.
        """
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise RuntimeError(
                f"A side must answer, but {self._process.args} ended with {self._process.wait()}."
            )
        return json.loads(line)

    def ask(self, request: Any) -> Any:
        """Run its work; return its answer."""
        self.send(request)
        return self.receive()

    def close(self) -> None:
        """End its process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def serve(work: Callable[[Any], Any]) -> None:
    """Answer the requests of :meth:`Side.ask` until the pipe closes."""
    for line in sys.stdin:
        print(json.dumps(work(json.loads(line))), flush=True)


def take_turns(
    script: str, sides: Mapping[str, Sequence[str]], requests: Sequence[Any]
) -> dict[str, list[Any]]:
    """Send every request to every side in turn; the order is reversed in every second round.

    Args:
        script: Of all sides.
        sides: Words by side.
        requests: One a round.

    Returns:
        Answers by side.
    """
    answers: dict[str, list[Any]] = {name: [] for name in sides}
    with ExitStack() as stack:
        opened = {name: stack.enter_context(Side(script, words)) for name, words in sides.items()}
        for number, request in enumerate(requests):
            for name in list(sides) if number % 2 == 0 else list(sides)[::-1]:
                answers[name].append(opened[name].ask(request))
    return answers
