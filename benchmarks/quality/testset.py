"""Seeded test pairs: clean speech and what each kind of damage makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...core.errors import UsageError
from ...core.spec import Array
from ...training.damage.bank import Sounds
from ...training.damage.draws import Draw
from ...training.damage.kinds import CLEAN, KINDS, MIXED, Damage, kinds_of
from ...training.data.corpus import RATE_HZ
from ...training.data.material import Material, assemble

TALKERS = "talkers"
"""One talker after another, the second much softer: undamaged but for the levels."""
CLASSES = (*KINDS, TALKERS, MIXED, CLEAN)
LONGEST_S = 15.0
"""Longer recordings are cut: PESQ judges single utterances."""
SOFTER_DB = (10.0, 25.0)
PAUSE_S = 0.2


@dataclass(frozen=True, eq=False)
class Pair:
    """A damaged clip (N,) at 48 kHz, its clean version where there is one, and their origin.

    `kind` is its class, `kinds` what was done to it, in order. The clean version lacks the hiss of
    the room that the recording was made in; the damage was done to the recording as it is.
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
    material = assemble(data, split)
    damage = Damage(Sounds(material))
    for number, kind in enumerate(CLASSES):
        turns = by_turns(material, per_class + 1, np.random.default_rng([seed, number]))
        for index in range(per_class):
            draw = Draw([seed, number, index])
            if kind == TALKERS:
                yield _talkers(material, turns[index], turns[index + 1], draw)
            else:
                yield _pair(material, turns[index], kind, damage, draw)


def by_turns(material: Material, count: int, rng: np.random.Generator) -> list[int]:
    """`count` clips, every speaker as often as any other; a smaller count is a prefix."""
    own: dict[int, list[int]] = {}
    for index in rng.permutation(len(material.speech.recorded)):
        own.setdefault(int(material.speech.speaker[index]), []).append(int(index))
    voices = list(own.values())
    turns = ((voices[i % len(voices)], i // len(voices)) for i in range(count))
    return [clips[turn % len(clips)] for clips, turn in turns]


def undamaged(material: Material, index: int, kind: str, longest_s: float = LONGEST_S) -> Pair:
    """A clip as it was recorded and as it should sound, in a class."""
    recording, count = material.speech.recordings[index], round(longest_s * RATE_HZ)
    clips = (material.speech.target, material.speech.recorded)
    clean, recorded = (own.wave(index)[:count] for own in clips)
    about = (recording.path.stem, recording.speaker, recording.bandwidth_hz)
    return Pair(kind, (), *about, clean, recorded, recording.language)


def _pair(material: Material, index: int, kind: str, damage: Damage, draw: Draw) -> Pair:
    pair, kinds = undamaged(material, index, kind), kinds_of(kind, draw)
    return replace(pair, kinds=kinds, damaged=damage(pair.damaged, kinds, draw))


def _talkers(material: Material, first: int, second: int, draw: Draw) -> Pair:
    """Two clips with a pause between them."""
    gain = np.float32(10 ** (-draw.rng.uniform(*SOFTER_DB) / 20))
    pause = np.zeros(round(PAUSE_S * RATE_HZ), np.float32)
    longest_s = LONGEST_S / 2 - PAUSE_S
    one, other = (undamaged(material, i, TALKERS, longest_s) for i in (first, second))
    return replace(
        one,
        bandwidth_hz=min(one.bandwidth_hz, other.bandwidth_hz),
        clean=np.concatenate([one.reference, pause, other.reference * gain]),
        damaged=np.concatenate([one.damaged, pause, other.damaged * gain]),
    )
