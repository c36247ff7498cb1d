"""A float32 graph to fp16, but for islands of nodes whose values fp16 does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....core.metrics import snr_db
from ....core.spec import Array, Arrays

FP16_MAX = 65_504.0
HEADROOM = 4.0
"""Sound louder than the samples must still fit: an island begins at this fraction of the limit."""


def to_fp16(model: Any, samples: Sequence[Arrays], floor_db: float) -> tuple[Any, list[str]]:
    """The graph in fp16 with float32 inputs and outputs, and the names of the nodes left in fp32.

    Nodes that come near the largest fp16 value on the samples stay in float32; then, while the
    graph misses `floor_db`, so does the type of operator that gains the most by it.
    """
    expected = run(model, samples)
    islands = _out_of_range(model, samples)
    half = _converted(model, islands, set())
    types: set[str] = set()
    candidates = {node.op_type for node in model.graph.node}
    while _worst_db(expected, run(half, samples)) < floor_db and candidates - types:
        trials = {t: _converted(model, islands, types | {t}) for t in sorted(candidates - types)}
        best = max(trials, key=lambda t: _worst_db(expected, run(trials[t], samples)))
        types.add(best)
        half = trials[best]
    named = [node.name for node in model.graph.node if node.op_type in types]
    return half, sorted({*islands, *named})


def peaks(model: Any, samples: Sequence[Arrays]) -> dict[str, float]:
    """Largest magnitude of every tensor inside the graph over the samples, by its name."""
    import onnx

    probed = onnx.ModelProto.FromString(model.SerializeToString())
    known = {output.name for output in probed.graph.output}
    inside = [name for node in model.graph.node for name in node.output if name not in known]
    probed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inside)
    names = [output.name for output in probed.graph.output]
    largest = dict.fromkeys(names, 0.0)
    session = _session(probed)
    for sample in samples:
        for name, value in zip(names, session.run(names, dict(sample)), strict=True):
            if value.dtype == np.float32 and value.size:
                largest[name] = max(largest[name], float(np.abs(value).max()))
    return largest


def run(model: Any, samples: Sequence[Arrays]) -> list[Array]:
    """First output of the graph for every sample."""
    session = _session(model)
    return [session.run(None, dict(sample))[0] for sample in samples]


def _session(model: Any) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3  # it warns of every initializer that optimisation made idle
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _out_of_range(model: Any, samples: Sequence[Arrays]) -> list[str]:
    largest = peaks(model, samples)
    return [
        node.name
        for node in model.graph.node
        if max(largest.get(name, 0.0) for name in [*node.input, *node.output]) > FP16_MAX / HEADROOM
    ]


def _worst_db(expected: Sequence[Array], got: Sequence[Array]) -> float:
    return min(snr_db(a, b) for a, b in zip(expected, got, strict=True))


def _converted(model: Any, islands: Sequence[str], types: set[str]) -> Any:
    import onnx
    from onnxruntime.transformers import float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    half = float16.convert_float_to_float16(
        onnx.ModelProto.FromString(model.SerializeToString()),
        keep_io_types=True,
        node_block_list=list(islands),
        op_block_list=[*float16.DEFAULT_OP_BLOCK_LIST, *sorted(types)],
    )
    OnnxModel(half).topological_sort()  # the converter appends its casts at the end
    return half
