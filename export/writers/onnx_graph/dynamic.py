"""Layers that multiply integers: what enters them is rounded anew in every call, by its range.

Written in standard operators, in the pattern that ONNX Runtime fuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ....core.bundle.quantized import Quantized
from ..tracing import TRANSPOSED, replace
from .integers import SCALE, STORED, in_graph, store_integers

ROUNDED = ".rounded"
"""Ends the name of the integers that an engine makes of a weight when it opens the graph."""
_ZERO = ".zero"


def to_dynamic(model: Any, quantized: Mapping[str, Quantized], *, from_floats: bool) -> None:
    """Multiply by the integers of matrices, in place; they are stored, or rounded when opened.

    With `from_floats` the graph keeps these weights as they are, and an engine rounds them once,
    when it opens the graph. Other layers get theirs as float32 from `DequantizeLinear`. Raises
    `ExportError` for a weight that the graph does not hold under its name.
    """
    names = {initializer.name for initializer in model.graph.initializer}
    products = {node.input[1] for node in model.graph.node if node.op_type == "MatMul"}
    held = in_graph(quantized, names & products)
    columns = {name: weight for name, weight in held.items() if _is_matrix(weight)}
    ending = ROUNDED if from_floats else STORED
    nodes = [one for node in model.graph.node for one in _changed(node, columns, ending)]
    tensors = [tensor for item in columns.items() for tensor in _factors(*item)]
    if from_floats:
        nodes = [*map(_rounding, columns), *nodes]
        tensors = [*model.graph.initializer, *tensors]
    else:
        kept = [one for one in model.graph.initializer if one.name not in columns]
        tensors = [*kept, *tensors, *(_integers(*item) for item in columns.items())]
    done = {name.removesuffix(TRANSPOSED) for name in columns}
    left = {key: weight for key, weight in quantized.items() if key not in done}
    replace(model.graph.node, nodes)
    replace(model.graph.initializer, tensors)
    store_integers(model, left)


def _is_matrix(weight: Quantized) -> bool:
    return weight.integers.ndim == 2 and weight.axis == 1 and weight.bits == 8


def _rounding(name: str) -> Any:
    from onnx.helper import make_node

    return make_node("QuantizeLinear", [name, name + SCALE, name + _ZERO], [name + ROUNDED], axis=1)


def _changed(node: Any, columns: Mapping[str, Quantized], ending: str) -> Iterator[Any]:
    from onnx.helper import make_node

    if node.op_type != "MatMul" or node.input[1] not in columns:
        yield node
        return
    given, weight, made = node.input[0], node.input[1], node.output[0]
    rounded, scale, zero = (f"{made}.{part}" for part in ("rounded", "scale", "zero"))
    total, wide, factor = (f"{made}.{part}" for part in ("total", "wide", "factor"))
    yield make_node("DynamicQuantizeLinear", [given], [rounded, scale, zero])
    operands = [rounded, weight + ending, zero, weight + _ZERO]
    yield make_node("MatMulInteger", operands, [total])
    yield make_node("Cast", [total], [wide], to=1)
    yield make_node("Mul", [scale, weight + SCALE], [factor])
    yield make_node("Mul", [wide, factor], [made])


def _factors(name: str, weight: Quantized) -> list[Any]:
    from onnx.numpy_helper import from_array

    zeros = np.zeros(weight.integers.shape[1], np.int8)
    scale = np.ascontiguousarray(weight.scale[0])
    return [from_array(scale, name + SCALE), from_array(zeros, name + _ZERO)]


def _integers(name: str, weight: Quantized) -> Any:
    from onnx.numpy_helper import from_array

    return from_array(np.ascontiguousarray(weight.integers), name + STORED)
