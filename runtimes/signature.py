"""What a graph takes, and whether arrays fit it: the check every engine's wrapper shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import UsageError
from ..core.spec import Arrays


@dataclass(frozen=True)
class Input:
    """A declared input; an axis of None takes any size."""

    name: str
    dtype: np.dtype
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        axes = ", ".join("any" if axis is None else str(axis) for axis in self.shape)
        return f"{self.name} as {self.dtype} of shape ({axes})"


def check(component: str, expected: Sequence[Input], arrays: Arrays) -> None:
    """Raise `UsageError` where names, dtypes or shapes are not those that the graph declares."""
    names = {tensor.name for tensor in expected}
    if arrays.keys() != names:
        raise UsageError(f"{component} takes the inputs {sorted(names)}, not {sorted(arrays)}")
    for tensor in expected:
        array = arrays[tensor.name]
        if array.dtype != tensor.dtype or not _fits(array.shape, tensor.shape):
            raise UsageError(
                f"{component} takes {tensor}, not {array.dtype} of shape {array.shape}"
            )


def _fits(shape: Sequence[int], declared: Sequence[int | None]) -> bool:
    """Same rank, and the same size on every axis that has a fixed one."""
    return len(shape) == len(declared) and all(
        axis is None or size == axis for size, axis in zip(shape, declared, strict=True)
    )
