"""What the neural engine would refuse or get wrong, seen in a program without running it.

The limits are those that Apple's tools and users report: tensors of rank 5 at most, axes of 16384
at most, sizes known when the model is compiled, and arithmetic in fp16.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .package import read

MAX_RANK = 5
MAX_AXIS = 16_384
MAX_FP16 = 65_504.0


@dataclass(frozen=True)
class Finding:
    """Something that keeps a program, or part of it, off the neural engine."""

    operation: str
    problem: str


def lint(path: Path) -> tuple[Finding, ...]:
    """What is wrong with the package `path` as a program for the neural engine; empty: nothing.

    An axis whose size depends on an input's is checked at the input only.
    """
    spec, program = read(path)
    inputs = (found for feature in spec.description.input for found in _input(feature))
    return (*inputs, *lint_operations(program))


def lint_operations(program: Any) -> Iterator[Finding]:
    """The same of the operations of a MIL program in memory, whatever its inputs."""
    for operation in program.functions["main"].operations:
        for output in operation.outputs:
            yield from _shape(operation.name, output.shape or ())
            if isinstance(output.val, (np.ndarray, np.floating)):
                yield from _range(operation.name, output.val)


def _input(feature: Any) -> Iterator[Finding]:
    array = feature.type.multiArrayType
    if array.WhichOneof("ShapeFlexibility") == "shapeRange":
        yield Finding(feature.name, "has a flexible shape; needed are enumerated or fixed ones")
    for listed in (array, *array.enumeratedShapes.shapes):
        yield from _shape(feature.name, tuple(listed.shape))


def _shape(name: str, shape: tuple[Any, ...]) -> Iterator[Finding]:
    if len(shape) > MAX_RANK:
        yield Finding(name, f"has rank {len(shape)}; the most is {MAX_RANK}")
    for size in shape:
        if isinstance(size, (int, np.integer)) and size > MAX_AXIS:
            yield Finding(name, f"has an axis of {size}; the most is {MAX_AXIS}")


def _range(name: str, value: np.ndarray | np.floating[Any]) -> Iterator[Finding]:
    largest = float(np.abs(value).max(initial=0.0)) if value.dtype.kind == "f" else 0.0
    if not largest <= MAX_FP16:
        yield Finding(name, f"holds {largest:g}; the largest of fp16 is {MAX_FP16:g}")
