"""What another seed changes: spread of the scores, and failures that would be heard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from .cases import Case, SeededCase
from .evaluation import ClipScores, Rendering
from .testset import Pair

STEPS = (1, 2)
"""Numbers of steps that are looked at."""
JUMP_DB = 3.0
SILENCE_DB = -60.0
LOUD_DB = 30.0
"""Seconds of a clip count that lie within this of its loudest one."""


@dataclass
class Faults:
    """What was wrong with the output of one case over all seeds and clips."""

    not_finite: int = 0
    silent: int = 0
    jumps: int = 0
    """Seconds of audio whose level is more than `JUMP_DB` off the mean of the seeds."""
    largest_jump_db: float = 0.0


class SeedWatch:
    """Looks at the waves of several seeds on their way to being scored."""

    def __init__(self, seeded: Sequence[SeededCase]) -> None:
        self.seeded = seeded
        self.faults: dict[Case, Faults] = defaultdict(Faults)
        self.systems = [one_seed.system(self._counted(one_seed)) for one_seed in seeded]

    def watch(self, renderings: Iterable[Rendering]) -> Iterator[Rendering]:
        """The renderings, unchanged, once their levels are compared."""
        for rendering in renderings:
            for case in dict.fromkeys(one_seed.case for one_seed in self.seeded):
                own = [
                    wave
                    for one_seed, wave in zip(self.seeded, rendering.candidates, strict=True)
                    if one_seed.case is case
                ]
                self._compare(self.faults[case], own)
            yield rendering

    def rows(self, scored: Sequence[Sequence[ClipScores]]) -> list[dict[str, Any]]:
        """One row per case: its faults, and for every metric what its mean over clips does."""
        made = []
        for case in dict.fromkeys(one_seed.case for one_seed in self.seeded):
            own = [i for i, one_seed in enumerate(self.seeded) if one_seed.case is case]
            about = {**case.about, "seeds": len(own), "count": len(scored)}
            made.append(about | vars(self.faults[case]) | _spreads(scored, own))
        return made

    def _counted(self, one_seed: SeededCase) -> Callable[[Pair], Array]:
        """Restoring that counts waves that are not finite, and goes on."""

        def run(pair: Pair) -> Array:
            made = one_seed.restore(pair)
            if not np.isfinite(made).all():
                self.faults[one_seed.case].not_finite += 1
            return np.nan_to_num(made, nan=0.0, posinf=0.0, neginf=0.0)

        return run

    def _compare(self, faults: Faults, waves: Sequence[Array]) -> None:
        levels_db = np.stack([levels(wave) for wave in waves])
        faults.silent += int((levels_db.max(axis=1) < SILENCE_DB).sum())
        mean_db = levels_db.mean(axis=0)
        loud = mean_db > mean_db.max() - LOUD_DB
        jumps_db = np.abs(levels_db - mean_db)[:, loud]
        faults.jumps += int((jumps_db > JUMP_DB).sum())
        faults.largest_jump_db = max(faults.largest_jump_db, float(jumps_db.max()))


def levels(wave: Array) -> np.ndarray:
    """Level in dB of full scale of each second of a wave (N,), of the whole where it is shorter."""
    count = max(1, len(wave) // RATE_HZ)
    seconds = wave[: count * RATE_HZ].reshape(count, -1).astype(np.float64)
    return np.asarray(10 * np.log10((seconds**2).mean(axis=1) + 1e-12))


def _spreads(scored: Sequence[Sequence[ClipScores]], own: Sequence[int]) -> dict[str, Any]:
    metrics = scored[0][0].values
    made = {}
    for metric in metrics:
        values = np.array([[clips[i].values[metric] for i in own] for clips in scored])
        finite = np.isfinite(values).all(axis=1)
        if finite.any():
            means = values[finite].mean(axis=0)
            made[metric] = {
                "mean": float(means.mean()),
                "std": float(means.std()),
                "low": float(means.min()),
                "high": float(means.max()),
            }
    return made
