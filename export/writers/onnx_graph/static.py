"""Activations and weights at 8 bits in an ONNX graph: static QDQ, calibrated on captured inputs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ....core.quiet import quiet
from ....core.spec import Arrays, Component

OPERATORS = ("MatMul", "Gemm")
"""The rest stays in float32, convolutions too: they cost 4 dB and hold few weights."""


def to_w8a8(model: Any, component: Component, samples: Sequence[Arrays]) -> Any:
    """The graph with u8 activations and s8 weights per channel, ranges by MinMax on the samples.

    Boundary layers keep their float weights and activations.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "fp32.onnx", Path(folder) / "w8a8.onnx"
        onnx.save(model, source)
        with quiet():  # it asks for a simplified graph on the root logger, which this is
            quantize_static(
                source,
                target,
                _reader(samples),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                op_types_to_quantize=list(OPERATORS),
                nodes_to_exclude=boundary(model, component),
            )
        return onnx.load(target)


def boundary(model: Any, component: Component) -> list[str]:
    """Names of the nodes that are boundary layers of a component."""
    return [
        node.name
        for node in model.graph.node
        if node.op_type in OPERATORS and any(map(component.at_boundary, node.input))
    ]


def _reader(samples: Sequence[Arrays]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # the base comes without types
        def __init__(self) -> None:
            self.left: Iterator[Arrays] = iter(samples)

        def get_next(self) -> Arrays | None:
            return next(self.left, None)

    return Reader()
