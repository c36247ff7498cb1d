"""Arguments as people give them: each taken for what it is, or refused in one sentence."""

from __future__ import annotations

import operator
import os
from numbers import Real
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

import numpy as np

from .errors import AudioError, UsageError
from .signal.rates import check_rate
from .spec import Array


def whole(value: Any, what: str) -> int:
    """A whole number of any type that is one; raises `UsageError` for bool and everything else."""
    if isinstance(value, (bool, np.bool)) or not hasattr(value, "__index__"):
        raise UsageError(f"the {what} is {_shown(value)}; accepted are whole numbers")
    return operator.index(value)


def seconds(value: Any, what: str) -> float:
    """A finite number above 0; raises `UsageError` for everything else."""
    if not _is_number(value) or not 0 < value < float("inf"):
        raise UsageError(f"{what} is {_shown(value)}; accepted are seconds above 0")
    return float(value)


def share(value: Any, what: str) -> float:
    """A number from 0 to 1; raises `UsageError` for everything else."""
    if not _is_number(value) or not 0 <= value <= 1:
        raise UsageError(f"the {what} is {_shown(value)}; accepted are numbers from 0 to 1")
    return float(value)


def path(value: Any, what: str) -> Path:
    """The path of text or of a path object; raises `UsageError` for everything else."""
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str):
        raise UsageError(f"{what} is {_shown(value)}; accepted are str and pathlib.Path")
    return Path(value)


def wave(value: Any, sample_rate_hz: Any) -> Array:
    """The wave as (N, channels) float32, where it can be restored at this rate.

    Raises `AudioError` for what is no array of finite floats (N,) or (N, channels) with as many
    frames as channels at least, and for a rate that no recording has.
    """
    _check_array(value)
    rate(sample_rate_hz, "the wave")
    return _finite(value).reshape(len(value), -1)


def rate(value: Any, what: str) -> Any:
    """A sample rate in Hz of any type of number; raises `AudioError` for one of no recording."""
    if not _is_number(value):
        raise AudioError(f"the sample rate is {_shown(value)}; accepted are numbers")
    check_rate(value, what)
    return value


def block(value: Any, channels: int) -> Array:
    """Some samples of a stream as (n, channels) float32.

    Raises `AudioError` for what is no array of finite floats (n, channels), or (n,) of one channel.
    """
    _check_floats(value)
    if value.shape[1:] != (channels,) and (value.ndim != 1 or channels != 1):
        raise AudioError(
            f"the block has shape {value.shape}; accepted is (n, {channels})"
            + (" or (n,)" if channels == 1 else "")
        )
    return _finite(value).reshape(-1, channels)


def _check_floats(wave: Any) -> None:
    accepted = "accepted are NumPy arrays of floats with full scale at 1.0"
    if not isinstance(wave, np.ndarray):
        raise AudioError(f"the wave is of type {_type(wave)}; {accepted}")
    if not np.issubdtype(wave.dtype, np.floating):
        raise AudioError(f"the wave is an array of {wave.dtype}; {accepted}")


def _finite(wave: Any) -> Array:
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and told below
        taken = np.asarray(wave, np.float32)
    if not np.isfinite(taken).all():
        raise AudioError("the wave holds a sample that is not a finite number")
    return taken


def _check_array(wave: Any) -> None:
    _check_floats(wave)
    if wave.ndim not in (1, 2) or not wave.size:
        raise AudioError(f"the wave has shape {wave.shape}; accepted are (N,) and (N, channels)")
    if wave.ndim == 2 and wave.shape[1] > wave.shape[0]:
        raise AudioError(
            f"the wave has shape {wave.shape}, more channels than frames; accepted is "
            "(frames, channels), which wave.T makes of (channels, frames)"
        )


def count(value: Any, what: str) -> int:
    """A whole number above 0; raises `UsageError` for everything else."""
    if (number := whole(value, what)) < 1:
        raise UsageError(f"the {what} is {number}; accepted are whole numbers above 0")
    return number


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    """A value as it is written, on one line and short, with its type."""
    return f"{' '.join(shortened(value).split())} of type {_type(value)}"


def _type(value: Any) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
