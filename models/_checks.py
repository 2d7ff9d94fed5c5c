"""Checks of names, values and input shapes, with messages for users."""

import difflib
from collections.abc import Iterable

import torch

_MAX_SHOWN = 200  # characters of a value in a message


def unknown_name_error(kind: str, value: str, choices: Iterable[str]) -> ValueError:
    """Return the error for a name that is not among the choices; its message suggests the nearest one.

    Args:
        kind: Text before the name, such as ``"model"``.
        value: The invalid name.
        choices: The valid names.
    """
    names = [str(choice) for choice in choices]
    nearest = difflib.get_close_matches(str(value)[:_MAX_SHOWN], names, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    got = repr(value)[:_MAX_SHOWN]
    return ValueError(f"Unknown {kind} {got}.{hint} Available: {', '.join(names)}.")


def check_choice(argument: str, value: str, choices: Iterable[str]) -> None:
    """Raise ValueError unless *value* is one of the choices of *argument*."""
    names = tuple(choices)
    if value not in names:
        raise unknown_name_error(f"value for {argument}:", value, names)


def check_positive_integers(**values: int) -> None:
    """Raise ValueError unless every value is an integer of 1 or more."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(
                f"{name} must be an integer of 1 or more, but got {name}={value!r}. "
                f"Pass {name}=1 or a larger integer."
            )


def check_input(x: torch.Tensor, in_channels: int, timesteps: int, depth: int) -> None:
    """Check a network's input.

    Args:
        x: Input, shape ``(B, T, C, H, W)``.
        in_channels: C of the network.
        timesteps: T of the network.
        depth: Number of 2x2 poolings; H and W must be multiples of ``2**depth``.

    Raises:
        ValueError: If the number of axes, T, C, H or W is wrong.
    """
    if torch.compiler.is_compiling():
        return  # comparing a symbolic H or W would fix the input size of the exported program
    got = tuple(x.shape)
    expected = f"(B, T={timesteps}, C={in_channels}, H, W)"
    if x.ndim != 5:
        raise ValueError(
            f"x must have 5 axes {expected}, but got shape {got}. "
            "Add the missing axis, with x[None] for one tile."
        )
    if got[1:3] != (timesteps, in_channels):
        raise ValueError(
            f"x must have shape {expected}, but got T={got[1]} and C={got[2]} in shape {got}. "
            f"Select the acquisitions and channels that the network was built for, or build it "
            f"with in_channels={got[2]}, timesteps={got[1]}."
        )
    step = 2**depth
    if got[3] % step or got[4] % step:
        raise ValueError(
            f"H and W must be multiples of 2**depth = {step}, but got H={got[3]}, W={got[4]}. "
            f"Pad or crop the tile to multiples of {step}, or build the network with a smaller depth."
        )
