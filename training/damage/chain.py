"""Batches for training: speech damaged afresh, wholly on the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from . import effects
from .bank import Sounds
from .draws import Draw
from .levels import model_gain
from .noises import Noises

UNTOUCHED = 0.2
"""Share of the crops that are hardly damaged at all, from which to learn to do no harm."""
CODED = 0.2
IN_THE_ROOM = 0.3
"""Share of noises that sound in the room that the voice is in; others bring their own."""
FILLED = 7 / 8
"""Share of a crop that has to be clip rather than the silence after it."""
REMEMBERED = 12
"""Batches that are heard again, mixed, at other levels: damage costs as much as a step does."""

TURN = 500
"""Steps after which a process goes on to the next of its shards."""


@dataclass(frozen=True)
class Batch:
    """Crops (B, N) at model loudness, and how far up each clean one holds sound (B,), in Hz."""

    clean: Tensor
    damaged: Tensor
    bandwidth_hz: Tensor

    def rows(self, which: Tensor | slice) -> Batch:
        """Some of the crops."""
        return Batch(self.clean[which], self.damaged[which], self.bandwidth_hz[which])


class Chain:
    """Batches that the seed and the step alone decide, so that a run can be resumed to the step.

    Every other batch is made anew; the one after it mixes halves of two of the last ones, at other
    levels. `rank` tells processes that train together apart.
    """

    def __init__(self, sounds: Sounds, *, seed: int = 0, rank: int = 0) -> None:
        self.sounds, self.seed, self.rank = sounds, seed, rank
        self.noises = Noises(sounds)
        self.fresh = lru_cache(maxsize=REMEMBERED)(self._made)
        """(number, size, samples, least_hz) -> crops at model loudness."""

    def batch(self, step: int, size: int, samples: int, *, least_hz: float = 0.0) -> Batch:
        """`size` crops of `samples` for a step, from clips with sound up to `least_hz`."""
        draw, newest = self._draw(step, 1), step // 2
        if step % 2 == 0:
            made = self.fresh(newest, size, samples, least_hz)
        else:
            oldest = max(0, newest + 1 - REMEMBERED)
            both = draw.rng.integers(oldest, newest + 1, 2)
            first, second = (self.fresh(int(i), size, samples, least_hz) for i in both)
            made = _mixed(first, second, draw.order(size), size // 2)
        clean, damaged = effects.at_levels(made.clean, made.damaged, draw)
        return Batch(clean, damaged, made.bandwidth_hz)

    def draw(self, step: int, purpose: int = 0) -> Draw:
        """What else is random in a step, for one of its purposes."""
        return self._draw(step, 2 + purpose)

    def _draw(self, number: int, purpose: int) -> Draw:
        return Draw([self.seed, self.rank, number, purpose], self.sounds.device)

    def _made(self, number: int, size: int, samples: int, least_hz: float) -> Batch:
        draw = self._draw(number, 0)
        clean, heard, is_coded, bandwidth_hz = self._speech(size, samples, least_hz, draw)
        clean, heard = _through_microphone(clean, heard, draw)
        clean, damaged = self._damaged(clean, heard, is_coded, draw)
        gain = model_gain(damaged)
        return Batch(clean * gain, damaged * gain, bandwidth_hz)

    def _speech(
        self, size: int, samples: int, least_hz: float, draw: Draw
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Targets and recordings (B, N), which of them are coded (B, 1), bandwidths (B,)."""
        sounds = self.sounds
        which, starts = self._places(size, samples, least_hz, draw)
        heard = sounds.recorded.stretches(which, starts, samples)
        is_coded = torch.zeros(size, 1, device=sounds.device)
        count = round(CODED * size)
        if sounds.coded and count:
            bank, of = sounds.coded[int(draw.rng.integers(len(sounds.coded)))]
            likely = (sounds.bandwidth_hz[of] >= least_hz).float() + 1e-9
            picked = torch.multinomial(likely, count, replacement=True, generator=draw.generator)
            which[:count] = of[picked]
            starts[:count] = self._starts(which[:count], samples, draw)
            heard[:count] = bank.stretches(picked, starts[:count], samples)
            is_coded[:count] = 1.0
        clean = sounds.target.stretches(which, starts, samples)
        return clean, heard, is_coded, sounds.bandwidth_hz[which]

    def _places(
        self, size: int, samples: int, least_hz: float, draw: Draw
    ) -> tuple[Tensor, Tensor]:
        which = self.sounds.pick(size, draw, least_hz=least_hz)
        return which, self._starts(which, samples, draw)

    def _starts(self, which: Tensor, samples: int, draw: Draw) -> Tensor:
        """Where crops (B,) begin: anywhere from which `FILLED` of them is clip, where it can be."""
        room = (self.sounds.recorded.lengths[which] - int(FILLED * samples)).clamp(min=1)
        return (draw.uniform(len(which))[:, 0] * room).long()

    def _damaged(
        self, clean: Tensor, wave: Tensor, is_coded: Tensor, draw: Draw
    ) -> tuple[Tensor, Tensor]:
        """Targets and what is heard of them: rooms, noise, overload, filters, holes, in that order.

        A low-pass also shifts phases, which is not heard: its target has them, so that nothing
        learns to guess at them.
        """
        few = (1 - 0.55 * is_coded) * draw.coin(len(wave), 1 - UNTOUCHED)
        level, early = effects.active_level(wave), draw.coin(len(wave), 0.3)

        def some(share: float | Tensor, before: Tensor, after: Tensor) -> Tensor:
            return effects.chosen(share * few, before, after, draw)

        lost = draw.coin(len(wave), 0.34 * few) * (self._response(wave, draw) - 1)
        noise = draw.coin(len(wave), 0.62 * few) * level
        noise = noise * self._noise(len(wave), wave.shape[1], draw)
        inside = draw.coin(len(wave), IN_THE_ROOM)
        wave = wave + inside * noise
        echoed = effects.reverberate(wave, self.sounds.rooms, self.sounds.direct, draw)
        wave = some(0.38, wave, echoed)
        wave = effects.filtered(wave, 1 + early * lost) + (1 - inside) * noise
        wave = some(0.14, wave, effects.clip(wave, draw))
        wave = effects.filtered(wave, 1 + (1 - early) * lost)
        wave = some(0.10, wave, effects.wander(wave, draw))
        wave = some(0.05, wave, effects.drop_out(wave, draw))
        wave = some(0.04, wave, effects.requantise(wave, draw))
        faint = 1e-5 * draw.normal(*wave.shape) * effects.active_level(wave)
        shifted = effects.filtered(clean, torch.exp(1j * (1 + lost).angle()))
        return shifted, wave + draw.coin(len(wave), 0.7) * faint

    @staticmethod
    def _response(wave: Tensor, draw: Draw) -> Tensor:
        """Responses (B, bins) of low-passes, some of them of small microphones too."""
        response = effects.low_pass_response(wave, draw)
        high_pass = effects.high_pass_response(wave, draw)
        return effects.chosen(0.15, response, response * high_pass, draw)

    def _noise(self, rows: int, count: int, draw: Draw) -> Tensor:
        """Noise (rows, count) at -3 to 25 dB below speech of level 1, a fifth of it far below."""
        loud, soft = draw.uniform(rows, -3, 25), draw.uniform(rows, 15, 45)
        snr_db = torch.where(draw.coin(rows, 0.2) > 0, soft, loud)
        return self.noises.draw(rows, count, draw) * 10 ** (-snr_db / 20)


