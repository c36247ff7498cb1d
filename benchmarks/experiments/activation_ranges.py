"""`python -m hiresldm.benchmarks.experiments.activation_ranges CALIBRATION OUT`.

Ways to choose those of w8a8, compared on inputs that no range was chosen by.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ...calibration import store
from ...calibration.store import Calibration
from ...core.signal.metrics import snr_db
from ...core.spec import Array, Arrays, Component
from ...export.writers.onnx_graph.static import OPERATORS, boundary
from ...export.writers.tracing import trace
from ...families.checkpoints import Model, load
from ...runtimes import on_torch
from ...runtimes.restorer import EMBEDDED_BUNDLE
from .. import provenance, report

USED = 28
"""Captured calls of a component that are used at most: half for the ranges, half to judge them."""


@dataclass(frozen=True)
class Method:
    """A calibrator of ONNX Runtime, by the name of its `CalibrationMethod`, and its options."""

    name: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)


METHODS = (
    Method("minmax", "MinMax"),
    # With as many bins as levels, the default, a single range is tried: the one that clips nothing.
    Method("entropy, 128 bins", "Entropy"),
    Method("entropy, 512 bins", "Entropy", {"num_bins": 512}),
    Method("percentile 99.999", "Percentile", {"symmetric": False}),
    Method("percentile 99.99", "Percentile", {"symmetric": False, "percentile": 99.99}),
)


@dataclass(frozen=True)
class Compared:
    """One method on one component: `snr_db` against PyTorch on the inputs held out.

    `changed` is the share of tensors whose range is not the one of the first method: at 0 the
    method had no effect.
    """

    component: str
    method: str
    snr_db: float
    changed: float
    seconds: float


def compare(model: Model, calibration: Calibration) -> Iterator[Compared]:
    """Every method on every component."""
    for component in model.components:
        inputs = calibration.spaced(component.name, USED)
        yield from compare_component(component, model.get_submodule(component.name), inputs)


def compare_component(
    component: Component, module: nn.Module, inputs: Sequence[Arrays]
) -> Iterator[Compared]:
    """Every method on one component: ranges from each other input, judged on the rest."""
    import onnx

    run, name = on_torch.runner(component, module), component.outputs[0].name
    expected = _joined([run(arrays)[name] for arrays in inputs[1::2]])
    graph, _ = trace(component, module)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fp32.onnx"
        onnx.save(graph, path)
        first: Mapping[str, tuple[float, ...]] = {}
        for method in METHODS:
            began = time.perf_counter()
            ranges = _ranges(path, inputs[::2], method)
            seconds = time.perf_counter() - began
            plain = _plain(ranges)
            first = first or plain
            got = _joined(_run(_quantized(path, component, ranges), inputs[1::2]))
            changed = np.mean([not np.allclose(plain[key], first[key], rtol=1e-3) for key in first])
            ratio_db = round(snr_db(expected, got), 2)
            yield Compared(component.name, method.name, ratio_db, float(changed), round(seconds, 2))


class _Reader:
    """Inputs one by one, then None, as ONNX Runtime's calibrators ask for them."""

    def __init__(self, inputs: Sequence[Arrays]) -> None:
        self._left = iter(inputs)

    def get_next(self) -> dict[str, Array] | None:
        arrays = next(self._left, None)
        return None if arrays is None else dict(arrays)


def _ranges(path: Path, inputs: Sequence[Arrays], method: Method) -> Any:
    from onnxruntime.quantization.calibrate import CalibrationMethod, create_calibrator

    calibrator = create_calibrator(
        path,
        OPERATORS,
        augmented_model_path=str(path.with_name("augmented.onnx")),
        calibrate_method=CalibrationMethod[method.kind],
        extra_options=dict(method.options),
    )
    with contextlib.redirect_stdout(io.StringIO()):  # the calibrators report there
        calibrator.collect_data(_Reader(inputs))
        return calibrator.compute_data()


def _plain(ranges: Any) -> dict[str, tuple[float, ...]]:
    return {
        name: tuple(float(np.ravel(edge)[0]) for edge in data.range_value)
        for name, data in ranges.data.items()
    }


def _quantized(path: Path, component: Component, ranges: Any) -> bytes:
    """The graph with inner layers between QDQ pairs: unsigned activations, weights by column."""
    import onnx
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    model = onnx.load(path)
    quantizer = QDQQuantizer(
        model,
        True,  # per_channel
        False,  # reduce_range
        QuantType.QInt8,
        QuantType.QUInt8,
        ranges,
        [],  # nodes_to_quantize: all
        boundary(model, component),  # nodes_to_exclude
        OPERATORS,
        {},
    )
    quantizer.quantize_model()
    return bytes(quantizer.model.model.SerializeToString())


def _run(graph: bytes, inputs: Sequence[Arrays]) -> list[Array]:
    import onnxruntime as ort

    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return [session.run(None, dict(arrays))[0] for arrays in inputs]


def _joined(arrays: Sequence[Array]) -> Array:
    return np.concatenate([array.reshape(-1) for array in arrays])


def main(calibration: Path, out: Path) -> None:
    """Compare the ways for every component of the embedded model, and write the rows."""
    rows = compare(load(EMBEDDED_BUNDLE), store.load(calibration))
    command = f"python -m {__spec__.name} CALIBRATION OUT"
    result = {"compared": [asdict(row) for row in rows], "command": command}
    report.write(result | {"machine": provenance.machine()}, out)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
