"""Where the time goes: the engines' own profiles, by component and operator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...core.bundle import manifest as bundles
from ...core.calls import Call, noting
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array, Arrays, Artifact
from ...runtimes import on_openvino, on_ort
from ...runtimes.restorer import Restorer, chosen, runtime_of
from .peaks import FLOAT32, INT8

RUNS = 5
_KERNEL = "_kernel_time"
_FLOAT_PRODUCTS = ("MatMul", "FusedMatMul", "Gemm", "FusedGemm")
_INTEGER_PRODUCTS = ("MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul")

Spent = tuple[str, Mapping[str, float]]
"""(operator, what one call of it took: seconds and, where the engine tells shapes, macs, bytes)."""


def profile(
    root: Path,
    speech: Array,
    *,
    backend: str,
    precision: str | None,
    peaks_macs_per_s: Mapping[str, float],
) -> list[dict[str, Any]]:
    """Rows of seconds, multiply-adds and bytes by component and operator, per second of audio.

    On one thread, the longest first. `of_peak` is the share of the rate that a plain matrix product
    of such numbers reaches.
    """
    calls: list[Call] = []
    load: Mapping[str, Any] = {"backend": backend, "precision": precision, "threads": 1}
    Restorer.load(root, wrap=noting(calls), **load)(speech, RATE_HZ)
    audio_s = RUNS * len(speech) / RATE_HZ
    rows: list[dict[str, Any]] = []
    for artifact in chosen(bundles.load(root), runtime_of(backend), precision, root):
        given = [call.inputs for call in calls if call.component == artifact.component]
        about = {"backend": backend, "precision": artifact.precision}
        about["component"] = artifact.component
        spent = _PROFILERS[backend](artifact, root, given)
        rows += [about | row for row in _rows(spent, audio_s, peaks_macs_per_s)]
    return sorted(rows, key=lambda row: -row["seconds"])


def can_profile(backend: str) -> bool:
    """Whether the engine tells what its operators took."""
    return backend in _PROFILERS


def _rows(
    spent: Iterator[Spent], audio_s: float, peaks_macs_per_s: Mapping[str, float]
) -> Iterator[dict[str, Any]]:
    by_type: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for kind, amounts in spent:
        for name, amount in amounts.items():
            by_type[kind][name] += amount / audio_s
    for kind, own in by_type.items():
        peak = peaks_macs_per_s.get(INT8 if kind in _INTEGER_PRODUCTS else FLOAT32)
        known = own.get("macs") and own["seconds"]
        share = own["macs"] / own["seconds"] / peak if known and peak else None
        yield {"operator": kind, "macs": None, "bytes": None, **own, "of_peak": share}


def _of_ort(artifact: Artifact, root: Path, given: Sequence[Arrays]) -> Iterator[Spent]:
    with TemporaryDirectory() as folder:
        events = on_ort.profiled(artifact, root, given, runs=RUNS, folder=Path(folder))
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
            about, seconds = event["args"], event["dur"] * 1e-6
            yield about["op_name"], {"seconds": seconds, "macs": macs(about), "bytes": moved(about)}


def _of_openvino(artifact: Artifact, root: Path, given: Sequence[Arrays]) -> Iterator[Spent]:
    for kind, seconds in on_openvino.profiled(artifact, root, given, runs=RUNS):
        yield kind, {"seconds": seconds}


_PROFILERS: Mapping[str, Callable[[Artifact, Path, Sequence[Arrays]], Iterator[Spent]]] = {
    "ort": _of_ort,
    "openvino": _of_openvino,
}


def macs(about: Mapping[str, Any]) -> int:
    """Multiply-adds of an operator in ONNX Runtime's profile; 0 for no product or convolution."""
    kind, given, made = about["op_name"], about["input_type_shape"], about["output_type_shape"]
    if kind in (*_FLOAT_PRODUCTS, *_INTEGER_PRODUCTS):
        return prod(_shape(made[0])) * _shape(given[0])[-1]
    if "Conv" in kind and len(given) > 1:
        # A transposed convolution multiplies at every input, a plain one at every output.
        at = given[0] if "Transpose" in kind else made[0]
        weight = _shape(given[1])
        return prod(_shape(at)) * prod(weight[1:])
    return 0


def moved(about: Mapping[str, str]) -> int:
    """Bytes that an operator in ONNX Runtime's profile reads and writes."""
    return sum(int(about[f"{kind}_size"]) for kind in ("activation", "parameter", "output"))


def _shape(tensor: Mapping[str, Sequence[int]]) -> Sequence[int]:
    (axes,) = tensor.values()
    return axes
