"""Checks of names, values and input shapes, with messages for users."""

import difflib
from collections.abc import Iterable
from typing import Any

import torch

_MAX_SHOWN = 200  # characters of a value in a message


def unknown_name_error(kind: str, value: Any, choices: Iterable[Any]) -> ValueError:
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


def check_choice(argument: str, value: Any, choices: Iterable[Any]) -> None:
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


def check_share(name: str, value: float) -> None:
    """Raise ValueError unless *value*, the argument *name*, is a share of feature maps in [0, 1)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(
            f"{name} must be in [0, 1), but got {name}={value!r}. "
            "Pass the share of feature maps to drop, such as 0.1."
        )


def check_multiple(name: str, value: int, of: str, factor: int) -> None:
    """Raise ValueError unless *value*, the argument *name*, is a multiple of *factor*, which *of* names."""
    if value % factor:
        raise ValueError(
            f"{name} must be a multiple of {of} = {factor}, but got {name}={value}. "
            f"Pass {name}={-(-value // factor) * factor}, or another {of}."
        )


def check_width(name: str, value: int, most: int) -> None:
    """Raise ValueError unless *value*, the argument *name*, is a whole number from 1 to *most*."""
    check_positive_integers(**{name: value})
    if value > most:
        raise ValueError(
            f"{name} must be at most {most}, but got {name}={value}. Pass a smaller value to save memory."
        )


def check_series(x: torch.Tensor, days: torch.Tensor, in_channels: int, depth: int) -> None:
    """Check the input of a network that reads dates; T may be any number from 1.

    Args:
        x: Input, shape ``(B, T, C, H, W)``.
        days: Days from the event to each acquisition, shape ``(B, T)``; NaN where there is none.
        in_channels: C of the network.
        depth: Number of 2x2 poolings.

    Raises:
        ValueError: If the number of axes, C, H, W or the shape of *days* is wrong.
    """
    if torch.compiler.is_compiling():
        return
    check_input(x, in_channels, x.shape[1] if x.ndim == 5 else 1, depth)
    if x.shape[1] < 1:
        raise ValueError(
            f"x must have at least one acquisition, but got T=0 in shape {tuple(x.shape)}. "
            "Give an acquisition, or one without data: x of 0 and the day NaN."
        )
    if tuple(days.shape) != tuple(x.shape[:2]):
        raise ValueError(
            f"days must have shape (B, T) = {tuple(x.shape[:2])}, one day per acquisition of x, but got shape "
            f"{tuple(days.shape)}. Give the days from the event, NaN for an acquisition that is missing."
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
