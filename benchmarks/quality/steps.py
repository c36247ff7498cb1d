"""Quality against the number of network evaluations: a teacher, how it is sampled, its students."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from ...core.bundle.manifest import sha256_of
from ...core.bundle.weights import weights_file
from ...core.spec import Array
from ...distill.run import FACTS
from ..report import Row, interval_text, system_title, table
from ..speed.memory import Memory
from ..speed.timing import factors, spread
from .cases import (
    DDIM,
    REGRESSOR,
    TEACHER,
    Case,
    SeededCase,
    regressor_cases,
    seeded,
    student_cases,
    teacher_cases,
)
from .evaluation import ClipScores, evaluate, interval, render
from .metrics.scores import Scorer
from .robustness import STEPS, SeedWatch
from .tables import measured
from .testset import Pair

T = TypeVar("T")


class Track(Protocol):
    """A bar for whoever waits."""

    def __call__(self, items: Iterable[T], *, total: int) -> Iterator[T]:
        """Give the items on, showing how many of `total` are done."""
        ...


@dataclass(frozen=True)
class Contest:
    """Who is compared, on what, by whom."""

    teacher: Path
    regressor: Path | None
    students: Mapping[str, Path]
    """Folders by name; seeds are looked at closely for the first."""
    pairs: Sequence[Pair]
    """Of each kind of damage equally many, in turn."""
    scorers: Sequence[Scorer]
    seed: int
    workers: int

    @property
    def models(self) -> dict[str, Path]:
        """Every folder by the name of its rows."""
        regressor = {REGRESSOR: self.regressor} if self.regressor else {}
        return {TEACHER: self.teacher, **regressor, **self.students}


def compare(
    contest: Contest, *, seeds: int, robust_seeds: int, runs: int, track: Track
) -> dict[str, Any]:
    """Rows with scores and times, differences of students, what seeds change, models."""
    memory = Memory()
    cases = teacher_cases(contest.teacher, memory)
    cases += regressor_cases(contest.regressor, memory) if contest.regressor else []
    for name, folder in contest.students.items():
        cases += student_cases(name, folder, memory)
    tried = seeded(cases, range(seeds))
    plain = [one_seed.system() for one_seed in tried]
    renderings = render(contest.pairs, plain)
    found = evaluate(renderings, plain, contest.scorers, workers=contest.workers)
    scored = list(track(found, total=len(contest.pairs)))
    clocked = timings(cases, contest.pairs[0].damaged, runs=runs)
    lines = rows(tried, scored, seed=contest.seed)
    return {
        "rows": [line | clock for line, clock in zip(lines, clocked, strict=True)],
        "differences": differences(tried, scored, seed=contest.seed),
        "robustness": _robustness(contest, cases, robust_seeds, track),
        "models": {name: origin(folder) for name, folder in contest.models.items()},
    }


def _robustness(
    contest: Contest, cases: Sequence[Case], seeds: int, track: Track
) -> list[dict[str, Any]]:
    """What many seeds change in few steps: a clip of each kind, the metrics that are quick."""
    first = next(iter(contest.students), None)
    few = [case for case in cases if case.system == first and case.steps in STEPS]
    watch = SeedWatch(seeded(few, range(seeds)))
    if not watch.systems:
        return []
    clips = list({pair.kind: pair for pair in reversed(contest.pairs)}.values())
    scorers = [one for one in contest.scorers if not one.slow] or contest.scorers
    seen = watch.watch(render(clips, watch.systems))
    scored = evaluate(seen, watch.systems, scorers, workers=contest.workers)
    return watch.rows(list(track(scored, total=len(clips))))


def rows(
    tried: Sequence[SeededCase], scored: Sequence[Sequence[ClipScores]], *, seed: int
) -> list[dict[str, Any]]:
    """One row per case over all clips: means with 95 % intervals, seeds averaged first.

    `scored` holds, clip by clip, the scores of every one_seed.
    """
    tables = _by_case(tried, scored)
    voices = [clips[0].speaker for clips in scored]
    made = []
    for case, columns in tables.items():
        count = sum(one_seed.case is case for one_seed in tried)
        about = {**case.about, "seeds": count, "count": len(voices)}
        made.append(about | {m: interval(v, voices, seed=seed) for m, v in columns.items()})
    return made


def differences(
    tried: Sequence[SeededCase], scored: Sequence[Sequence[ClipScores]], *, seed: int
) -> list[dict[str, Any]]:
    """Students at one and two steps less the teacher at 16 (`ddim`), and less the regressor.

    The same clips are compared, so intervals that leave out 0 are differences.
    """
    tables = _by_case(tried, scored)
    voices = [clips[0].speaker for clips in scored]
    compared = [case for case in tables if _is_student(case) and case.steps <= 2]
    made = []
    for against, reference in tables.items():
        if against.about != _TEACHER_16 and against.system != REGRESSOR:
            continue
        for case in compared:
            less = {m: np.subtract(v, reference[m]) for m, v in tables[case].items()}
            values = {m: interval(list(v), voices, seed=seed) for m, v in less.items()}
            made.append({**case.about, "against": against.about, **values})
    return made


def timings(cases: Sequence[Case], wave: Array, *, runs: int) -> list[dict[str, Any]]:
    """Real-time factor and milliseconds of denoiser per second of audio, by case, in turns."""
    for case in cases:
        factors(case.timed, wave, steps=case.steps)
    taken = [[factors(c.timed, wave, steps=c.steps) for c in cases] for _ in range(runs)]
    return [
        {
            "rtf": spread([one["rtf"] for one in own]),
            "denoiser_ms_per_s": spread([1000 * one["denoiser"] for one in own]),
        }
        for own in zip(*taken, strict=True)
    ]


def origin(folder: Path) -> dict[str, Any]:
    """Which denoiser lies in a folder, and how it was made, as far as the folder tells."""
    facts = folder / FACTS
    training = json.loads(facts.read_text(encoding="utf-8")) if facts.exists() else None
    return {"denoiser_sha256": sha256_of(weights_file(folder, "denoiser")), "training": training}


_TEACHER_16 = {"system": TEACHER, "sampler": DDIM, "steps": 16}


def markdown(result: Row) -> str:
    """Three tables: every case, what students differ by, and what another seed changes."""
    metrics = measured(result["rows"])
    cases = table(
        ["system", "sampler", "steps", *metrics.values(), "denoiser, ms per s", "RTF"],
        (
            [row["system"], row["sampler"], row["steps"]]
            + [interval_text(row[m]) for m in metrics]
            + [f"{row['denoiser_ms_per_s']['median']:.1f}", f"{row['rtf']['median']:.4f}"]
            for row in result["rows"]
        ),
    )
    differences = table(
        ["system", "steps", "less", *metrics.values()],
        (
            [row["system"], row["steps"], system_title(row["against"])]
            + [interval_text(row[m]) for m in metrics]
            for row in result["differences"]
        ),
    )
    told = ("seeds", "not_finite", "silent", "jumps", "largest_jump_db")
    seeds = table(
        ["system", "steps", "seeds", "not finite", "silent", "jumps", "largest jump, dB"],
        (
            [row["system"], row["steps"], *(f"{row[key]:.3g}" for key in told)]
            for row in result["robustness"]
        ),
    )
    return f"{cases}\n\n{differences}\n\n{seeds}"


def _is_student(case: Case) -> bool:
    return case.system not in {TEACHER, REGRESSOR}


def _by_case(
    tried: Sequence[SeededCase], scored: Sequence[Sequence[ClipScores]]
) -> dict[Case, Mapping[str, list[float]]]:
    """Of each case, the value of every metric on every clip, averaged over its seeds."""
    made: dict[Case, Mapping[str, list[float]]] = {}
    for case in dict.fromkeys(one_seed.case for one_seed in tried):
        own = [i for i, one_seed in enumerate(tried) if one_seed.case is case]
        clips = [[clips[i].values for i in own] for clips in scored]
        made[case] = {
            metric: [float(np.mean([one[metric] for one in seeds])) for seeds in clips]
            for metric in clips[0][0]
        }
    return made
