"""A PyTorch component as a MIL program, in memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from functools import lru_cache
from io import StringIO
from typing import Any

import numpy as np

from ....core.bundle.schemes import Precision
from ....core.errors import ExportError
from ....core.quiet import quiet
from ....core.spec import Component, Dim, ExportJob, Tensor
from .. import operations
from ..tracing import dynamic, example


@contextmanager
def unheard() -> Iterator[None]:
    """Silence coremltools: progress bars, untested versions, and what it cannot do off a Mac."""
    with quiet("coremltools"), redirect_stderr(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def convert(job: ExportJob, enumerated_frames: Sequence[int]) -> Any:
    """The component as a MIL program that computes in fp16, or in fp32 where that is asked for.

    Its inputs and outputs are float32. It takes the numbers of frames in `enumerated_frames`, or
    any number within the bounds of the component where that is empty. Raises `ExportError` for a
    component that coremltools cannot convert.
    """
    import coremltools as ct

    component = job.component
    operations.teach_coreml(component)
    exact = job.precision == Precision.FP32 or component.needs_float32
    compute = ct.precision.FLOAT32 if exact else ct.precision.FLOAT16
    try:
        return ct.convert(
            _trace(job.module, component),
            inputs=[_input(component, tensor, enumerated_frames) for tensor in component.inputs],
            outputs=[ct.TensorType(name=t.name, dtype=np.float32) for t in component.outputs],
            convert_to="milinternal",
            compute_precision=compute,
            minimum_deployment_target=ct.target.iOS18,
        )
    except (NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        raise ExportError(f"coreml: {component.name} cannot be converted: {error}") from error


def finish(program: Any) -> Any:
    """The program as a Core ML model, with no further change to its operations."""
    import coremltools as ct

    return ct.convert(
        program,
        source="milinternal",
        convert_to="mlprogram",
        pass_pipeline=ct.PassPipeline.EMPTY,
        minimum_deployment_target=ct.target.iOS18,
        skip_model_load=True,
    )


# A component is traced once for all its precisions, which follow one another in a build.
@lru_cache(maxsize=1)
def _trace(module: Any, component: Component) -> Any:
    import torch

    dims: dict[str, Any] = {}
    program = torch.export.export(
        module,
        example(component),
        dynamic_shapes=tuple(dynamic(tensor.shape, dims) for tensor in component.inputs),
        strict=False,
    )
    return program.run_decompositions({})


def _input(component: Component, tensor: Tensor, enumerated_frames: Sequence[int]) -> Any:
    import coremltools as ct

    if all(isinstance(axis, int) for axis in tensor.shape):
        shape = ct.Shape(tensor.concrete({}))
    elif enumerated_frames:
        shapes = [component.shape_of(tensor, frames) for frames in enumerated_frames]
        shape = ct.EnumeratedShapes(shapes=shapes, default=shapes[0])
    else:
        shape = ct.Shape(tuple(_range(axis) for axis in tensor.shape))
    return ct.TensorType(name=tensor.name, shape=shape, dtype=np.float32)


def _range(axis: int | Dim | tuple[int, Dim]) -> Any:
    import coremltools as ct

    if isinstance(axis, int):
        return axis
    multiple, dim = axis if isinstance(axis, tuple) else (1, axis)
    return ct.RangeDim(multiple * dim.low, multiple * dim.high, default=multiple * dim.example)
