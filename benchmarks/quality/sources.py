"""Where the clips of an evaluation come from: drawn from a corpus, or files as they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ...audio.formats import READ_SUFFIXES
from ...audio.reading.reader import read_mono
from ...core.errors import UsageError
from ...core.signal.metrics import bandwidth_hz
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from ...training.data.material import SHORTEST_S
from .testset import CLASSES, LONGEST_S, Pair, pairs

RECORDED = "recorded"
"""The class of a file that lies at the top of its folder; others are of their folder's class."""


@dataclass(frozen=True)
class Source:
    """Clips to be evaluated, how many they are, and whether they have clean versions."""

    pairs: Iterable[Pair]
    count: int
    referenced: bool


def source_of(
    data: Path | None,
    split: str,
    *,
    seed: int,
    per_class: int,
    degraded: Path | None = None,
    clean: Path | None = None,
) -> Source:
    """Seeded damage of a corpus (see `testset.pairs`), or recordings as they are (`recorded`).

    Raises `UsageError` unless exactly one of `data` and `degraded` is given.
    """
    if (data is None) == (degraded is None) or (clean and degraded is None):
        raise UsageError("give clips either as --data, or as --degraded with or without --clean")
    if degraded:
        return recorded(degraded, clean)
    made = pairs(cast("Path", data), split, seed=seed, per_class=per_class)
    return Source(made, per_class * len(CLASSES), referenced=True)


def recorded(degraded: Path, clean: Path | None) -> Source:
    """Every audio file below `degraded`, with its namesake below `clean` where that is given.

    The folder of a file is its class, and every file counts as another speaker. Raises
    `UsageError` for a folder without audio, a file without namesake, and clips that are too short
    or of unequal length.
    """
    names = sorted(
        path.relative_to(degraded)
        for path in degraded.rglob("*")
        if path.suffix.lower() in READ_SUFFIXES
    )
    if not names:
        raise UsageError(f"{degraded}: no audio files; accepted are {' '.join(READ_SUFFIXES)}")
    if clean and (lone := [name for name in names if not (clean / name).is_file()]):
        raise UsageError(f"{clean} has no {lone[0]}; a clean file of the same name is needed")
    made = (_recorded(degraded, clean, name) for name in names)
    return Source(made, len(names), referenced=clean is not None)


def _recorded(degraded: Path, clean: Path | None, name: Path) -> Pair:
    damaged = _clip(degraded / name)
    reference = _clip(clean / name) if clean else None
    if reference is not None and reference.shape != damaged.shape:
        raise UsageError(
            f"{name} has {len(damaged)} samples at 48 kHz and its clean version {len(reference)}; "
            "they must be equal"
        )
    kind = "/".join(name.parent.parts) or RECORDED
    limit_hz = RATE_HZ / 2 if reference is None else bandwidth_hz(reference)
    return Pair(kind, (), name.stem, str(name), limit_hz, reference, damaged)


def _clip(path: Path) -> Array:
    wave = read_mono(path)[: int(LONGEST_S * RATE_HZ)]
    if len(wave) < SHORTEST_S * RATE_HZ:
        raise UsageError(f"{path} is shorter than the {SHORTEST_S:g} s that scores need")
    return wave
