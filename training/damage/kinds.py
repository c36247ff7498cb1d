"""Damage by name, for clips that are to be compared: one kind at a time, or several in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ...core.spec import Array
from ..data.codecs import coded
from . import effects, noises
from .bank import Sounds
from .draws import Draw

KINDS = ("noise", "hiss", "reverb", "lowpass", "clip", "codec")
MIXED = "mixed"
"""Two kinds of damage or more."""
CLEAN = "clean"
"""Untouched speech: shows what a system does to speech that needs nothing."""
LIKELIHOOD = {"noise": 0.30, "reverb": 0.25, "lowpass": 0.20, "clip": 0.10, "codec": 0.15}
"""Of kinds that come together."""
COUNTS = {2: 0.5, 3: 0.3, 4: 0.2}
HEARD = {"noise": 0.5, "reverb": 0.35, "clip": 0.15}
"""Of kinds that happen before a codec is in the way."""
NOISE_SNR_DB, HISS_SNR_DB = (-2.0, 15.0), (20.0, 38.0)


class Damage:
    """Applies named kinds of damage, with the noises, rooms and voices of `sounds`."""

    def __init__(self, sounds: Sounds) -> None:
        self.sounds = sounds
        self._noises = noises.Noises(sounds)
        self._effects: Mapping[str, Callable[[Tensor, Draw], Tensor]] = {
            "noise": self._noise,
            "hiss": _hiss,
            "reverb": self._reverb,
            "lowpass": effects.low_pass,
            "clip": effects.clip,
            "codec": _codec,
        }

    def __call__(self, clean: Array, kinds: Sequence[str], draw: Draw) -> Array:
        """The clip (N,) at 48 kHz damaged by `kinds` in order; the length stays."""
        wave = waves_of(clean)
        for kind in kinds:
            wave = self._effects[kind](wave, draw)
        return wave[0].numpy()

    def _noise(self, wave: Tensor, draw: Draw) -> Tensor:
        return _added(wave, self._noises.draw(len(wave), wave.shape[1], draw), NOISE_SNR_DB, draw)

    def _reverb(self, wave: Tensor, draw: Draw) -> Tensor:
        return effects.reverberate(wave, self.sounds.rooms, self.sounds.direct, draw)


def waves_of(clip: Array) -> Tensor:
    """A clip (N,) as a batch of one, in memory of its own.

    Fourier transforms round by where in memory a wave begins: torch aligns all of its own alike.
    """
    return torch.from_numpy(clip).clone()[None]


def kinds_of(damage: str, draw: Draw) -> tuple[str, ...]:
    """Kinds to apply, in order, for one of `KINDS`, `MIXED` or `CLEAN`."""
    if damage == CLEAN:
        return ()
    return together(draw) if damage == MIXED else (damage,)


def together(draw: Draw) -> tuple[str, ...]:
    """Two kinds or more in random order, as they come in recordings."""
    count = int(draw.rng.choice(list(COUNTS), p=list(COUNTS.values())))
    return _some(LIKELIHOOD, count, draw)


def before_a_codec(draw: Draw) -> tuple[str, ...]:
    """What a microphone hears, in order: as often as not the voice alone, else one or two kinds."""
    count = int(draw.rng.choice([0, 1, 2], p=[0.5, 0.25, 0.25]))
    return _some(HEARD, count, draw)


def _some(likelihood: Mapping[str, float], count: int, draw: Draw) -> tuple[str, ...]:
    """So many different kinds in random order."""
    names, shares = list(likelihood), list(likelihood.values())
    return tuple(map(str, draw.rng.choice(names, count, replace=False, p=shares)))


def _hiss(wave: Tensor, draw: Draw) -> Tensor:
    return _added(wave, noises.hiss(len(wave), wave.shape[1], draw), HISS_SNR_DB, draw)


def _codec(wave: Tensor, draw: Draw) -> Tensor:
    return torch.from_numpy(coded(wave[0].numpy(), draw.rng))[None]


def _added(wave: Tensor, noise: Tensor, snr_db: tuple[float, float], draw: Draw) -> Tensor:
    level = effects.active_level(wave) * 10 ** (-draw.uniform(len(wave), *snr_db) / 20)
    return wave + level * noise
