"""A component as an ONNX graph in memory, weights inside: where ONNX and OpenVINO files begin."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from ...core.errors import ExportError
from ...core.quiet import quiet
from ...core.spec import Component, Dim
from . import operations

OPSET = 21
"""The first with 4-bit integers and blocks in DequantizeLinear."""
TRANSPOSED = ".T"
"""Ends the name of a weight that a graph holds with its two axes exchanged."""
NEVER_IN_GRAPH = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "STFT")


def trace(component: Component, module: Any) -> tuple[Any, tuple[str, ...]]:
    """A fresh float32 ModelProto of the component, and the packages that made it.

    Initializers bear the names of the module's state dict. Raises `ExportError` for a graph with
    operators that are the host's, and for one that takes a single number of frames.
    """
    import onnx

    data, tools = _traced(module, component)
    return onnx.load_from_string(data), tools


# A component is traced once for all its formats and precisions, which follow one another in a
# build.
@lru_cache(maxsize=1)
def _traced(module: Any, component: Component) -> tuple[bytes, tuple[str, ...]]:
    import onnxsim

    model = _export(module, component)
    _strip(model)
    tools: tuple[str, ...] = ("torch", "onnx", "onnxscript")
    simplified, equal = onnxsim.simplify(model, skip_fuse_bn=True)  # weights stay what they are
    if equal and len(simplified.graph.node) < len(model.graph.node):
        model, tools = simplified, (*tools, "onnxsim")
    found = {node.op_type for node in model.graph.node} & set(NEVER_IN_GRAPH)
    if found:
        raise ExportError(f"{', '.join(sorted(found))} in the graph must be left to the host")
    _check_axes(model, component)
    _name_weights(model, module)
    return model.SerializeToString(), tools


def _export(module: Any, component: Component) -> Any:
    import torch

    dims: dict[str, Any] = {}
    with warnings.catch_warnings(), quiet("torch.onnx"):
        # torch's exporter warns of its own deprecated calls and of inputs that share an axis.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            example(component),
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            input_names=[tensor.name for tensor in component.inputs],
            output_names=[tensor.name for tensor in component.outputs],
            dynamic_shapes=tuple(dynamic(tensor.shape, dims) for tensor in component.inputs),
            custom_translation_table=operations.onnx_table(component),
            verbose=False,
        )
    if program is None:  # torch returns None only where it writes the file itself
        raise ExportError("torch gave no ONNX program")
    return program.model_proto


def _check_axes(model: Any, component: Component) -> None:
    """Raise `ExportError` where an axis is a number that should be open.

    torch says nothing where an operation, such as its own GRU, makes one of it.
    """
    declared = (*model.graph.input, *model.graph.output)
    shapes = {value.name: value.type.tensor_type.shape.dim for value in declared}
    for tensor in (*component.inputs, *component.outputs):
        # Strict where a shape is declared; of an output it may be left out.
        for axis, meant in zip(shapes[tensor.name], tensor.shape, strict=bool(tensor.shape)):
            if not isinstance(meant, int) and axis.HasField("dim_value"):
                raise ExportError(
                    f"{component.name}: its graph has {axis.dim_value} frames of {tensor.name} "
                    "and no other number; an operation in it, such as nn.GRU, has fixed them"
                )


def example(component: Component, frames: int | None = None) -> tuple[Any, ...]:
    """Inputs of zeros, of so many frames, or of the length that the component is traced at."""
    import torch

    frames = frames or component.dim.example
    return tuple(torch.zeros(component.shape_of(tensor, frames)) for tensor in component.inputs)


def dynamic(shape: tuple[int | Dim | tuple[int, Dim], ...], dims: dict[str, Any]) -> Any:
    """`Dim`s in torch's words; one torch Dim for each name, so that inputs share it."""
    from torch.export import Dim as TorchDim

    axes: dict[int, Any] = {}
    for index, axis in enumerate(shape):
        if isinstance(axis, int):
            continue
        multiple, dim = axis if isinstance(axis, tuple) else (1, axis)
        own = dims.setdefault(dim.name, TorchDim(dim.name, min=dim.low, max=dim.high))
        axes[index] = own if multiple == 1 else multiple * own
    return axes


def _name_weights(model: Any, module: Any) -> None:
    """Name weights that were folded on the way after the state dict again, by their content.

    One that lies in the graph with its axes exchanged is called `<key>.T`. Of weights that are the
    same each takes its turn.
    """
    from onnx import numpy_helper

    held = {initializer.name for initializer in model.graph.initializer}
    state = module.state_dict()
    left = {
        key: value.detach().numpy()
        for key, value in state.items()
        if key not in held and value.ndim > 1
    }
    names = {}
    unknown = [one for one in model.graph.initializer if one.name not in state]
    for initializer in unknown if left else ():
        if found := _named(_content(numpy_helper.to_array(initializer)), left):
            del left[found.removesuffix(TRANSPOSED)]
            names[initializer.name] = initializer.name = found
    for node in model.graph.node:
        replace_names(node.input, names)


def _named(content: tuple[Any, ...], weights: Mapping[str, np.ndarray]) -> str | None:
    """The name of the first weight with this content, as it is or transposed."""
    for key, weight in weights.items():
        if weight.size == np.prod(content[0]):
            if _content(weight) == content:
                return key
            if weight.ndim == 2 and _content(weight.T) == content:
                return key + TRANSPOSED
    return None


def replace_names(inputs: Any, names: Mapping[str, str]) -> None:
    """Give a node's inputs their new names, in place."""
    for index, name in enumerate(inputs):
        inputs[index] = names.get(name, name)


def _content(array: np.ndarray) -> tuple[Any, ...]:
    return array.shape, array.dtype.str, array.tobytes()


def _strip(model: Any) -> None:
    """Drop the exporter's stack traces: they hold paths of the machine that built the graph."""
    for node in model.graph.node:
        scope = [prop for prop in node.metadata_props if prop.key == "pkg.torch.onnx.name_scopes"]
        replace(node.metadata_props, scope)


def replace(repeated: Any, items: list[Any]) -> None:
    """Make a protobuf list hold exactly these messages."""
    copies = [item.__class__.FromString(item.SerializeToString()) for item in items]
    del repeated[:]
    repeated.extend(copies)


def strip_names(model: Any) -> None:
    """Drop shapes and scopes that only help a reader: a tenth of a 4-bit file."""
    replace(model.graph.value_info, [])
    for node in model.graph.node:
        replace(node.metadata_props, [])
