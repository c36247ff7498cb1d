"""Where the time goes: ONNX Runtime's own profile, by component and operator."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...core.bundle import manifest as bundles
from ...core.calls import Call, noting
from ...core.errors import ToolkitError
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from ...runtimes import on_ort
from ...runtimes.restorer import Restorer, chosen

RUNS = 5
_KERNEL = "_kernel_time"
_PRODUCTS = (
    *("MatMul", "FusedMatMul", "Gemm", "FusedGemm"),
    *("MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"),
)
_PEAK = """
import numpy as np, time
a, b = (np.random.rand(768, 768).astype(np.float32) for _ in range(2))
a @ b
best = min((lambda began: (a @ b, time.perf_counter() - began)[1])(time.perf_counter())
           for _ in range(100))
print(768**3 / best)
"""
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def profile(root: Path, speech: Array, *, precision: str | None) -> dict[str, Any]:
    """Seconds, multiply-adds and bytes by component and operator, one thread, per second of audio.

    Also the machine's largest rate of float32 multiply-adds on one thread, as NumPy reaches it, of
    which `rows` tell the share that each operator achieves.
    """
    calls: list[Call] = []
    restorer = Restorer.load(root, precision=precision, threads=1, wrap=noting(calls))
    restorer(speech, RATE_HZ)
    peak = _peak_macs_per_s()
    audio_s = len(speech) / RATE_HZ
    rows: list[dict[str, Any]] = []
    for artifact in chosen(bundles.load(root), on_ort, precision, root):
        given = [call.inputs for call in calls if call.component == artifact.component]
        with TemporaryDirectory() as folder:
            events = on_ort.profiled(artifact, root, given, runs=RUNS, folder=Path(folder))
        rows += _rows(artifact.component, events, RUNS * audio_s, peak)
    return {"peak_macs_per_s": peak, "rows": sorted(rows, key=lambda row: -row["seconds"])}


def _rows(
    component: str, events: Sequence[Mapping[str, Any]], audio_s: float, peak: float
) -> list[dict[str, Any]]:
    by_type: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
            own, about = by_type[event["args"]["op_name"]], event["args"]
            own["seconds"] += event["dur"] * 1e-6 / audio_s
            own["macs"] += macs(about) / audio_s
            own["bytes"] += _bytes(about) / audio_s
    return [
        {"component": component, "operator": kind, **own, "of_peak": _share(own, peak)}
        for kind, own in by_type.items()
    ]


def macs(about: Mapping[str, Any]) -> int:
    """Multiply-adds of a profiled operator; 0 for one that is no product or convolution."""
    kind, given, made = about["op_name"], about["input_type_shape"], about["output_type_shape"]
    if kind in _PRODUCTS:
        return prod(_shape(made[0])) * _shape(given[0])[-1]
    if "Conv" in kind and len(given) > 1:
        # A transposed convolution multiplies at every input, a plain one at every output.
        at = given[0] if "Transpose" in kind else made[0]
        weight = _shape(given[1])
        return prod(_shape(at)) * prod(weight[1:])
    return 0


def _shape(tensor: Mapping[str, Sequence[int]]) -> Sequence[int]:
    (axes,) = tensor.values()
    return axes


def _bytes(about: Mapping[str, str]) -> int:
    return sum(int(about[f"{kind}_size"]) for kind in ("activation", "parameter", "output"))


def _share(own: Mapping[str, float], peak: float) -> float | None:
    return own["macs"] / own["seconds"] / peak if own["macs"] and own["seconds"] else None


def _peak_macs_per_s() -> float:
    """Of a matrix product in a process whose libraries were told to use one thread."""
    import os

    done = subprocess.run(  # noqa: S603
        [sys.executable, "-P", "-c", _PEAK],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **_ONE_THREAD},
    )
    if done.returncode:
        raise ToolkitError(f"NumPy's matrix product failed: {done.stderr.strip()[-200:]}")
    return float(done.stdout)
