"""Short damaged clips to calibrate on, spread over kinds of damage and over its strength."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from ..core.errors import UsageError
from ..core.metrics import si_sdr_db
from ..core.spec import Array
from ..reference.training import corpus
from ..reference.training.cache import make_distorter
from ..reference.training.distortion import CLASSES, Distorter
from ..reference.training.noises import Rng

DRAWN = 3
"""Clips drawn for each one kept: kept are those evenly spaced in the order of their SNR."""
_SNR_LIMIT_DB = 100.0


@dataclass(frozen=True)
class Case:
    """A damaged crop (N,) at 48 kHz; `snr_db` is its scale-invariant ratio to the clean one."""

    clip: str
    kind: str
    snr_db: float
    damaged: Array


def cases(data: Path, *, clips: int, seconds: float, seed: int) -> Iterator[Case]:
    """`clips` crops of the train split, every kind of damage about as often as any other.

    The same seed gives the same crops; speakers are equally likely. Raises `UsageError` where
    `data` has no train recording of that length.
    """
    long_enough = [r for r in corpus.speech(data, "train") if _duration_s(r) >= seconds]
    if not long_enough:
        raise UsageError(f"{data}: no train recording of at least {seconds:g} s")
    own = defaultdict(list)
    for recording in long_enough:
        own[recording.speaker].append(recording)

    def voice(rng: Rng) -> Array:
        return corpus.read(long_enough[int(rng.integers(len(long_enough)))])

    distorter = make_distorter(data, "train", voice)
    for number, kind in enumerate(CLASSES):
        count = len(range(number, clips, len(CLASSES)))
        rngs = [np.random.default_rng([seed, number, index]) for index in range(DRAWN * count)]
        drawn = [_case(own, kind, distorter, seconds, rng) for rng in rngs]
        yield from sorted(drawn, key=lambda case: case.snr_db)[DRAWN // 2 :: DRAWN]


def _case(
    own: Mapping[str, Sequence[corpus.Recording]],
    kind: str,
    distorter: Distorter,
    seconds: float,
    rng: Rng,
) -> Case:
    recordings = own[sorted(own)[int(rng.integers(len(own)))]]
    recording = recordings[int(rng.integers(len(recordings)))]
    wave, length = corpus.read(recording), round(seconds * corpus.RATE_HZ)
    clean = wave[int(rng.integers(len(wave) - length + 1)) :][:length]
    damaged = distorter(clean, distorter.kinds_of(kind, rng), rng)
    # A clean clip has an infinite ratio and a silent one none: neither can be written as JSON.
    snr_db = float(np.clip(si_sdr_db(clean, damaged), -_SNR_LIMIT_DB, _SNR_LIMIT_DB))
    return Case(recording.path.stem, kind, snr_db, damaged)


def _duration_s(recording: corpus.Recording) -> float:
    return float(soundfile.info(recording.path).duration)
