"""Whose voice it is: how near the speaker of a restored clip is to that of the clean one."""

from __future__ import annotations

import warnings
from functools import cache, lru_cache
from typing import Any

import numpy as np

from ....core.spec import Array
from ...rates import at_16_khz
from ..testset import Pair

_LEVEL = 10 ** (-30 / 20)
"""RMS that the network was trained at."""


def similarity(pair: Pair, candidate: Array) -> float:
    """Cosine between the speaker embeddings of a candidate (N,) at 48 kHz and of the clean clip.

    Resemblyzer (GE2E, Wan 2018) on whole clips: cutting the pauses out, as it can, would cut
    another place in every candidate.
    """
    return float(_clean_embedding(pair) @ _embedding(candidate))


@lru_cache(maxsize=1)
def _clean_embedding(pair: Pair) -> Array:
    return _embedding(pair.reference)


def _embedding(wave: Array) -> Array:
    resampled = at_16_khz(wave)
    level = float(np.sqrt((resampled**2).mean()))
    gain = np.float32(max(1.0, _LEVEL / level)) if level > 0.0 else np.float32(1.0)
    return np.asarray(_encoder().embed_utterance(resampled * gain), np.float32)


@cache
def _encoder() -> Any:
    with warnings.catch_warnings():
        # It imports one function of SciPy by its former address.
        warnings.simplefilter("ignore", DeprecationWarning)
        from resemblyzer import VoiceEncoder

    return VoiceEncoder("cpu", verbose=False)
