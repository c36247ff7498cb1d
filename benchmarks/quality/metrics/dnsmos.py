"""DNSMOS (Reddy 2022): what people would say of speech, background and the whole, from 1 to 5."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ....core.spec import Array
from ...rates import METRIC_HZ, at_16_khz

MODULES = ("speechmos", "librosa", "requests")
"""What it imports; speechmos needs the other two without declaring them."""


def scores(wave: Array) -> dict[str, float]:
    """`dnsmos_ovrl`, `_sig`, `_bak` and `_p808` of a wave (N,) at 48 kHz."""
    judged = at_16_khz(wave)
    # speechmos refuses samples beyond full scale; the level is kept otherwise, as it counts.
    made = _model()(judged / max(1.0, float(np.abs(judged).max())), METRIC_HZ, False)
    return {f"dnsmos_{part}": float(made[f"{part}_mos"]) for part in ("ovrl", "sig", "bak", "p808")}


@cache
def _model() -> Any:
    """DNSMOS as speechmos has it, on one thread: on all of them, parallel scoring crawls."""
    import onnxruntime as ort
    from speechmos import dnsmos

    models = Path(dnsmos.__file__).parent / "dnsmos_models"
    paths = [models / "sig_bak_ovr.onnx", models / "model_v8.onnx"]
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    judge = dnsmos.DNSMOS(*map(str, paths))
    judge.onnx_sess, judge.p808_onnx_sess = (
        ort.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for path in paths
    )
    return judge
