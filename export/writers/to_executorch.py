"""ExecuTorch programs for phones: one `.pte` per component, its layers on XNNPACK.

In int8 what enters a layer is rounded too, anew for every call: XNNPACK multiplies integers.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...core.bundle.quantized import Quantized
from ...core.bundle.schemes import Precision
from ...core.errors import ExportError, ParityError
from ...core.quiet import quiet, silenced
from ...core.spec import Artifact, Component, ExportJob
from .files import content_addressed, described
from .refusals import check_operations, check_precision
from .tracing import dynamic, example

FORMAT = "executorch"
PRECISIONS = (Precision.FP32, Precision.INT8)

CONTRACT = "contract"
"""The method that gives `_contract` as JSON."""

LONGEST = 1024
"""Frames that a program takes at most: it asks for the memory of so many when it is opened."""
_LOWEST, _HIGHEST = -128, 127


def export(job: ExportJob) -> Artifact:
    """Write the component below `job.out`.

    Raises `UsageError` for a precision this format does not offer, `ExportError` for a network
    with operations or integers that it cannot hold, and `ParityError` where the file does not hold
    the weights that were meant.
    """
    check_precision(job, FORMAT, PRECISIONS)
    check_operations(job, FORMAT)
    module = _with_layers(job.module, job.quantized)
    draft = job.out / f"{job.component.name}.draft.pte"
    draft.write_bytes(_program(module, job.component))
    check_integers(draft, job.quantized)
    files = content_addressed([draft], f"{job.component.name}.{FORMAT}.{job.precision}")
    return described(job, FORMAT, files, ("torch", "executorch"))


def _program(module: Any, component: Component) -> bytes:
    import torch

    dim = component.dim
    dims = {dim.name: torch.export.Dim(dim.name, min=dim.low, max=min(dim.high, LONGEST))}
    shapes = tuple(dynamic(tensor.shape, dims) for tensor in component.inputs)
    with warnings.catch_warnings(), quiet("torch"), silenced():
        warnings.simplefilter("ignore")  # the exporter warns of its own deprecated calls
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        exported = torch.export.export(module, example(component), dynamic_shapes=shapes)
        lowered = to_edge_transform_and_lower(
            exported,
            partitioner=[XnnpackPartitioner()],
            constant_methods={CONTRACT: json.dumps(_contract(component))},
        )
        return bytes(lowered.to_executorch().buffer)


def _contract(component: Component) -> dict[str, Any]:
    """Names and shapes, None for an open axis, which the format itself does not keep."""
    kinds = {"inputs": component.inputs, "outputs": component.outputs}
    shapes = {
        kind: {one.name: [x if isinstance(x, int) else None for x in one.shape] for one in tensors}
        for kind, tensors in kinds.items()
    }
    frames = min(component.dim.high, LONGEST)
    return shapes | {"longest": {x.name: component.shape_of(x, frames) for x in component.inputs}}


def _with_layers(module: Any, quantized: Mapping[str, Quantized]) -> Any:
    """A copy of the module with linear layers as XNNPACK knows them, of integers where given.

    Raises `ExportError` for integers of another kind of layer.
    """
    changed = copy.deepcopy(module)
    paths = {f"{path}.weight": path for path, one in module.named_modules() if _is_ours(one)}
    for key in {**paths, **quantized}:
        path = key.removesuffix(".weight")
        layer, weight = module.get_submodule(path), quantized.get(key)
        if weight and weight.integers.ndim != 2:
            raise ExportError(f"{key}: executorch holds integers of linear layers alone")
        changed.set_submodule(path, _integer_layer(weight, layer) if weight else _layer(layer))
    return changed


def _is_ours(module: Any) -> bool:
    """Whether it is a linear layer whose weight is kept as (inputs, outputs)."""
    return getattr(module, "output_axis", None) == 1 and module.weight.ndim == 2


def _layer(ours: Any) -> Any:
    import torch

    made = torch.nn.Linear(*ours.weight.shape)
    made.load_state_dict({"weight": ours.weight.detach().T, "bias": ours.bias.detach()})
    return made.eval()


def _integer_layer(weight: Quantized, layer: Any) -> Any:
    """A linear layer in the words that XNNPACK's partitioner knows."""
    import torch
    from torch.ao.quantization.fx import _decomposed  # noqa: F401  # declares the operations

    operations = torch.ops.quantized_decomposed
    rows = weight if weight.axis == 0 else weight.transposed
    whole = (_LOWEST, _HIGHEST, torch.int8)

    class IntegerLinear(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("integers", torch.from_numpy(rows.integers.copy()))
            self.register_buffer("scale", torch.from_numpy(rows.scale.reshape(-1).copy()))
            self.register_buffer("zero", torch.zeros(len(rows.integers), dtype=torch.int64))
            self.bias = layer.bias

        def forward(self, x: Any) -> Any:
            least = torch.finfo(torch.float32).eps
            scale, zero = operations.choose_qparams.tensor(x, _LOWEST, _HIGHEST, least, torch.int8)
            rounded = operations.quantize_per_tensor.tensor(x, scale, zero, *whole)
            x = operations.dequantize_per_tensor.tensor(rounded, scale, zero, *whole)
            held = operations.dequantize_per_channel(
                self.integers, self.scale, self.zero, 0, -_HIGHEST, _HIGHEST, torch.int8
            )
            return torch.nn.functional.linear(x, held, self.bias)

    return IntegerLinear()


def check_integers(path: Path, quantized: Mapping[str, Quantized]) -> None:
    """Raise `ParityError` unless the integers of every weight lie in the file, outputs first."""
    held = path.read_bytes()
    for key, weight in quantized.items():
        rows = weight if weight.axis == 0 else weight.transposed
        if np.ascontiguousarray(rows.integers).tobytes() not in held:
            raise ParityError(f"{path}: the integers of {key} are not the ones written")
