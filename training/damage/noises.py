"""Noises (B, N) of unit level: recorded, made up, or of other voices."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ..data.corpus import RATE_HZ
from . import effects
from .bank import Sounds
from .draws import Draw

RECORDED = "recorded"
SHARES = {RECORDED: 0.62, "coloured": 0.16, "hum": 0.07, "clicks": 0.09, "crowd": 0.06}
"""How much of a batch hears which kind."""
CLICKS_PER_S = (0.5, 8.0)
"""Not more, so that a rolled r or a creaky voice is not taken for them."""
HARMONICS = (1, 2, 3, 4, 5, 6, 7, 9, 11, 14, 18)
VOICES = 6
"""Of a crowd."""


def unit(wave: Tensor) -> Tensor:
    """Scaled to an RMS of one; silence stays silence."""
    return wave / (wave.square().mean(1, keepdim=True).sqrt() + 1e-6)


class Noises:
    """Draws noises for batches of one size after the other."""

    def __init__(self, sounds: Sounds) -> None:
        self.sounds = sounds
        self._makers: Mapping[str, Callable[[int, int, Draw], Tensor]] = {
            RECORDED: self.recorded,
            "coloured": coloured,
            "hum": hum,
            "clicks": clicks,
            "crowd": self.crowd,
        }

    def draw(self, rows: int, count: int, draw: Draw) -> Tensor:
        """One kind in most rows, two at different levels in a third; some come and go."""
        made = self._layer(rows, count, draw)
        second = self._layer(rows, count, draw) if rows > 2 else self._one(rows, count, draw)
        made = made + draw.coin(rows, 0.33) * draw.uniform(rows, 0.2, 1.0) * second
        points = int(draw.rng.integers(3, 16))
        shape = torch.as_tensor(draw.rng.gamma(2.0, 0.5, (rows, points)), dtype=torch.float32)
        swell = effects.slow_curve(rows, count, shape.to(draw.device))
        return unit(effects.chosen(0.3, made, made * swell, draw))

    def recorded(self, rows: int, count: int, draw: Draw) -> Tensor:
        """Recordings; made-up noise where there are none."""
        if self.sounds.noise is None:
            return coloured(rows, count, draw)
        return self.sounds.noise.anywhere(rows, count, draw)

    def crowd(self, rows: int, count: int, draw: Draw) -> Tensor:
        """Many voices at once, nearer and farther."""
        total = torch.zeros(rows, count, device=draw.device)
        for _ in range(VOICES):
            which = self.sounds.pick(rows, draw)
            begin = self.sounds.recorded.within(which, draw)
            voices = self.sounds.recorded.loops(which, begin, count)
            total = total + draw.uniform(rows, 0.4, 1.0) * voices
        return total

    def _layer(self, rows: int, count: int, draw: Draw) -> Tensor:
        """All kinds in their shares, in random rows; each through another microphone."""
        made, left = [], rows
        for kind, share in SHARES.items():
            if kind != RECORDED and (wanted := min(left, int(share * rows + draw.rng.random()))):
                made.append(unit(self._makers[kind](wanted, count, draw)))
                left -= wanted
        if left:
            made.append(unit(self.recorded(left, count, draw)))
        mixed = torch.cat(made)[draw.order(rows)]
        frequency_hz = effects.frequencies_hz(mixed)
        gain = effects.smooth_gain(frequency_hz, rows, draw, corners=8, db=5.0)
        return unit(effects.chosen(0.6, mixed, effects.filtered(mixed, gain), draw))

    def _one(self, rows: int, count: int, draw: Draw) -> Tensor:
        kind = draw.rng.choice(list(SHARES), p=list(SHARES.values()))
        return unit(self._makers[str(kind)](rows, count, draw))


def coloured(rows: int, count: int, draw: Draw) -> Tensor:
    """Gaussian noise that falls by 0 to 9 dB an octave, with bumps."""
    white = draw.normal(rows, count)
    frequency_hz = effects.frequencies_hz(white)
    fall = frequency_hz.clamp(min=20)[None] ** -draw.uniform(rows, 0.0, 1.5)
    bumps = effects.smooth_gain(frequency_hz, rows, draw, corners=9, db=5.0)
    return effects.filtered(white, fall * bumps)


def hum(rows: int, count: int, draw: Draw) -> Tensor:
    """Mains at 50 or 60 Hz with falling harmonics, and a little hiss."""
    time_s = torch.arange(count, device=draw.device) / RATE_HZ
    mains_hz = torch.where(draw.coin(rows, 0.5) > 0, 50.0, 60.0) * draw.uniform(rows, 0.995, 1.005)
    total = 0.02 * draw.normal(rows, count)
    for harmonic in HARMONICS:
        turn = mains_hz * harmonic * time_s + draw.uniform(rows)
        total = total + draw.uniform(rows) / harmonic**0.7 * torch.sin(2 * math.pi * turn)
    return total


def clicks(rows: int, count: int, draw: Draw) -> Tensor:
    """Sparse ringing pulses over faint hiss: taps, crackle, typing."""
    random = torch.rand(rows, count, generator=draw.generator, device=draw.device)
    struck = (random < draw.uniform(rows, *CLICKS_PER_S) / RATE_HZ).float()
    time = torch.arange(RATE_HZ // 20, device=draw.device)[None]
    ringing = torch.exp(-time / draw.uniform(rows, 20, 600)) * draw.normal(rows, time.shape[1])
    rung = effects.convolved(struck * draw.normal(rows, count), ringing)
    return rung + 0.002 * draw.normal(rows, count)


def hiss(rows: int, count: int, draw: Draw) -> Tensor:
    """Steady noise of a preamplifier or tape, white or falling, half of it band-limited."""
    white = draw.normal(rows, count)
    frequency_hz = effects.frequencies_hz(white)
    fall = frequency_hz.clamp(min=100)[None] ** -draw.uniform(rows, 0.0, 0.4)
    ratio = frequency_hz[None] / draw.log_uniform(rows, 4000, 12_000)
    limited = torch.where(draw.coin(rows, 0.5) > 0, torch.sigmoid((1 - ratio) * 60), 1.0)
    return unit(effects.filtered(white, fall * limited))