class ShardedChain(Chain):
    """A chain over shards in turn, `TURN` steps each, so that only one lies on the device.

    Like any other it is decided by the seed and the step: the batches that one of the first steps
    of a turn mixes anew are of its own shard.
    """

    def __init__(
        self, shards: Sequence[Callable[[], Sounds]], *, seed: int = 0, rank: int = 0
    ) -> None:
        super().__init__(shards[0](), seed=seed, rank=rank)
        self.shards, self.number = shards, 0

    def batch(self, step: int, size: int, samples: int, *, least_hz: float = 0.0) -> Batch:
        """As `Chain.batch`, from the shard whose turn it is."""
        number = step // TURN % len(self.shards)
        if number != self.number:
            self.number, self.sounds = number, self.shards[number]()
            self.noises = Noises(self.sounds)
            self.fresh.cache_clear()
        return super().batch(step, size, samples, least_hz=least_hz)


def _mixed(first: Batch, second: Batch, order: Tensor, half: int) -> Batch:
    ones, others = first.rows(order[:half]), second.rows(order[half:])
    pairs = zip(vars(ones).values(), vars(others).values(), strict=True)
    return Batch(*(torch.cat(pair) for pair in pairs))


def _through_microphone(clean: Tensor, heard: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Both through the same other microphone, in most rows; polarity at random; a level of 0.1."""
    rows = len(clean)
    gain = effects.smooth_gain(effects.frequencies_hz(clean), rows, draw, corners=10, db=3.5)
    gain = 1 + draw.coin(rows, 0.6) * (gain - 1)
    gain = gain * (1 - 2 * draw.coin(rows, 0.5))
    clean, heard = effects.filtered(clean, gain), effects.filtered(heard, gain)
    scale = 0.1 / (effects.active_level(heard) + 1e-5)
    return clean * scale, heard * scale
