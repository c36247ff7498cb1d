"""Seeded test pairs: clean speech and what each kind of damage makes of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from ..core.errors import UsageError
from ..core.spec import Array
from ..reference.training import corpus
from ..reference.training.cache import make_distorter
from ..reference.training.distortion import CLASSES, Distorter

SHORTEST_S, LONGEST_S = 1.0, 15.0
"""Shorter recordings are not used, longer ones are cut: PESQ judges single utterances."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A damaged clip (N,) at 48 kHz, its clean version where there is one, and their origin.

    `kind` is its class, `kinds` what was done to it, in order.
    """

    kind: str
    kinds: tuple[str, ...]
    name: str
    speaker: str
    bandwidth_hz: float
    clean: Array | None
    damaged: Array
    language: str = ""

    @property
    def reference(self) -> Array:
        """The clean version (N,); raises `UsageError` where there is none."""
        if self.clean is None:
            raise UsageError(f"{self.name} has no clean version to compare with")
        return self.clean


def pairs(data: Path, split: str, *, seed: int, per_class: int) -> Iterator[Pair]:
    """`per_class` pairs of every class, speakers in turn; the same seed gives the same pairs.

    Raises `UsageError` where `data` has no recording of this split that is long enough.
    """
    recordings = [r for r in corpus.speech(data, split) if _duration_s(r) >= SHORTEST_S]
    if not recordings:
        raise UsageError(f"{data}: no {split} recording of at least {SHORTEST_S:g} s")

    def voice(rng: np.random.Generator) -> Array:
        return corpus.read(recordings[rng.integers(len(recordings))])

    distorter = make_distorter(data, split, voice)
    for number, kind in enumerate(CLASSES):
        drawn = _by_turns(recordings, per_class, np.random.default_rng([seed, number]))
        for index, recording in enumerate(drawn):
            rng = np.random.default_rng([seed, number, index])
            yield _pair(recording, kind, distorter, rng)


def _by_turns(
    recordings: list[corpus.Recording], count: int, rng: np.random.Generator
) -> list[corpus.Recording]:
    """`count` recordings, every speaker as often as any other; a smaller count is a prefix."""
    own = defaultdict(list)
    for index in rng.permutation(len(recordings)):
        own[recordings[index].speaker].append(recordings[index])
    speakers = list(own)
    turns = ((own[speakers[i % len(speakers)]], i // len(speakers)) for i in range(count))
    return [clips[turn % len(clips)] for clips, turn in turns]


def _pair(
    recording: corpus.Recording, kind: str, distorter: Distorter, rng: np.random.Generator
) -> Pair:
    clean = corpus.read(recording)[: int(LONGEST_S * corpus.RATE_HZ)]
    kinds = distorter.kinds_of(kind, rng)
    damaged = distorter(clean, kinds, rng)
    about = (recording.path.stem, recording.speaker, recording.bandwidth_hz)
    return Pair(kind, kinds, *about, clean, damaged, recording.language)


def _duration_s(recording: corpus.Recording) -> float:
    return float(soundfile.info(recording.path).duration)
