"""How good the restored audio is: systems over test pairs, scores, means with intervals."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import ToolkitError
from ...core.spec import Array
from ...training.damage.kinds import CLEAN
from .metrics.scores import Scorer, score
from .testset import Pair

ALL = "all"
"""The class of a row over every kind of damage; untouched speech is not part of it."""

_RESAMPLES = 2000


@dataclass(frozen=True)
class System:
    """Something that makes of a pair's damaged wave (N,) at 48 kHz a restored one (N,)."""

    name: str
    steps: int | None
    run: Callable[[Pair], Array]


@dataclass(frozen=True)
class Rendering:
    """A pair and what every system made of it, in their order."""

    pair: Pair
    candidates: Sequence[Array]


@dataclass(frozen=True)
class ClipScores:
    """The scores of one system on one pair."""

    system: str
    steps: int | None
    kind: str
    name: str
    speaker: str
    values: Mapping[str, float]


def render(pairs: Iterable[Pair], systems: Sequence[System]) -> Iterator[Rendering]:
    """What the systems make of each pair; raises `ToolkitError` for what cannot be scored."""
    for pair in pairs:
        yield Rendering(pair, [_candidate(system, pair) for system in systems])


def evaluate(
    renderings: Iterable[Rendering],
    systems: Sequence[System],
    chosen: Sequence[Scorer],
    *,
    workers: int,
) -> Iterator[list[ClipScores]]:
    """The chosen scores of every system, pair by pair, from `workers` processes (1: this one)."""
    for pair, scored in _scored(renderings, chosen, workers):
        yield [
            ClipScores(system.name, system.steps, pair.kind, pair.name, pair.speaker, values)
            for system, values in zip(systems, scored, strict=True)
        ]


def clip_row(clip: ClipScores) -> dict[str, Any]:
    """The scores of one clip as a row of a result, None for what could not be measured."""
    about = {"system": clip.system, "steps": clip.steps, "class": clip.kind}
    values = {m: round(v, 4) if np.isfinite(v) else None for m, v in clip.values.items()}
    return about | {"name": clip.name, "speaker": clip.speaker} | values


def rows(clips: Sequence[ClipScores], *, seed: int) -> list[dict[str, Any]]:
    """One row per system and class, and one over all damage: counts, means, 95 % intervals."""
    made = []
    kinds = (ALL, *dict.fromkeys(clip.kind for clip in clips))
    for name, steps in dict.fromkeys((clip.system, clip.steps) for clip in clips):
        own = [clip for clip in clips if (clip.system, clip.steps) == (name, steps)]
        for kind in kinds:
            if chosen := [clip for clip in own if _belongs(clip, kind)]:
                about = {"system": name, "steps": steps, "class": kind, "count": len(chosen)}
                made.append(about | _summary(chosen, seed))
    return made


def interval(
    values: Sequence[float], speakers: Sequence[str], *, seed: int
) -> dict[str, float] | None:
    """Mean of the finite values and its 95 % bootstrap interval; None where there are none.

    Speakers are resampled, each with all its clips, because clips of one voice go together: the
    interval is about other speakers. Clips are resampled where there is one speaker alone.
    """
    finite = np.isfinite(values)
    if not finite.any():
        return None
    kept, voices = np.asarray(values)[finite], np.asarray(speakers)[finite]
    names, owner = np.unique(voices, return_inverse=True)
    if len(names) == 1:
        owner = np.arange(len(kept))
    sums, counts = np.bincount(owner, kept), np.bincount(owner)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(_RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return {"mean": float(kept.mean()), "low": float(low), "high": float(high)}


def _candidate(system: System, pair: Pair) -> Array:
    made = system.run(pair)
    if made.shape != pair.damaged.shape or not np.isfinite(made).all():
        raise ToolkitError(
            f"{system.name} at {system.steps} steps made audio of shape {made.shape} from "
            f"{pair.name} ({pair.kind}) that is not finite or not {pair.damaged.shape}"
        )
    return made


def _score_all(rendering: Rendering, chosen: Sequence[Scorer]) -> list[dict[str, float]]:
    return [score(rendering.pair, made, chosen) for made in rendering.candidates]


def _scored(
    renderings: Iterable[Rendering], chosen: Sequence[Scorer], workers: int
) -> Iterator[tuple[Pair, list[dict[str, float]]]]:
    """Pairs in order with their scores; few wait at a time, so that memory stays bounded."""
    if workers == 1:
        yield from ((one.pair, _score_all(one, chosen)) for one in renderings)
        return
    waiting: deque[tuple[Pair, Future[list[dict[str, float]]]]] = deque()
    # A fork would copy the locks of the engine's threads.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        for one in renderings:
            waiting.append((one.pair, pool.submit(_score_all, one, chosen)))
            if len(waiting) > 2 * workers:
                yield _finished(*waiting.popleft())
        yield from (_finished(*one) for one in waiting)


def _finished(
    pair: Pair, future: Future[list[dict[str, float]]]
) -> tuple[Pair, list[dict[str, float]]]:
    return pair, future.result()


def _belongs(clip: ClipScores, kind: str) -> bool:
    return clip.kind != CLEAN if kind == ALL else clip.kind == kind


def _summary(clips: Sequence[ClipScores], seed: int) -> dict[str, Any]:
    speakers = [clip.speaker for clip in clips]
    columns = {metric: [clip.values[metric] for clip in clips] for metric in clips[0].values}
    return {metric: interval(values, speakers, seed=seed) for metric, values in columns.items()}
