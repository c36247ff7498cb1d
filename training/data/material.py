"""What damaged speech is made of: decoded clips, their targets, noises, rooms, coded versions."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import soxr
from numpy.typing import NDArray

from ...core import processors
from ...core.errors import UsageError
from ...core.signal.metrics import bandwidth_hz
from ...core.spec import Array
from . import corpus, gate, rooms

SHORTEST_S = 1.0
SILENT = 1e-3
"""Peak below which a clip holds no speech."""
SPEEDS, NOISE_SPEEDS = (0.88, 1.0, 1.14), (0.75, 1.0, 1.35)
"""How fast clips are played: other speeds make other voices and other noises."""
NOISE_LEVEL = 0.1
FEW = 40
"""Speakers or clips that are sooner worked on here than by processes that have to be started."""
T = TypeVar("T")
R = TypeVar("R")

Samples = NDArray[np.int16]
Numbers = NDArray[np.int64]


def samples_of(wave: Array | Samples) -> Samples:
    """A wave (n,) as 16-bit samples, half as large; what stands above full scale is cut."""
    if wave.dtype == np.int16:
        return wave.astype(np.int16, copy=False)
    within = np.clip(np.asarray(wave, np.float32), -1, 1)
    return np.asarray(np.round(within * 32767), np.int16)


@dataclass(frozen=True)
class Clips:
    """Waves at 48 kHz one after the other as 16-bit samples (N,), where each begins, its length."""

    audio: Samples
    offsets: Numbers
    lengths: Numbers

    @classmethod
    def of(cls, waves: Sequence[Array | Samples]) -> Clips:
        """Waves (n,) of any lengths, as `samples_of` gives them or still to be made so."""
        lengths = np.array([len(wave) for wave in waves], np.int64)
        audio = np.zeros(int(lengths.sum()), np.int16)
        offsets = np.cumsum(lengths) - lengths
        for offset, wave in zip(offsets, waves, strict=True):
            audio[offset : offset + len(wave)] = samples_of(wave)
        return cls(audio, offsets, lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def wave(self, index: int) -> Array:
        """One wave (n,) in [-1, 1]."""
        begin, length = int(self.offsets[index]), int(self.lengths[index])
        return np.asarray(self.audio[begin : begin + length], np.float32) / np.float32(32768)


@dataclass(frozen=True)
class Speech:
    """Clips as they were recorded, as they should sound, and what is known of them."""

    recorded: Clips
    target: Clips
    speaker: Numbers
    """(clips,): number of the voice."""
    bandwidth_hz: NDArray[np.float64]
    speed: NDArray[np.float64]
    recordings: tuple[corpus.Recording, ...] = ()
    """Where each clip is from, unless the material was prepared earlier."""


@dataclass(frozen=True)
class Coded:
    """Coded versions of some of the clips, and which clips these are."""

    clips: Clips
    of: Numbers


@dataclass(frozen=True)
class Material:
    """All that damaged speech is made of."""

    speech: Speech
    noise: Clips
    rooms: rooms.Rooms
    coded: tuple[Coded, ...] = ()


def assemble(
    data: Path,
    split: str,
    *,
    speeds: Sequence[float] = (1.0,),
    shard: corpus.Shard = corpus.WHOLE,
) -> Material:
    """Read a split of `data`; raises `UsageError` where it holds no speech of a second or more."""
    voices: dict[str, list[corpus.Recording]] = {}
    for recording in corpus.speech(data, split, shard):
        voices.setdefault(recording.speaker, []).append(recording)
    noises = corpus.noises(data, split, shard)
    faster = NOISE_SPEEDS if len(speeds) > 1 else (1.0,)
    spoken = each(partial(_voice, speeds=speeds), list(voices.values()))
    heard = each(partial(_noise, speeds=faster), noises)
    speech, noise = _speech(spoken), Clips.of([wave for group in heard for wave in group])
    if speech is None:
        raise UsageError(f"{data}: no {split} clip of at least {SHORTEST_S:g} s that is not silent")
    return Material(speech, noise, rooms.of(corpus.rooms(data, split)))


def each(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """The work done on every item, by several processes where that is worth starting them."""
    if len(items) < FEW:
        return [work(item) for item in items]
    # A fork would copy the locks of whatever threads this process has.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processors.usable(), mp_context=spawn) as pool:
        return list(pool.map(work, items, chunksize=4))


@dataclass(frozen=True)
class _Take:
    """A recording at one speed: the clip (N,), its target (N,), and how far up it sounds."""

    recording: corpus.Recording
    speed: float
    bandwidth_hz: float
    clip: Samples
    target: Samples


def _voice(recordings: Sequence[corpus.Recording], speeds: Sequence[float]) -> list[_Take]:
    """Everything that one speaker says, at all speeds."""
    read = [(recording, corpus.read(recording)) for recording in recordings]
    spoken = [(one, wave) for one, wave in read if _usable(wave)]
    if not spoken:
        return []
    floor = gate.floor_db([wave for _, wave in spoken])
    pairs = ((one, wave, gate.gated(wave, floor)) for one, wave in spoken)
    takes = ((_measured(one, target), wave, target) for one, wave, target in pairs)
    return [_take(*take, speed) for take in takes for speed in speeds]


def _measured(recording: corpus.Recording, target: Array) -> corpus.Recording:
    """The recording with the bandwidth that it has without its hiss, where no manifest tells it."""
    if recording.is_measured:
        return recording
    return replace(recording, bandwidth_hz=bandwidth_hz(target), is_measured=True)


def _take(recording: corpus.Recording, clip: Array, target: Array, speed: float) -> _Take:
    if speed != 1.0:
        pair = soxr.resample(np.stack([clip, target], axis=1), speed, 1.0, quality="HQ")
        clip, target = pair[:, 0].copy(), pair[:, 1].copy()
    # The slope of a resampler begins below half the rate.
    top_hz = min(recording.bandwidth_hz * speed, 0.47 * corpus.RATE_HZ)
    return _Take(recording, speed, top_hz, samples_of(clip), samples_of(target))


def _usable(wave: Array) -> bool:
    return len(wave) >= SHORTEST_S * corpus.RATE_HZ and float(np.abs(wave).max()) > SILENT


def _speech(voices: Sequence[Sequence[_Take]]) -> Speech | None:
    takes = [take for voice in voices for take in voice]
    if not takes:
        return None
    speaker = np.repeat(np.arange(len(voices)), [len(voice) for voice in voices])
    return Speech(
        Clips.of([take.clip for take in takes]),
        Clips.of([take.target for take in takes]),
        speaker.astype(np.int64),
        np.array([take.bandwidth_hz for take in takes]),
        np.array([take.speed for take in takes]),
        tuple(take.recording for take in takes),
    )


def _noise(recording: corpus.Recording, speeds: Sequence[float]) -> list[Array]:
    wave = corpus.read(recording)
    wave = wave - wave.mean()
    level = float(np.sqrt((wave**2).mean()))
    if level < 1e-5 or len(wave) < corpus.RATE_HZ // 10:
        return []
    wave = wave * (NOISE_LEVEL / level)
    return [wave if s == 1.0 else soxr.resample(wave, s, 1.0, quality="LQ") for s in speeds]
