"""Measurements that are printed one by one, until a deadline; a failed one does not stop the others."""

import gc
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch


class Book:
    """Prints and records measurements; skips those after the deadline or in an unselected section."""

    def __init__(self, minutes: float, out: Path | None = None, only: str = "") -> None:
        self.out, self.only = out, only
        self.ends, self.found = time.perf_counter() + 60 * minutes, dict[str, float]()

    def section(self, text: str, work: Callable[[], object]) -> None:
        """Run a selected section; an error in it is printed, and the next section follows."""
        if self.only not in text:
            return
        print(f"\n[{time.strftime('%H:%M:%S')}] {text}", flush=True)
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the other numbers are wanted all the same
            print(f"  FAILED: {type(error).__name__}: {str(error)[:300]}", flush=True)

    def enter(self, name: str, work: Callable[[], float], text: Callable[[float], str]) -> None:
        """Measure one number and print its line; an error or a skipped measurement is printed as well."""
        torch.cuda.synchronize()
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        if time.perf_counter() > self.ends:
            print(f"  {name:<44} not measured: no time left", flush=True)
            return
        try:
            value = work()
        except Exception as error:  # noqa: BLE001 - the other numbers are wanted all the same
            print(f"  {name:<44} FAILED: {type(error).__name__}: {str(error)[:300]}", flush=True)
            return
        self.found[name] = value
        if self.out:  # after each number: the rest may not come to its end
            self.out.write_text(json.dumps(self.found, indent=1))
        memory = torch.cuda.max_memory_reserved() / 1e9
        print(f"  {name:<44}{text(value)}  {memory:5.1f} GB", flush=True)
