"""Every intermediate value of a saved graph: what the first bad operation is looked for in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...core.spec import Array, Arrays, Artifact
from ...runtimes import on_openvino

Traced = list[tuple[str, str, Array]]
"""(name, type, value) of every operation that gives floats, in the order in which they run."""
Tracer = Callable[[Artifact, Path, Arrays], Traced]


def tracers() -> dict[str, Tracer]:
    """How the graph of each format is looked into."""
    from ...runtimes import on_mil

    return {"onnx": trace_onnx, "openvino": trace_openvino, "coreml": on_mil.trace}


def trace_onnx(artifact: Artifact, root: Path, arrays: Arrays) -> Traced:
    """Run the graph with every value as an output, and with nothing fused."""
    import onnx
    import onnxruntime as ort

    model = onnx.load(root / artifact.path)
    onnx.external_data_helper.load_external_data_for_model(model, str(root))
    made = [(node.name or node.op_type, node.op_type, name)
            for node in model.graph.node for name in node.output if name]  # fmt: skip
    given = {output.name for output in model.graph.output}
    model.graph.output.extend(
        onnx.ValueInfoProto(name=name) for _, _, name in made if name not in given
    )
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    values = session.run([name for _, _, name in made], dict(arrays))
    return _floats((name, kind, v) for (name, kind, _), v in zip(made, values, strict=True))


def trace_openvino(artifact: Artifact, root: Path, arrays: Arrays) -> Traced:
    """Run the graph, in float32, with every value as an output."""
    model = on_openvino.core().read_model(root / artifact.path)
    skipped = ("Parameter", "Constant", "Result")
    ports = [
        port
        for op in model.get_ordered_ops()
        if op.get_type_name() not in skipped
        for port in op.outputs()
    ]
    last = [port for port in ports if any(_is_result(to) for to in port.get_target_inputs())]
    inner = [port for port in ports if port not in last]
    model.add_outputs(inner)  # they follow the graph's own
    compiled = on_openvino.compiled(model)
    results = list(compiled(dict(arrays)).values())
    results = results[-len(inner) :] + results[: -len(inner)]
    nodes = [port.get_node() for port in (*inner, *last)]
    named = [(node.get_friendly_name(), node.get_type_name()) for node in nodes]
    return _floats((*about, np.array(v)) for about, v in zip(named, results, strict=True))


def _is_result(target: Any) -> bool:
    return bool(target.get_node().get_type_name() == "Result")


def _floats(traced: Any) -> Traced:
    return [
        (name, kind, np.asarray(value, np.float32))
        for name, kind, value in traced
        if isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating)
    ]
