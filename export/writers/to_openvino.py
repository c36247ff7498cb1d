"""OpenVINO IR: one `.xml` and one `.bin` per component, converted from its ONNX graph.

fp16, int8, int4 and mixed are stored weights; what the graph computes with is the device's choice.
bf16 is the file of fp16, computed in bfloat16 where the CPU has it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ...core.bundle.schemes import SCHEMES, Precision
from ...core.errors import ParityError, UsageError
from ...core.quiet import quiet, refuse_telemetry
from ...core.spec import Artifact, ExportJob
from .files import content_addressed, described
from .onnx_graph.integers import by_key, store_integers, unpack
from .refusals import check_precision
from .roundtrip import check_integers
from .tracing import trace

FORMAT = "openvino"
PRECISIONS = tuple(kind for kind, scheme in SCHEMES.items() if not scheme.palette | scheme.dynamic)
# Depthwise convolutions quantized per channel compute NaN, or do not compile at all.
NEVER_QUANTIZED = ("GroupConvolution",)


def export(job: ExportJob) -> Artifact:
    """Write the component below `job.out`.

    Raises `UsageError` for a precision this format does not offer or w8a8 without calibration,
    and `ParityError` where the written file does not hold what was meant.
    """
    check_precision(job, FORMAT, PRECISIONS)
    if job.precision is Precision.W8A8 and not job.calibration:
        raise UsageError("openvino: w8a8 needs calibration samples")
    model, tools = _model(job)
    if job.precision is Precision.W8A8:
        model, tools = _with_activations(model, job), (*tools, "nncf")
    if job.quantized:
        _narrow(model)
    draft = job.out / f"{job.component.name}.draft.xml"
    _openvino().save_model(
        model, draft, compress_to_fp16=job.precision in (Precision.FP16, Precision.BF16)
    )
    # In w8a8 they are NNCF's own, smoothed and rounded anew: the gate of the build judges them.
    if job.precision is not Precision.W8A8:
        check_integers(draft, read_integers(draft), job.quantized)
    _check_floats(draft, job)
    files = content_addressed(
        [draft, draft.with_suffix(".bin")], f"{job.component.name}.{FORMAT}.{job.precision}"
    )
    return described(job, FORMAT, files, (*tools, "openvino"))


_STEPS = ("Convert", "Multiply", "Reshape")
_LAYERS = (
    "MatMul",
    "Convolution",
    "ConvolutionBackpropData",
    "GroupConvolution",
    "GroupConvolutionBackpropData",
)


def read_integers(path: Path) -> dict[str, np.ndarray]:
    """Integers of a file's weights by state-dict key, one int8 each, laid out as there."""
    found: dict[str, np.ndarray] = {}
    model = _read(path)
    for node in _constants(model):
        kind = node.get_element_type().get_type_name()
        if kind in ("i4", "i8"):
            weight = _weight_of(node)
            if weight is not None:
                found[weight.get_friendly_name()] = _integers(node, kind, weight)
    return by_key(found)


def _integers(constant: Any, kind: str, weight: Any) -> np.ndarray:
    shape = tuple(weight.get_output_shape(0))
    if kind == "i4":
        return unpack(constant.get_tensor_view().data.view(np.uint8).reshape(-1), shape)
    return np.asarray(constant.data, np.int8).reshape(shape)


def _weight_of(constant: Any) -> Any:
    """The node that computes a weight from its integers: the last before a layer."""
    node = constant
    while True:
        readers = [port.get_node() for port in node.output(0).get_target_inputs()]
        if not readers or readers[0].get_type_name() not in (*_STEPS, *_LAYERS):
            return None
        if readers[0].get_type_name() in _LAYERS:
            return node
        node = readers[0]


def _model(job: ExportJob) -> tuple[Any, tuple[str, ...]]:
    graph, tools = trace(job.component, job.module)
    static = job.precision is Precision.W8A8  # then NNCF makes integers of the other weights
    at_boundary = job.component.at_boundary
    store_integers(graph, {k: v for k, v in job.quantized.items() if at_boundary(k) or not static})
    return converted(graph), tools


def converted(graph: Any) -> Any:
    """An ONNX graph as an OpenVINO model in memory."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.onnx"
        onnx.save(graph, path)
        return _openvino().convert_model(path)


def _narrow(model: Any) -> None:
    """Store float constants as fp16 where fp16 holds them exactly; `save_model` leaves them.

    It takes a model with integers in it for one that is compressed already.
    """
    from openvino import opset13 as ops

    for node in _constants(model):
        if node.get_element_type().get_type_name() != "f32":
            continue
        value = np.array(node.data)
        half = value.astype(np.float16)
        if value.size > 1 and np.array_equal(half.astype(np.float32), value):
            wide = ops.convert(ops.constant(half), "f32")
            wide.set_friendly_name(node.get_friendly_name())
            node.output(0).replace(wide.output(0))


def _with_activations(model: Any, job: ExportJob) -> Any:
    refuse_telemetry()
    import nncf

    edges = [
        node.get_friendly_name()
        for node in model.get_ops()
        if node.get_type_name() == "MatMul"
        and job.component.at_boundary(node.input_value(1).get_node().get_friendly_name())
    ]
    with quiet("nncf"):
        return nncf.quantize(
            model,
            nncf.Dataset([dict(sample) for sample in job.calibration]),
            subset_size=len(job.calibration),
            model_type=nncf.ModelType.TRANSFORMER,
            ignored_scope=nncf.IgnoredScope(edges, types=list(NEVER_QUANTIZED), validate=False),
        )


def _check_floats(path: Path, job: ExportJob) -> None:
    """Raise `ParityError` unless the file holds every float weight, bit for bit.

    The converter renames and transposes constants, so each weight is looked for by its content.
    """
    model = _read(path)
    stored = {_key(np.array(node.data)) for node in _constants(model) if _is_float(node)}
    for name, value in job.module.state_dict().items():
        if not name.endswith(".weight") or value.ndim < 2 or name in job.quantized:
            continue
        weight = value.detach().numpy()
        if not {_key(weight), _key(weight.T)} & stored:
            raise ParityError(f"{path}: does not hold {name}")


def _key(value: np.ndarray) -> bytes:
    return np.ascontiguousarray(value, np.float16).tobytes()


def _is_float(node: Any) -> bool:
    return node.get_element_type().get_type_name() in ("f16", "f32")


def _constants(model: Any) -> list[Any]:
    return [node for node in model.get_ops() if node.get_type_name() == "Constant"]


def _read(path: Path) -> Any:
    return _openvino().Core().read_model(path)


def _openvino() -> Any:
    refuse_telemetry()
    import openvino

    return openvino
