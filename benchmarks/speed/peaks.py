"""Multiply-adds a second that one thread reaches in a matrix product, by kind of number."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

from ...core.errors import ToolkitError

FLOAT32, INT8, BFLOAT16 = "float32", "int8", "bfloat16"
_WIDTH = 768
_ABSENT = 3
_ONNX_RUNTIME = """
import onnxruntime as ort
from onnx import helper, numpy_helper
def type_of(kind): return helper.np_dtype_to_tensor_dtype(np.dtype(kind))
def product(operator, a, b, made):
    node = helper.make_node(operator, ["a", "b"], ["y"])
    given, made = (helper.make_tensor_value_info(name, type_of(kind), [width, width])
                   for name, kind in (("a", a.dtype), ("y", made)))
    graph = helper.make_graph([node], "g", [given], [made], [numpy_helper.from_array(b, "b")])
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return lambda: session.run(None, {"a": a})
numbers = np.random.randint(0, 63, (width, width))
"""
_FLOATS = """
run = product("MatMul", numbers.astype(np.float32), numbers.astype(np.float32), np.float32)
"""
_INTEGERS = """
run = product("MatMulInteger", numbers.astype(np.uint8), numbers.astype(np.int8), np.int32)
"""
_OPENVINO = """
sys.modules["openvino_telemetry"] = None  # no network: it would tell its maker of this
import openvino as ov
from openvino import opset13 as op
a, b = (np.random.rand(width, width).astype(np.float32) for _ in range(2))
given = op.parameter([width, width], np.float32)
model = ov.Model([op.matmul(given, op.constant(b), False, False)], [given])
core = ov.Core()
if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"): sys.exit(absent)
hints = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": 1}
request = core.compile_model(model, "CPU", hints).create_infer_request()
run = lambda: request.infer([a])
"""
_TIMED = """
import sys, time
import numpy as np
width, absent = {width}, {absent}
try:
{product}
except ImportError:
    sys.exit(absent)
run()
took = lambda began: (run(), time.perf_counter() - began)[1]
print(width**3 / min(took(time.perf_counter()) for _ in range(100)))
"""
_PRODUCTS: Mapping[str, str] = {
    FLOAT32: _ONNX_RUNTIME + _FLOATS,
    INT8: _ONNX_RUNTIME + _INTEGERS,
    BFLOAT16: _OPENVINO,
}


def peaks_macs_per_s() -> dict[str, float]:
    """The rates that ONNX Runtime (float32, int8) and OpenVINO (bfloat16) reach.

    Each in a process of its own; without the packages that make such a product (`onnx` among them),
    or on a CPU without bfloat16, that rate is left out.
    """
    rates = {kind: _rate(product) for kind, product in _PRODUCTS.items()}
    return {kind: rate for kind, rate in rates.items() if rate is not None}


def _rate(product: str) -> float | None:
    indented = "".join(f"    {line}\n" for line in product.strip().splitlines())
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-P", "-c", _TIMED.format(width=_WIDTH, absent=_ABSENT, product=indented)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == _ABSENT:
        return None
    if done.returncode:
        raise ToolkitError(f"a matrix product failed: {done.stderr.strip()[-200:]}")
    return float(done.stdout)
