"""What a restored clip is filtered by: numbers of it, and of what it was made from."""

from __future__ import annotations

import math
from importlib.util import find_spec

from ..benchmarks.quality.metrics import dnsmos
from ..core.errors import BackendMissingError
from ..core.restorer import measure
from ..core.signal.metrics import RATE_HZ, bandwidth_hz, lost_speech
from ..core.spec import Array
from .clip import Record


def dnsmos_wanted(asked: bool | None) -> bool:
    """Whether DNSMOS is measured: as asked, else where it is installed.

    Raises `BackendMissingError` where it is asked for and not there.
    """
    missing = [name for name in dnsmos.MODULES if find_spec(name) is None]
    if asked and missing:
        raise BackendMissingError(
            f"DNSMOS needs {', '.join(missing)}; install with: pip install 'hiresldm[quality]'"
        )
    return not missing if asked is None else asked


def scores(given: Array, made: Array, *, has_dnsmos: bool) -> Record:
    """Scores of a restored wave (N,) at 48 kHz beside the one given; None where there is none.

    `lost_speech` is the share of the given speech that is no longer heard, from 0 to 1.
    """
    values = {
        "level_before_lufs": measure([given[:, None]], 1, RATE_HZ)[0],
        "level_after_lufs": measure([made[:, None]], 1, RATE_HZ)[0],
        "bandwidth_before_hz": bandwidth_hz(given),
        "bandwidth_after_hz": bandwidth_hz(made),
        "lost_speech": lost_speech(given, made)["all"],
        **(dnsmos.scores(made) if has_dnsmos else {}),
    }
    return {name: _rounded(value) for name, value in values.items()}


def _rounded(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
