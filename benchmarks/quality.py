"""How good the restored audio is: systems over test pairs, scores, means with intervals."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.audio import RATE_HZ
from ..core.errors import ToolkitError
from ..core.restorer import Restorer
from ..core.spec import Array
from . import scores
from .testset import CLASSES, CLEAN, Pair

ALL = "all"
"""The class of a row over every kind of damage; untouched speech is not part of it."""

_RESAMPLES = 2000


@dataclass(frozen=True)
class System:
    """Something that turns a wave (N,) at 48 kHz into a restored one."""

    name: str
    steps: int | None
    run: Callable[[Array], Array]


@dataclass(frozen=True)
class ClipScores:
    """The scores of one system on one pair."""

    system: str
    steps: int | None
    kind: str
    name: str
    speaker: str
    values: Mapping[str, float]


def systems_of(restorer: Restorer, steps: Sequence[int], *, seed: int) -> tuple[System, ...]:
    """The damaged input, the recovery part alone, and the whole chain at each number of steps."""

    def chain(count: int) -> System:
        return System("chain", count, lambda w: restorer(w, RATE_HZ, steps=count, seed=seed))

    chosen = [restorer.accepted_steps(count) for count in steps]
    return (
        System("input", None, lambda wave: wave),
        System("recovery", None, lambda wave: restorer.recover(wave, RATE_HZ)),
        *map(chain, chosen),
    )


def evaluate(
    pairs: Iterable[Pair], systems: Sequence[System], *, workers: int
) -> Iterator[list[ClipScores]]:
    """The scores of every system, pair by pair, scored on `workers` processes (1: this one).

    Raises `ToolkitError` where a system gives what cannot be scored.
    """
    tasks = ((pair, [_candidate(system, pair) for system in systems]) for pair in pairs)
    for pair, scored in _scored(tasks, workers):
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
    for name, steps in dict.fromkeys((clip.system, clip.steps) for clip in clips):
        own = [clip for clip in clips if (clip.system, clip.steps) == (name, steps)]
        for kind in (ALL, *CLASSES):
            if chosen := [clip for clip in own if _belongs(clip, kind)]:
                about = {"system": name, "steps": steps, "class": kind, "count": len(chosen)}
                made.append(about | _summary(chosen, seed))
    return made


def interval(values: Sequence[float], *, seed: int) -> dict[str, float] | None:
    """Mean of the finite values and its 95 % bootstrap interval; None where there are none.

    Clips are resampled as if independent: the interval says nothing about other speakers.
    """
    finite = np.array([value for value in values if np.isfinite(value)])
    if not len(finite):
        return None
    drawn = np.random.default_rng(seed).integers(len(finite), size=(_RESAMPLES, len(finite)))
    low, high = np.quantile(finite[drawn].mean(axis=1), (0.025, 0.975))
    return {"mean": float(finite.mean()), "low": float(low), "high": float(high)}


def _candidate(system: System, pair: Pair) -> Array:
    made = system.run(pair.damaged)
    if made.shape != pair.clean.shape or not np.isfinite(made).all():
        raise ToolkitError(
            f"{system.name} at {system.steps} steps made audio of shape {made.shape} from "
            f"{pair.name} ({pair.kind}) that is not finite or not {pair.clean.shape}"
        )
    return made


def _score_all(pair: Pair, candidates: Sequence[Array]) -> list[dict[str, float]]:
    return [scores.score(pair.clean, made, pair.bandwidth_hz) for made in candidates]


def _scored(
    tasks: Iterable[tuple[Pair, list[Array]]], workers: int
) -> Iterator[tuple[Pair, list[dict[str, float]]]]:
    """Tasks in order with their scores; few wait at a time, so that memory stays bounded."""
    if workers == 1:
        yield from ((pair, _score_all(pair, made)) for pair, made in tasks)
        return
    waiting: deque[tuple[Pair, Future[list[dict[str, float]]]]] = deque()
    # A fork would copy the locks of the engine's threads.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        for pair, candidates in tasks:
            waiting.append((pair, pool.submit(_score_all, pair, candidates)))
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
    columns = {metric: [clip.values[metric] for clip in clips] for metric in clips[0].values}
    return {metric: interval(values, seed=seed) for metric, values in columns.items()}
