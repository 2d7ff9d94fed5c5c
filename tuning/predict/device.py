"""The device of a map: the CPU, or a GPU of this machine."""

import torch


def parse_device(name: str) -> torch.device:
    """Return the device of a name; ``auto`` is the GPU if there is one, else the CPU.

    Raises:
        ValueError: If this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as error:
        got = str(error).split("\n")[0]
        raise ValueError(
            f"The device must be auto, cpu or a GPU of this machine such as cuda, but got {name!r}: {got}"
        ) from error
