"""A saved `.mlpackage` as a list of steps that run one after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core.errors import IntegrityError, UsageError, reason
from ...core.spec import Array, Arrays
from .ops import KERNELS, rounded
from .package import read
from .shapes import Shapes, check, declared

Value = Tensor | str


@dataclass(frozen=True)
class Step:
    """One operation: the values it takes, by argument, and the names and types of its results."""

    name: str
    type: str
    inputs: Mapping[str, str | tuple[str, ...]]
    outputs: tuple[tuple[str, str], ...]

    def apply(self, values: Mapping[str, Value]) -> dict[str, Tensor]:
        """The results by name, rounded to their types; raises `UsageError` where it cannot run."""
        try:
            arguments = {
                name: values[source] if isinstance(source, str) else [values[s] for s in source]
                for name, source in self.inputs.items()
            }
            with torch.inference_mode():
                given = KERNELS[self.type](**arguments)
                results = [given] if isinstance(given, Tensor) else given
                pairs = zip(self.outputs, results, strict=True)
                return {name: rounded(value, dtype) for (name, dtype), value in pairs}
        except (RuntimeError, ValueError, TypeError, IndexError, KeyError) as error:
            raise UsageError(
                f"operation '{self.name}' ({self.type}) fails: {reason(error)}"
            ) from error


@dataclass(frozen=True)
class Program:
    """The main function of a package, its weights decompressed."""

    component: str
    inputs: Mapping[str, Shapes]
    outputs: tuple[str, ...]
    constants: Mapping[str, Value]
    steps: tuple[Step, ...]

    def run(self, arrays: Arrays) -> dict[str, Array]:
        """Outputs for these inputs; raises `UsageError` for inputs that do not fit."""
        values = self._start(arrays)
        for step in self.steps:
            values.update(step.apply(values))
        return {name: np.asarray(values[name]) for name in self.outputs}

    def trace(self, arrays: Arrays) -> Iterator[tuple[str, str, np.ndarray]]:
        """Name, operation type and value of every result, as it is computed."""
        values = self._start(arrays)
        for step in self.steps:
            results = step.apply(values)
            values.update(results)
            yield from ((name, step.type, value.numpy()) for name, value in results.items())

    def _start(self, arrays: Arrays) -> dict[str, Value]:
        check(self.component, self.inputs, arrays)
        return {**self.constants, **{name: torch.from_numpy(a) for name, a in arrays.items()}}


def load(path: Path, component: str) -> Program:
    """The program in the package `path`, which raises in the name of `component`.

    Raises `BackendMissingError` without coremltools, `IntegrityError` for a package that cannot be
    read and `UsageError` naming the first operation that is not known or does not work.
    """
    spec, function = read(path, ("const", *KERNELS))
    try:
        constants, steps = _unpacked(function.operations)
        outputs = tuple(feature.name for feature in spec.description.output)
        made = {name for step in steps for name, _ in step.outputs}
        if unmade := sorted(set(outputs) - made):
            raise ValueError(f"its output {unmade[0]} is the result of no operation")
        return Program(component, declared(spec), outputs, constants, steps)
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
        said = reason(error, path)
        raise IntegrityError(f"{path} is no Core ML program of a component: {said}") from error


def _unpacked(operations: Iterable[Any]) -> tuple[dict[str, Value], tuple[Step, ...]]:
    """The constants, decompressed, and what is to be computed."""
    constants: dict[str, Value] = {}
    steps = []
    for operation in operations:
        if operation.op_type == "const":
            constants[operation.outputs[0].name] = _constant(operation.outputs[0].val)
            continue
        step = _step(operation)
        if step.type.startswith("constexpr_"):
            constants.update(step.apply(constants))
        else:
            steps.append(step)
    return constants, tuple(steps)


def _step(operation: Any) -> Step:
    from coremltools.converters.mil.mil.types import builtin_to_string

    inputs = {
        name: tuple(v.name for v in value) if isinstance(value, (list, tuple)) else value.name
        for name, value in operation.inputs.items()
        if value is not None
    }
    outputs = tuple((result.name, builtin_to_string(result.dtype)) for result in operation.outputs)
    return Step(operation.name, operation.op_type, inputs, outputs)


def _constant(value: Any) -> Value:
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    # coremltools marks integers of fewer than 8 bits, one to a byte, by a dtype with metadata.
    tensor = torch.from_numpy(array.astype(np.dtype(array.dtype.str)))
    return tensor.float() if tensor.dtype == torch.float16 else tensor
