"""Short damaged clips to calibrate on, spread over kinds of damage and over its strength."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import UsageError
from ..core.signal.metrics import si_sdr_db
from ..core.spec import Array
from ..training.damage.bank import Sounds
from ..training.damage.draws import Draw
from ..training.damage.kinds import CLEAN, KINDS, MIXED, Damage, kinds_of
from ..training.data.corpus import RATE_HZ
from ..training.data.material import Material, assemble

CLASSES = (*KINDS, MIXED, CLEAN)
DRAWN = 3
"""Clips drawn for each one kept: kept are those evenly spaced in the order of their SNR."""
_SNR_LIMIT_DB = 100.0


@dataclass(frozen=True)
class Case:
    """A damaged crop (N,) at 48 kHz; `snr_db` is its scale-invariant ratio to the recording."""

    clip: str
    kind: str
    snr_db: float
    damaged: Array


def cases(data: Path, *, clips: int, seconds: float, seed: int) -> Iterator[Case]:
    """`clips` crops of the train split, every kind of damage about as often as any other.

    The same seed gives the same crops; speakers are equally likely. Raises `UsageError` where
    `data` has no train recording of that length.
    """
    material = assemble(data, "train")
    long_enough = np.flatnonzero(material.speech.recorded.lengths >= seconds * RATE_HZ)
    if not len(long_enough):
        raise UsageError(f"{data}: no train recording of at least {seconds:g} s")
    damage = Damage(Sounds(material))
    for number, kind in enumerate(CLASSES):
        count = len(range(number, clips, len(CLASSES)))
        draws = [Draw([seed, number, index]) for index in range(DRAWN * count)]
        drawn = [_case(material, long_enough, kind, damage, seconds, draw) for draw in draws]
        yield from sorted(drawn, key=lambda case: case.snr_db)[DRAWN // 2 :: DRAWN]


def _case(
    material: Material,
    usable: np.ndarray,
    kind: str,
    damage: Damage,
    seconds: float,
    draw: Draw,
) -> Case:
    voices = material.speech.speaker[usable]
    own = usable[voices == draw.rng.choice(np.unique(voices))]
    index = int(draw.rng.choice(own))
    wave, length = material.speech.recorded.wave(index), round(seconds * RATE_HZ)
    spoken = wave[int(draw.rng.integers(len(wave) - length + 1)) :][:length]
    damaged = damage(spoken, kinds_of(kind, draw), draw)
    # A clean clip has an infinite ratio and a silent one none: neither can be written as JSON.
    snr_db = float(np.clip(si_sdr_db(spoken, damaged), -_SNR_LIMIT_DB, _SNR_LIMIT_DB))
    return Case(material.speech.recordings[index].path.stem, kind, snr_db, damaged)
