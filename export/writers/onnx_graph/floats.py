"""Float weights in an ONNX graph: kept in fp16, inside the file or in the checkpoint beside it.

The graph computes in float32 all the same: what is stored as fp16 is widened by a Cast when a
session opens, and only what fp16 holds exactly is stored so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ....core.bundle.weights import Stored, stored_tensors
from ..tracing import replace
from .integers import STORED

LEAST_BYTES = 1024
"""Smaller weights stay as they are: a Cast or a reference would cost more than they do."""


def cast_to_fp16(model: Any) -> None:
    """Store the large float32 initializers that fp16 holds exactly as fp16, in place."""
    from onnx import numpy_helper

    def stored(initializer: Any) -> Any:
        value = numpy_helper.to_array(initializer)
        half = value.astype(np.float16)
        if (half.astype(np.float32) != value).any():
            return None
        return numpy_helper.from_array(half, initializer.name)

    _substitute(model, stored)


def externalize(model: Any, weights: Path, module: Any) -> None:
    """Make the module's large weights references into its checkpoint, in place."""
    from onnx import numpy_helper

    entries = stored_tensors(weights)
    values = {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}

    def stored(initializer: Any) -> Any:
        weight = values.get(initializer.name)
        if weight is None or not np.array_equal(numpy_helper.to_array(initializer), weight):
            return None
        return _reference(initializer, entries[initializer.name], weights.name)

    _substitute(model, stored)


def _substitute(model: Any, stored: Any) -> None:
    """Put `stored(initializer)`, where not None, behind a Cast in the place of each large one."""
    import onnx

    kept, casts = [], []
    for initializer in model.graph.initializer:
        small = 4 * np.prod(initializer.dims) < LEAST_BYTES
        floats = initializer.data_type == onnx.TensorProto.FLOAT
        tensor = stored(initializer) if floats and not small else None
        kept.append(initializer if tensor is None else tensor)
        if tensor is not None and tensor.data_type != onnx.TensorProto.FLOAT:
            name, tensor.name = tensor.name, tensor.name + STORED
            casts.append(
                onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT)
            )
    replace(model.graph.initializer, kept)
    replace(model.graph.node, [*casts, *model.graph.node])


def _reference(initializer: Any, entry: Stored, location: str) -> Any:
    import onnx

    types = {"F16": onnx.TensorProto.FLOAT16, "F32": onnx.TensorProto.FLOAT}
    tensor = onnx.TensorProto(
        name=initializer.name, data_type=types[entry.dtype], dims=initializer.dims
    )
    tensor.data_location = onnx.TensorProto.EXTERNAL
    facts = {"location": location, "offset": entry.offset, "length": entry.length}
    for key, fact in facts.items():
        tensor.external_data.add(key=key, value=str(fact))
    return tensor
