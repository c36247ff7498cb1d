"""Multiply-adds a second that one thread reaches in a matrix product, by kind of number."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...core.errors import BackendMissingError
from ...runtimes import on_openvino

FLOAT32, INT8, BFLOAT16 = "float32", "int8", "bfloat16"
_WIDTH, _RUNS = 768, 100

Product = Callable[[], Any]


def peaks_macs_per_s() -> dict[str, float]:
    """The rates that ONNX Runtime (float32, int8) and OpenVINO (bfloat16) reach.

    Without the packages that make such a product (`onnx` among them), or on a CPU without
    bfloat16, that rate is left out.
    """
    rates = {}
    for kind, prepare in _PRODUCTS.items():
        try:
            product = prepare()
        except (ImportError, BackendMissingError):
            continue
        rates[kind] = _rate(product)
    return rates


def _rate(product: Product) -> float:
    product()

    def seconds() -> float:
        began = time.perf_counter()
        product()
        return time.perf_counter() - began

    return float(_WIDTH**3 / min(seconds() for _ in range(_RUNS)))


def _floats() -> Product:
    numbers = _numbers().astype(np.float32)
    return _onnx("MatMul", numbers, numbers, np.dtype(np.float32))


def _integers() -> Product:
    numbers = _numbers()
    return _onnx(
        "MatMulInteger", numbers.astype(np.uint8), numbers.astype(np.int8), np.dtype(np.int32)
    )


def _onnx(operator: str, a: np.ndarray, b: np.ndarray, made: np.dtype) -> Product:
    import onnxruntime as ort
    from onnx import helper, numpy_helper

    def tensor(name: str, kind: np.dtype) -> Any:
        code = helper.np_dtype_to_tensor_dtype(kind)
        return helper.make_tensor_value_info(name, code, [_WIDTH, _WIDTH])

    node = helper.make_node(operator, ["a", "b"], ["y"])
    weights = [numpy_helper.from_array(b, "b")]
    graph = helper.make_graph([node], "g", [tensor("a", a.dtype)], [tensor("y", made)], weights)
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return lambda: session.run(None, {"a": a})


def _bfloats() -> Product:
    if "BF16" not in on_openvino.core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise BackendMissingError("this CPU has no bfloat16")
    import openvino
    from openvino import opset13

    numbers = _numbers().astype(np.float32)
    given = opset13.parameter([_WIDTH, _WIDTH], np.float32)
    product = opset13.matmul(given, opset13.constant(numbers), False, False)
    model = on_openvino.compiled(openvino.Model([product], [given]), precision="bf16")
    request = model.create_infer_request()
    return lambda: request.infer([numbers])


def _numbers() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 63, (_WIDTH, _WIDTH))


_PRODUCTS: Mapping[str, Callable[[], Product]] = {
    FLOAT32: _floats,
    INT8: _integers,
    BFLOAT16: _bfloats,
}
