"""Weights as integers in an ONNX graph: DequantizeLinear, its blocks, and reading them back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....core.bundle.quantized import Quantized, dequantize
from ....core.errors import ExportError
from ..tracing import TRANSPOSED, replace

STORED = ".stored"
"""Ends the name of what the file holds where the graph computes with something wider."""
STATIC = "_quantized"
"""The same, in the words of ONNX Runtime's own quantizer."""
SCALE = ".scale"
"""Ends the name of what its integers are multiplied with."""


def store_integers(model: Any, quantized: Mapping[str, Quantized]) -> None:
    """Give the weights their integers and a DequantizeLinear each, in place.

    Raises `ExportError` for a weight that the graph does not hold under its name.
    """
    names = {initializer.name for initializer in model.graph.initializer}
    held = in_graph(quantized, names)
    if len(held) < len(quantized):
        missing = quantized.keys() - {name.removesuffix(TRANSPOSED) for name in held}
        raise ExportError(f"the graph lacks the weights {', '.join(sorted(missing))}")
    kept = [i for i in model.graph.initializer if i.name not in held]
    nodes: list[Any] = []
    for name, weight in held.items():
        tensors, node = _dequantized(name, weight)
        kept += tensors
        nodes.append(node)
    replace(model.graph.initializer, kept)
    replace(model.graph.node, [*nodes, *model.graph.node])


def in_graph(quantized: Mapping[str, Quantized], names: Collection[str]) -> dict[str, Quantized]:
    """Weights by the names that the graph has for them, laid out as there; others are left out."""
    as_is = {key: weight for key, weight in quantized.items() if key in names}
    return as_is | {
        key + TRANSPOSED: weight.transposed
        for key, weight in quantized.items()
        if key not in as_is and key + TRANSPOSED in names
    }


def _dequantized(name: str, weight: Quantized) -> tuple[list[Any], Any]:
    import onnx
    from onnx import numpy_helper

    stored, scale = name + STORED, name + SCALE
    layout: dict[str, Any]
    if weight.bits == 4:
        data, kind = pack(weight.integers).tobytes(), onnx.TensorProto.INT4
        scales = weight.scale if weight.axis == 1 else weight.scale.T
        values, layout = scales, {"axis": 1 - weight.axis, "block_size": weight.block}
    else:
        data, kind = weight.integers.tobytes(), onnx.TensorProto.INT8
        values, layout = weight.scale[0], {"axis": weight.axis}
    integers = onnx.TensorProto(
        name=stored, data_type=kind, dims=weight.integers.shape, raw_data=data
    )
    node = onnx.helper.make_node("DequantizeLinear", [stored, scale], [name], **layout)
    return [integers, numpy_helper.from_array(np.ascontiguousarray(values), scale)], node


def round_weights(model: Any, quantized: Mapping[str, Quantized]) -> None:
    """Give the weights the float values that their integers stand for, in place."""
    from onnx import numpy_helper

    held = in_graph(quantized, {initializer.name for initializer in model.graph.initializer})
    for initializer in model.graph.initializer:
        if initializer.name in held:
            value = dequantize(held[initializer.name])
            initializer.CopyFrom(numpy_helper.from_array(value, initializer.name))


def pack(integers: np.ndarray) -> np.ndarray:
    """4-bit integers two to a byte, the first one low: the layout of ONNX and OpenVINO alike."""
    flat = integers.reshape(-1).astype(np.uint8) & 15
    return np.asarray(flat[0::2] | flat[1::2] << 4, np.uint8)


def unpack(data: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The 4-bit integers of `pack` as int8 of this shape."""
    pairs = np.stack([data & 15, data >> 4], axis=-1).reshape(-1)
    return np.asarray((pairs ^ 8).astype(np.int8) - 8, np.int8).reshape(shape)


def read_integers(path: Path) -> dict[str, np.ndarray]:
    """Integers of a file's weights by state-dict key, one int8 each, laid out as there."""
    import onnx

    kinds = {onnx.TensorProto.INT4, onnx.TensorProto.INT8}
    graph = onnx.load(path, load_external_data=False).graph
    # Zero points have one axis.
    weights = [t for t in graph.initializer if t.data_type in kinds and len(t.dims) > 1]
    stored = {t.name.removesuffix(STORED).removesuffix(STATIC): _integers(t) for t in weights}
    return by_key(stored | _rounded_when_opened(graph, str(path.parent)))


def by_key(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights by state-dict key, axes that a graph has exchanged put back."""
    return {
        name.removesuffix(TRANSPOSED): array.T if name.endswith(TRANSPOSED) else array
        for name, array in arrays.items()
    }


def _integers(tensor: Any) -> np.ndarray:
    import onnx

    if tensor.data_type == onnx.TensorProto.INT4:
        return unpack(np.frombuffer(tensor.raw_data, np.uint8), tuple(tensor.dims))
    return np.asarray(onnx.numpy_helper.to_array(tensor), np.int8)


def _rounded_when_opened(graph: Any, base: str) -> dict[str, np.ndarray]:
    """The integers that an engine makes of float weights, by the graph's names of these.

    `base` is the folder of the files that the graph refers to.
    """
    from onnx.numpy_helper import to_array

    held = {tensor.name: tensor for tensor in graph.initializer}
    casts = [node for node in graph.node if node.op_type == "Cast" and node.input[0] in held]
    held |= {node.output[0]: held[node.input[0]] for node in casts}
    found = {}
    for node in graph.node:
        # What enters a layer is rounded too, but is no weight.
        if node.op_type == "QuantizeLinear" and node.input[0] in held:
            weight, scale = (
                to_array(held[name], base).astype(np.float32) for name in node.input[:2]
            )
            found[node.input[0]] = np.clip(np.rint(weight / scale), -128, 127).astype(np.int8)
    return found
