"""Damaged speech rendered once to disk, and random crops of it: what every stage trains on."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soxr

from ...core.errors import UsageError
from ...core.frontend import FrontEnd
from ...core.loudness import LoudnessMeter, gain_to
from ...core.spec import Array
from . import corpus
from .distortion import Distorter
from .noises import NoiseBank, Rng
from .variety import varied

SPEEDS = (0.88, 1.14)
"""Half of the crops are played slower or faster within this range: other voices, other rooms."""
TRAIN = "train"
"""The split whose crops are varied."""
FULL_SCALE = 4.0
"""Cached 16-bit samples span +-4: peaks of damaged speech at -20 LUFS stand above one."""


@dataclass(frozen=True)
class Clip:
    """A clean clip's place in the cache, and one gain per damaged variant of it."""

    speaker: str
    bandwidth_hz: float
    offset: int
    length: int
    gains: tuple[float, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Crops (B, N) at model loudness, and how far up each clean one holds sound."""

    clean: Array
    damaged: Array
    bandwidth_hz: Array


class PairCache:
    """Clean speech and `variants` damaged versions of every clip, memory-mapped."""

    def __init__(self, folder: Path, *, varied: bool = False) -> None:
        """Open what `render` wrote; `varied` crops are never twice the same."""
        self.varied = varied
        index = json.loads((folder / "index.json").read_text())
        self.folder = folder
        self.clips = tuple(Clip(**{**row, "gains": tuple(row["gains"])}) for row in index["clips"])
        self.variants = int(index["variants"])
        self.clean = np.memmap(folder / "clean.i16", np.int16, "r")
        self.damaged = [
            np.memmap(_variant_path(folder, v), np.int16, "r") for v in range(self.variants)
        ]

    def draw(self, size: int, samples: int, rng: Rng, *, least_hz: float = 0.0) -> Batch:
        """`size` random crops, speakers equally likely, from clips with sound up to `least_hz`.

        What is drawn for training passes other microphones and hears other noise as well.
        """
        drawn = [self._crop(samples, rng, least_hz) for _ in range(size)]
        clean, damaged, bandwidth_hz = (np.stack(column) for column in zip(*drawn, strict=True))
        if self.varied:
            clean, damaged = varied(clean, damaged, corpus.RATE_HZ, rng)
        return Batch(clean, damaged, bandwidth_hz.astype(np.float32))

    def whole(self, clip: Clip, variant: int) -> tuple[Array, Array]:
        """One clip, clean and damaged, at model loudness."""
        return self._slice(clip, variant, 0, clip.length)

    def _crop(self, samples: int, rng: Rng, least_hz: float) -> tuple[Array, Array, np.ndarray]:
        clip = self.pick(rng, least_hz)
        speed = float(rng.uniform(*SPEEDS)) if rng.random() < 0.5 else 1.0
        wanted = math.ceil(samples * speed) + 1
        start = int(rng.integers(max(1, clip.length - wanted)))
        variant = int(rng.integers(self.variants))
        pair = np.stack(self._slice(clip, variant, start, min(wanted, clip.length)), axis=1)
        if speed != 1.0:
            pair = soxr.resample(pair, speed, 1.0, quality="HQ")
        pair = np.pad(pair[:samples], ((0, max(0, samples - len(pair))), (0, 0)))
        bandwidth_hz = clip.bandwidth_hz * speed
        if speed > 1.0:  # the resampler's own slope begins below half the rate
            bandwidth_hz = min(bandwidth_hz, 0.45 * corpus.RATE_HZ)
        return pair[:, 0], pair[:, 1], np.asarray(bandwidth_hz)

    def pick(self, rng: Rng, least_hz: float) -> Clip:
        """A random clip of a random speaker among those with sound up to `least_hz`."""
        clips = [clip for clip in self.clips if clip.bandwidth_hz >= least_hz]
        speakers = sorted({clip.speaker for clip in clips})
        speaker = speakers[rng.integers(len(speakers))]
        own = [clip for clip in clips if clip.speaker == speaker]
        return own[rng.integers(len(own))]

    def _slice(self, clip: Clip, variant: int, start: int, count: int) -> tuple[Array, Array]:
        where = slice(clip.offset + start, clip.offset + start + count)
        clean = self.clean[where].astype(np.float32) * (clip.gains[variant] / 32768)
        return clean, self.damaged[variant][where].astype(np.float32) * (FULL_SCALE / 32768)


def open_or_render(data: Path, split: str, folder: Path, *, variants: int, seed: int) -> PairCache:
    """The cache in `folder`, rendered from `data` first where it is not there yet."""
    if not (folder / "index.json").exists():
        render(data, split, folder, variants=variants, seed=seed)
    return PairCache(folder, varied=split == TRAIN)


def render(data: Path, split: str, folder: Path, *, variants: int, seed: int) -> None:
    """Write the cache of one split: the same seed gives the same damage."""
    recordings = corpus.speech(data, split)
    folder.mkdir(parents=True, exist_ok=True)
    clips = list(_write_clean(recordings, folder / "clean.i16"))
    if not clips:
        raise UsageError(f"{data}: no {split} clip of at least 1 s")
    work = partial(_render_variant, data, split, folder, clips, seed)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        gains = list(pool.map(work, range(variants)))
    rows = [
        {**asdict(clip), "gains": own}
        for clip, own in zip(clips, zip(*gains, strict=True), strict=True)
    ]
    (folder / "index.json").write_text(json.dumps({"variants": variants, "clips": rows}))


def _variant_path(folder: Path, variant: int) -> Path:
    return folder / f"damaged_{variant}.i16"


def _write_clean(recordings: tuple[corpus.Recording, ...], path: Path) -> Iterator[Clip]:
    offset = 0
    with path.open("wb") as out:
        for recording in recordings:
            wave = corpus.read(recording)
            if len(wave) < corpus.RATE_HZ:
                continue
            out.write(np.round(np.clip(wave, -1, 1) * 32767).astype(np.int16).tobytes())
            yield Clip(recording.speaker, recording.bandwidth_hz, offset, len(wave))
            offset += len(wave)


def _render_variant(
    data: Path, split: str, folder: Path, clips: list[Clip], seed: int, variant: int
) -> list[float]:
    clean = np.memmap(folder / "clean.i16", np.int16, "r")

    def speech_of(clip: Clip) -> Array:
        samples = clean[clip.offset : clip.offset + clip.length]
        return np.asarray(samples, np.float32) / np.float32(32768)

    def voice(rng: Rng) -> Array:
        return speech_of(clips[int(rng.integers(len(clips)))])

    distorter = make_distorter(data, split, voice)
    gains = []
    with _variant_path(folder, variant).open("wb") as out:
        for number, clip in enumerate(clips):
            rng = np.random.default_rng([seed, variant, number])
            damaged = distorter(speech_of(clip), distorter.draw_kinds(rng), rng)
            gain = model_gain(damaged)
            scaled = np.clip(damaged * (gain * 32768 / FULL_SCALE), -32768, 32767)
            out.write(np.round(scaled).astype(np.int16).tobytes())
            gains.append(gain)
    return gains


def make_distorter(data: Path, split: str, voice: Callable[[Rng], Array]) -> Distorter:
    """The distortion chain with the noise and rooms of a split, `voice` giving babble."""
    noise = NoiseBank([corpus.read(r) for r in corpus.noises(data, split)], voice)
    return Distorter(noise, [corpus.read(r) for r in corpus.rooms(data, split)])


def model_gain(damaged: Array) -> float:
    """The gain that the front end would give this wave."""
    meter = LoudnessMeter()
    meter.add(damaged)
    return gain_to(FrontEnd().loudness_lufs, meter.integrated_lufs())
