"""Arguments as people give them: each taken for what it is, or refused in one sentence."""

from __future__ import annotations

import operator
import os
from numbers import Real
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

import numpy as np

from .audio import check_rate
from .errors import AudioError, UsageError
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
    if not _is_number(sample_rate_hz):
        raise AudioError(f"the sample rate is {_shown(sample_rate_hz)}; accepted are numbers")
    check_rate(sample_rate_hz, "the wave")
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and told below
        taken = np.asarray(value, np.float32)
    if not np.isfinite(taken).all():
        raise AudioError("the wave holds a sample that is not a finite number")
    return taken.reshape(len(taken), -1)


def _check_array(wave: Any) -> None:
    accepted = "accepted are NumPy arrays of floats with full scale at 1.0"
    if not isinstance(wave, np.ndarray):
        raise AudioError(f"the wave is of type {_type(wave)}; {accepted}")
    if not np.issubdtype(wave.dtype, np.floating):
        raise AudioError(f"the wave is an array of {wave.dtype}; {accepted}")
    if wave.ndim not in (1, 2) or not wave.size:
        raise AudioError(f"the wave has shape {wave.shape}; accepted are (N,) and (N, channels)")
    if wave.ndim == 2 and wave.shape[1] > wave.shape[0]:
        raise AudioError(
            f"the wave has shape {wave.shape}, more channels than frames; accepted is "
            "(frames, channels), which wave.T makes of (channels, frames)"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    """A value as it is written, on one line and short, with its type."""
    return f"{' '.join(shortened(value).split())} of type {_type(value)}"


def _type(value: Any) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
