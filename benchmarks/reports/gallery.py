"""A few clips of an evaluation to hear and to see: input, every system, clean."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import soundfile

from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from ..quality.evaluation import Rendering, System
from ..report import system_title
from .spectrograms import level_db, thumbnail

EXCERPT_S = 6.0
_PEAK = 0.9
# libopus at about 64 kbit/s: full band to 20 kHz. Blocks are small as in core/signal/rates.py.
_COMPRESSION = 0.75
_BLOCK = 16_384


@dataclass(frozen=True)
class Sound:
    """One version of a clip: Ogg Opus audio, and its spectrogram as a WebP picture."""

    title: str
    audio: bytes
    picture: bytes


@dataclass(frozen=True)
class Exhibit:
    """A clip, what was done to it, and all its versions."""

    kind: str
    name: str
    kinds: tuple[str, ...]
    sounds: Sequence[Sound]


@dataclass
class Gallery:
    """Keeps the first `per_class` clips of every class that pass through `watch`."""

    per_class: int
    exhibits: list[Exhibit] = field(default_factory=list)

    def watch(
        self, systems: Sequence[System], renderings: Iterable[Rendering]
    ) -> Iterator[Rendering]:
        """The same renderings of the systems, one by one, as they are asked for."""
        kept: Counter[str] = Counter()
        for rendering in renderings:
            if kept[rendering.pair.kind] < self.per_class:
                kept[rendering.pair.kind] += 1
                self.exhibits.append(_exhibit(systems, rendering))
            yield rendering


def title_of(system: System) -> str:
    """A system as it is called in a gallery."""
    return system_title({"system": system.name, "steps": system.steps})


def _exhibit(systems: Sequence[System], rendering: Rendering) -> Exhibit:
    pair = rendering.pair
    waves = dict(zip(map(title_of, systems), rendering.candidates, strict=True))
    if pair.clean is not None:
        waves["clean"] = pair.clean
    return Exhibit(pair.kind, pair.name, pair.kinds, _sounds(waves))


def _sounds(waves: dict[str, Array]) -> list[Sound]:
    """All versions at one gain and on one scale, so that their levels can be compared."""
    count = int(EXCERPT_S * RATE_HZ)
    cut = {title: wave[:count] for title, wave in waves.items()}
    gain = _PEAK / max(1e-6, *(float(np.abs(wave).max()) for wave in cut.values()))
    levels = {title: level_db(wave) for title, wave in cut.items()}
    # A few bins stand far above the rest: on a scale up to them the picture would be dark.
    top_db = max(float(np.quantile(level, 0.995)) for level in levels.values())
    return [
        Sound(title, _opus(wave * np.float32(gain)), thumbnail(levels[title], top_db))
        for title, wave in cut.items()
    ]


def _opus(wave: Array) -> bytes:
    out = io.BytesIO()
    options = {"format": "OGG", "compression_level": _COMPRESSION}
    with soundfile.SoundFile(out, "w", RATE_HZ, 1, "OPUS", **options) as file:
        for begin in range(0, len(wave), _BLOCK):
            file.write(wave[begin : begin + _BLOCK])
    return out.getvalue()
