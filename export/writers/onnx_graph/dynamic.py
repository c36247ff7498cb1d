"""Layers that multiply integers: what enters them is rounded anew in every call, by its range.

Written in standard operators, in the pattern that ONNX Runtime fuses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
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
    vectors = {one.name for one in model.graph.initializer if len(one.dims) == 1}
    nodes = _scaled_beforehand(nodes, vectors, [one.name for one in model.graph.output])
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


def _scaled_beforehand(
    nodes: Sequence[Any], vectors: Set[str], outputs: Sequence[str]
) -> list[Any]:
    """(x W + b) s as x (W s) + b s: what is constant an engine computes once, when it opens."""
    made_by = {name: node for node in nodes for name in node.output}
    uses = Counter([*outputs, *(name for node in nodes for name in node.input)])
    constant: list[Any] = []
    left = []
    for node in nodes:
        scales = node.op_type == "Mul" and node.input[1] in vectors and uses[node.input[0]] == 1
        layer = _layer(node.input[0], made_by, vectors) if scales else ()
        for taker in layer:
            constant.append(_product(taker.input[1], node.input[1]))
            taker.input[1] = constant[-1].output[0]
        if layer:
            layer[-1].output[0] = node.output[0]
        else:
            left.append(node)
    return [*constant, *left]


def _layer(made: str, made_by: Mapping[str, Any], vectors: Set[str]) -> Sequence[Any]:
    """Of the layer that made this, who multiplies by its scale and who adds its bias; () of others.

    Each has the constant as its second input.
    """
    total = made_by.get(made)
    if total is None or total.op_type != "Add" or total.input[1] not in vectors:
        return ()
    product = made_by.get(total.input[0])
    if product is None or product.op_type != "Mul":
        return ()
    factor = made_by.get(product.input[1])
    return (factor, total) if factor is not None and factor.input[1].endswith(SCALE) else ()


def _product(name: str, by: str) -> Any:
    from onnx.helper import make_node

    return make_node("Mul", [name, by], [f"{name}.by.{by}"])


def _factors(name: str, weight: Quantized) -> list[Any]:
    from onnx.numpy_helper import from_array

    zeros = np.zeros(weight.integers.shape[1], np.int8)
    scale = np.ascontiguousarray(weight.scale[0])
    return [from_array(scale, name + SCALE), from_array(zeros, name + _ZERO)]


def _integers(name: str, weight: Quantized) -> Any:
    from onnx.numpy_helper import from_array

    return from_array(np.ascontiguousarray(weight.integers), name + STORED)
