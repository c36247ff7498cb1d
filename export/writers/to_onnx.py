"""ONNX: one graph per component.

fp32 and int8-dynamic read their weights from the checkpoint beside them, so that a bundle holds
them once for PyTorch and ONNX alike; without a checkpoint int8-dynamic holds its integers. Every
other precision is one file that needs no other. int8, int4 and mixed are weights alone: a graph
that computes in float32 after DequantizeLinear; int8-dynamic and w8a8 multiply integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...core.bundle.schemes import SCHEMES, Precision
from ...core.errors import UsageError
from ...core.spec import Arrays, Artifact, ExportJob
from .files import content_addressed, described
from .onnx_graph.dynamic import to_dynamic
from .onnx_graph.floats import cast_to_fp16, externalize
from .onnx_graph.fp16 import to_fp16
from .onnx_graph.integers import (
    STORED,
    by_key,
    in_graph,
    read_integers,
    round_weights,
    store_integers,
)
from .onnx_graph.static import to_w8a8
from .refusals import check_precision
from .roundtrip import check_floats, check_integers
from .tracing import TRANSPOSED, strip_names, trace

FORMAT = "onnx"
PRECISIONS = tuple(kind for kind, scheme in SCHEMES.items() if not scheme.palette | scheme.bfloat16)
FROM_CHECKPOINT = (Precision.FP32, Precision.INT8_DYNAMIC)
"""Precisions whose weights lie in the checkpoint beside the file, where there is one."""
SLACK = {Precision.FP16: 2.0**-11}
"""How far a float weight may be off, as a fraction of its tensor's largest, by rounding alone."""

__all__ = ["FORMAT", "FROM_CHECKPOINT", "PRECISIONS", "export", "read_integers"]


def export(job: ExportJob) -> Artifact:
    """Write the component below `job.out`; some read their weights from the checkpoint beside them.

    Raises `UsageError` for a precision this format does not offer or w8a8 without calibration,
    and `ParityError` where the written file does not hold what was meant.
    """
    check(job)
    import onnx

    model, tools = trace(job.component, job.module)
    model, more = _converted(model, job)
    if job.precision is not Precision.FP32:
        strip_names(model)
    _describe(model, job.contract)
    draft = job.out / f"{job.component.name}.draft.onnx"
    onnx.save(model, draft)
    onnx.checker.check_model(draft, full_check=True)
    check_integers(draft, read_integers(draft), job.quantized)
    slack = SLACK.get(job.precision, 0.0)
    check_floats(draft, read_floats(draft), floats_meant(job), slack)
    (path,) = content_addressed([draft], f"{job.component.name}.{FORMAT}.{job.precision}")
    checkpoint = _checkpoint(job)
    read = [checkpoint] if checkpoint else []
    return described(job, FORMAT, [path, *read], (*tools, *more))


def check(job: ExportJob) -> None:
    """Raise `UsageError` for a job this format cannot do."""
    check_precision(job, FORMAT, PRECISIONS)
    if job.precision is Precision.W8A8 and not job.calibration:
        raise UsageError("onnx: w8a8 needs calibration samples")


def floats_meant(job: ExportJob) -> dict[str, np.ndarray]:
    """The weights of layers that the file must hold as floats, by state-dict key."""
    return {
        name: value.detach().numpy()
        for name, value in job.module.state_dict().items()
        if name.endswith(".weight") and value.ndim > 1 and name not in job.quantized
    }


def read_floats(path: Path) -> Mapping[str, np.ndarray]:
    """Weights of a file that are no matrices of integers, by state-dict key, widened."""
    import onnx
    from onnx import numpy_helper

    base = str(path.parent)
    kinds = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16}
    return by_key(
        {
            tensor.name.removesuffix(STORED): numpy_helper.to_array(tensor, base).astype(np.float32)
            for tensor in onnx.load(path, load_external_data=False).graph.initializer
            if tensor.data_type in kinds
        }
    )


def _converted(model: Any, job: ExportJob) -> tuple[Any, tuple[str, ...]]:
    if job.precision is Precision.FP16 and not job.component.needs_float32:
        samples: Sequence[Arrays] = job.calibration or [job.component.sample(frames=37, seed=1)]
        half, _ = to_fp16(model, samples, job.floor_db)
        return half, ("onnxruntime",)
    if job.precision is Precision.W8A8:
        # From what the integers stand for, ONNX Runtime arrives at the very same integers.
        round_weights(model, job.quantized)
        static = to_w8a8(model, job.component, job.calibration)
        left = in_graph(job.quantized, {i.name for i in static.graph.initializer})
        keys = {name.removesuffix(TRANSPOSED) for name in left}
        store_integers(static, {key: job.quantized[key] for key in keys})
        cast_to_fp16(static)
        return static, ("onnxruntime",)
    checkpoint = _checkpoint(job)
    if job.precision is Precision.INT8_DYNAMIC:
        to_dynamic(model, job.quantized, from_floats=checkpoint is not None)
    else:
        store_integers(model, job.quantized)
    if checkpoint:
        externalize(model, checkpoint, job.module)
    cast_to_fp16(model)
    return model, ()


def _checkpoint(job: ExportJob) -> Path | None:
    """The file that the graph reads its weights from, if it does."""
    return job.checkpoint if job.precision in FROM_CHECKPOINT else None


def _describe(model: Any, contract: Mapping[str, str]) -> None:
    """Write the contract into the graph, where a host without the manifest can read it."""
    import onnx

    onnx.helper.set_model_props(model, dict(contract))
    model.producer_name = "hiresldm"
