"""A written file is read back: what it holds must be what was meant.

Converters have corrupted weights without a word (odd blocks, transposed constants, fp16 overflow);
no figure of sound finds one flipped weight among millions, a comparison does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...core.bundle.quantized import Quantized
from ...core.errors import ParityError


def check_integers(
    path: Path, got: Mapping[str, np.ndarray], meant: Mapping[str, Quantized]
) -> None:
    """Raise `ParityError` unless the file's integers are exactly the ones meant."""
    if got.keys() != meant.keys():
        raise ParityError(f"{path}: holds integers of {sorted(got)}, not of {sorted(meant)}")
    for name, weight in meant.items():
        held = got[name]
        alike = held.size == weight.integers.size
        # Converters give grouped convolutions an axis more.
        if not alike or not np.array_equal(held.reshape(weight.integers.shape), weight.integers):
            raise ParityError(f"{path}: the integers of {name} are not the ones written")


def check_floats(
    path: Path, got: Mapping[str, np.ndarray], meant: Mapping[str, np.ndarray], slack: float
) -> None:
    """Raise `ParityError` for weights missing or off by more than `slack` of their largest.

    Weights that are equal to each other may lie in the file once.
    """
    for name, weight in meant.items():
        limit = slack * np.abs(weight).max(initial=0.0)
        if name not in got:
            if not any(_error(one, weight) <= limit for one in got.values()):
                raise ParityError(f"{path}: does not hold {name}")
        elif not (error := _error(got[name], weight)) <= limit:
            raise ParityError(f"{path}: {name} was stored with an error of {error:.3g}")


def _error(held: np.ndarray, weight: np.ndarray) -> float:
    """The largest difference; infinite between weights of other sizes."""
    if held.size != weight.size:
        return np.inf
    return float(np.abs(held.reshape(weight.shape) - weight).max(initial=0.0))
