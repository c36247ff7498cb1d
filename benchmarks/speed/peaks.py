"""Multiply-adds a second that one thread reaches in a matrix product, by kind of number."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from ...core.errors import ToolkitError

FLOAT32, INT8, BFLOAT16 = "float32", "int8", "bfloat16"
_WIDTH = 768
_ABSENT = 3
_NUMPY = """
a, b = (np.random.rand(width, width).astype(np.float32) for _ in range(2))
run = lambda: a @ b
"""
_ONNX_RUNTIME = """
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
nodes = [helper.make_node("MatMulInteger", ["a", "b"], ["y"])]
b = numpy_helper.from_array(np.random.randint(-63, 63, (width, width)).astype(np.int8), "b")
given = helper.make_tensor_value_info("a", TensorProto.UINT8, [width, width])
made = helper.make_tensor_value_info("y", TensorProto.INT32, [width, width])
model = helper.make_model(
    helper.make_graph(nodes, "g", [given], [made], [b]),
    ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
a = np.random.randint(0, 255, (width, width)).astype(np.uint8)
run = lambda: session.run(None, {"a": a})
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
_PRODUCTS: Mapping[str, str] = {FLOAT32: _NUMPY, INT8: _ONNX_RUNTIME, BFLOAT16: _OPENVINO}
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def peaks_macs_per_s() -> dict[str, float]:
    """The rates that NumPy (float32), ONNX Runtime (int8) and OpenVINO (bfloat16) reach.

    Each in a process whose libraries were told to use one thread; without the packages that make
    such a product, or on a CPU without bfloat16, that rate is left out.
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
        env={**os.environ, **_ONE_THREAD},
    )
    if done.returncode == _ABSENT:
        return None
    if done.returncode:
        raise ToolkitError(f"a matrix product failed: {done.stderr.strip()[-200:]}")
    return float(done.stdout)
