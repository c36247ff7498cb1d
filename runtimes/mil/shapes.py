"""The shapes that a Core ML package takes, and whether arrays have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import UsageError
from ...core.spec import Arrays
from ..signature import Input
from ..signature import check as check_signature

_FLOAT32 = np.dtype(np.float32)


@dataclass(frozen=True)
class Shapes:
    """What an input takes: the shapes `listed`, or any whose sizes lie within `bounds`."""

    listed: tuple[tuple[int, ...], ...]
    bounds: tuple[tuple[int, int], ...] = ()

    @property
    def axes(self) -> tuple[int | None, ...]:
        """The size of every axis that has but one, None for the others."""
        edges = self.bounds or [
            (min(sizes), max(sizes)) for sizes in zip(*self.listed, strict=True)
        ]
        return tuple(low if low == high else None for low, high in edges)

    def takes(self, shape: Sequence[int]) -> bool:
        """Whether an array of this shape, whose rank is right, may be given."""
        if self.listed:
            return tuple(shape) in self.listed
        pairs = zip(shape, self.bounds, strict=True)
        return all(low <= size <= high for size, (low, high) in pairs)

    def __str__(self) -> str:
        if self.listed:
            return " or ".join(map(str, self.listed))
        return " x ".join(f"{low} to {high}" for low, high in self.bounds)


def declared(spec: Any) -> dict[str, Shapes]:
    """The shapes of every input of a Core ML specification, by name."""
    return {
        feature.name: _shapes(feature.type.multiArrayType) for feature in spec.description.input
    }


def check(component: str, expected: Mapping[str, Shapes], arrays: Arrays) -> None:
    """Raise `UsageError` where names, dtypes or shapes are not those of the package."""
    inputs = [Input(name, _FLOAT32, shapes.axes) for name, shapes in expected.items()]
    check_signature(component, inputs, arrays)
    for name, shapes in expected.items():
        if not shapes.takes(arrays[name].shape):
            raise UsageError(
                f"{component} takes {name} of shape {shapes}, not {arrays[name].shape}"
            )


def _shapes(array: Any) -> Shapes:
    if array.WhichOneof("ShapeFlexibility") == "shapeRange":
        ranges = array.shapeRange.sizeRanges
        return Shapes((), tuple((r.lowerBound, r.upperBound) for r in ranges))
    listed = tuple(tuple(shape.shape) for shape in array.enumeratedShapes.shapes)
    return Shapes(listed or (tuple(array.shape),))
