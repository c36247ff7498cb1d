"""A float32 graph to fp16, but for nodes whose values fp16 does not hold."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from ....core.signal.metrics import snr_db
from ....core.spec import Array, Arrays
from ..tracing import replace

FP16_MAX = 65_504.0
HEADROOM = 4.0
"""Sound louder than the samples must still fit: a node stays in float32 from at this fraction of
the limit."""


def to_fp16(model: Any, samples: Sequence[Arrays], floor_db: float) -> tuple[Any, list[str]]:
    """The graph in fp16 with float32 inputs and outputs, and the names of the nodes left in fp32.

    Nodes that come near the largest fp16 value on the samples stay in float32; then, while the
    graph misses `floor_db`, so does the type of operator that gains the most by it.
    """
    expected = run(model, samples)
    fallback = _out_of_range(model, samples)
    half = _converted(model, fallback, set())
    types: set[str] = set()
    candidates = {node.op_type for node in model.graph.node}

    def nearness(kind: str) -> float:
        """With one more type of operator in float32; a trial is as large as the file."""
        return _worst_db(expected, run(_converted(model, fallback, types | {kind}), samples))

    while _worst_db(expected, run(half, samples)) < floor_db and candidates - types:
        types.add(max(sorted(candidates - types), key=nearness))
        half = _converted(model, fallback, types)
    named = [node.name for node in model.graph.node if node.op_type in types]
    return half, sorted({*fallback, *named})


def peaks(model: Any, samples: Sequence[Arrays]) -> dict[str, float]:
    """Largest magnitude of every float tensor inside the graph over the samples, by its name.

    The graph itself finds them, tensor by tensor: together they can be gigabytes.
    """
    nodes, outputs = list(model.graph.node), list(model.graph.output)
    floats = dict.fromkeys(_floats(model))
    # At once after each node: an engine keeps what is still to be looked at.
    looked = [(node, *_peaks_of(node, floats)) for node in nodes]
    replace(model.graph.node, [node for group in looked for node in group])
    replace(model.graph.output, [_value(name + _PEAK) for name in floats])
    session = _session(model)
    replace(model.graph.node, nodes)
    replace(model.graph.output, outputs)
    found = [session.run(None, dict(sample)) for sample in samples]
    return dict(zip(floats, np.max(np.asarray(found), axis=0, initial=0.0).tolist(), strict=True))


_PEAK = ".peak"


def _floats(model: Any) -> list[str]:
    """The names of the float tensors that nodes make, as an engine knows their types."""
    outputs = list(model.graph.output)
    names = dict.fromkeys(name for node in model.graph.node for name in node.output if name)
    replace(model.graph.output, [_value(name) for name in names])
    found = _session(model).get_outputs()
    replace(model.graph.output, outputs)
    return [output.name for output in found if output.type == "tensor(float)"]


def _value(name: str) -> Any:
    import onnx

    return onnx.ValueInfoProto(name=name)


def _peaks_of(node: Any, floats: Collection[str]) -> Iterator[Any]:
    """Nodes that find the largest magnitude of what a node makes."""
    from onnx.helper import make_node

    for name in node.output:
        if name in floats:
            size = f"{name}.magnitude"
            yield make_node("Abs", [name], [size])
            yield make_node("ReduceMax", [size], [name + _PEAK], keepdims=0)


def run(model: Any, samples: Sequence[Arrays]) -> list[Array]:
    """First output of the graph for every sample."""
    session = _session(model)
    return [session.run(None, dict(sample))[0] for sample in samples]


def _session(model: Any) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3  # it warns of every initializer that optimisation made idle
    options.enable_cpu_mem_arena = False  # which grows by doubling, and gives nothing back
    # In the order of the graph: the default one keeps what is looked at until the end.
    options.execution_order = ort.ExecutionOrder.PRIORITY_BASED
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


def _converted(model: Any, fallback: Sequence[str], types: set[str]) -> Any:
    import onnx
    from onnxruntime.transformers import float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    half = float16.convert_float_to_float16(
        onnx.ModelProto.FromString(model.SerializeToString()),
        keep_io_types=True,
        node_block_list=list(fallback),
        op_block_list=[*float16.DEFAULT_OP_BLOCK_LIST, *sorted(types)],
    )
    OnnxModel(half).topological_sort()  # the converter appends its casts at the end
    return half
