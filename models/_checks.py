"""User-facing checks of the networks: names, values and input shapes, each with a remedy."""

import difflib
from collections.abc import Iterable

import torch

_SHOWN = 200  # characters of a value in a message


def unknown_name(what: str, value: str, choices: Iterable[str]) -> ValueError:
    """Return the error for a name that is not among the choices, with the nearest one.

    Args:
        what: Text before the name, such as ``"model"``.
        value: The name got.
        choices: The names that exist.
    """
    names = [str(choice) for choice in choices]
    near = difflib.get_close_matches(str(value)[:_SHOWN], names, n=1)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    got = repr(value)[:_SHOWN]
    return ValueError(f"Unknown {what} {got}.{guess} Available: {', '.join(names)}.")


def check_choice(argument: str, value: str, choices: Iterable[str]) -> None:
    """Raise unless *value* is one of the choices of *argument*."""
    names = tuple(choices)
    if value not in names:
        raise unknown_name(f"value for {argument}:", value, names)


def check_at_least_one(**values: int) -> None:
    """Raise unless every named value is a whole number of 1 or more."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(
                f"{name} must be a whole number of 1 or more, but got {name}={value!r}. "
                f"Pass {name}=1 or a larger integer."
            )


def check_input(x: torch.Tensor, in_channels: int, timesteps: int, depth: int) -> None:
    """Raise unless *x* is a batch that a network of this depth can take.

    Args:
        x: Input, shape ``(B, T, C, H, W)``.
        in_channels: The C that the network was built for.
        timesteps: The T that the network was built for.
        depth: Number of 2x2 poolings; H and W must be multiples of ``2**depth``.

    Raises:
        ValueError: If the rank, T, C, H or W does not fit.
    """
    if torch.compiler.is_compiling():
        return  # comparing a symbolic H or W would fix the size of an exported program
    got = tuple(x.shape)
    wanted = f"(B, T={timesteps}, C={in_channels}, H, W)"
    if x.ndim != 5:
        raise ValueError(
            f"x must have 5 axes {wanted}, but got shape {got}. "
            "Add the missing axis, for one tile with x[None]."
        )
    if got[1:3] != (timesteps, in_channels):
        raise ValueError(
            f"x must have shape {wanted}, but got T={got[1]} and C={got[2]} in shape {got}. "
            f"Select the acquisitions and channels that the network was built for, or build it "
            f"with in_channels={got[2]}, timesteps={got[1]}."
        )
    step = 2**depth
    if got[3] % step or got[4] % step:
        raise ValueError(
            f"H and W must be multiples of 2**depth = {step}, but got H={got[3]}, W={got[4]}. "
            f"Pad or crop the tile to multiples of {step}, or build the network with a smaller depth."
        )
