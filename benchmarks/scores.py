"""What a restored clip is judged by; adding a metric is adding an entry to `SCORERS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from ..core import metrics
from ..core.errors import BackendMissingError
from ..core.spec import Array

Score = Callable[[Array, Array, float], dict[str, float]]
"""(clean (N,), candidate (N,), bandwidth_hz), both at 48 kHz -> value of every metric."""

_JUDGED_HZ = 16_000
_HIGH_BAND_HZ = 8000.0
_PESQ_WORST = 1.0
_SI_SDR_LIMIT_DB = 100.0


@dataclass(frozen=True)
class Scorer:
    """A source of metrics: their table headings by name, and the packages that it needs."""

    headings: Mapping[str, str]
    score: Score
    packages: tuple[str, ...] = ()


def headings() -> dict[str, str]:
    """The table heading of every metric, by name."""
    return {name: text for scorer in SCORERS for name, text in scorer.headings.items()}


def packages() -> list[str]:
    """The packages that the metrics need beyond the toolkit's own."""
    return [package for scorer in SCORERS for package in scorer.packages]


def require() -> None:
    """Raise `BackendMissingError` unless every package is there: told before any work is done."""
    if missing := [package for package in packages() if find_spec(package) is None]:
        raise BackendMissingError(
            f"measuring quality needs {', '.join(missing)}; "
            "install with: pip install 'hiresldm[quality]'"
        )


def score(clean: Array, candidate: Array, bandwidth_hz: float) -> dict[str, float]:
    """Every metric of a candidate (N,) against its clean clip (N,), nan where there is none."""
    values: dict[str, float] = {}
    for scorer in SCORERS:
        values |= scorer.score(clean, candidate, bandwidth_hz)
    return values


def _dnsmos(clean: Array, candidate: Array, bandwidth_hz: float) -> dict[str, float]:
    wave = _at_16_khz(candidate)
    # speechmos refuses samples beyond full scale; the level is kept otherwise, as it counts.
    made = _dnsmos_judge()(wave / max(1.0, float(np.abs(wave).max())), _JUDGED_HZ, False)
    return {f"dnsmos_{part}": float(made[f"{part}_mos"]) for part in ("ovrl", "sig", "bak", "p808")}


@cache
def _dnsmos_judge() -> Any:
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


def _pesq(clean: Array, candidate: Array, bandwidth_hz: float) -> dict[str, float]:
    from pesq import PesqError, pesq

    ways = {"mode": "wb", "on_error": PesqError.RETURN_VALUES}
    value = float(pesq(_JUDGED_HZ, _at_16_khz(clean), _at_16_khz(candidate), **ways))
    # Where it finds no speech PESQ gives nan or a negative code: that may not pass as a gap.
    return {"pesq": value if value >= _PESQ_WORST else _PESQ_WORST}


def _estoi(clean: Array, candidate: Array, bandwidth_hz: float) -> dict[str, float]:
    from pystoi import stoi

    judged = (_at_16_khz(clean), _at_16_khz(candidate))
    return {"estoi": float(stoi(*judged, _JUDGED_HZ, extended=True))}


def _spectral(clean: Array, candidate: Array, bandwidth_hz: float) -> dict[str, float]:
    high = metrics.lsd(clean, candidate, low_hz=_HIGH_BAND_HZ, bandwidth_hz=bandwidth_hz)
    return {"lsd": metrics.lsd(clean, candidate, bandwidth_hz=bandwidth_hz), "lsd_hf": high}


def _si_sdr(clean: Array, candidate: Array, bandwidth_hz: float) -> dict[str, float]:
    # Untouched speech has an infinite ratio, which no mean survives.
    ratio_db = metrics.si_sdr_db(clean, candidate)
    return {"sisdr": float(np.clip(ratio_db, -_SI_SDR_LIMIT_DB, _SI_SDR_LIMIT_DB))}


def _at_16_khz(wave: Array) -> Array:
    return np.asarray(soxr.resample(wave, metrics.RATE_HZ, _JUDGED_HZ), np.float32)


SCORERS = (
    Scorer(
        {
            "dnsmos_ovrl": "DNSMOS OVRL ↑",
            "dnsmos_sig": "SIG ↑",
            "dnsmos_bak": "BAK ↑",
            "dnsmos_p808": "P808 ↑",
        },
        _dnsmos,
        # speechmos imports the other two without declaring them.
        ("speechmos", "librosa", "requests"),
    ),
    Scorer({"pesq": "PESQ-WB ↑"}, _pesq, ("pesq",)),
    Scorer({"estoi": "ESTOI ↑"}, _estoi, ("pystoi",)),
    Scorer({"lsd": "LSD ↓", "lsd_hf": "LSD 8-24 kHz ↓"}, _spectral),
    Scorer({"sisdr": "SI-SDR dB ↑"}, _si_sdr),
)
