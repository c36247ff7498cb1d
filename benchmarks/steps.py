"""Quality against the number of network evaluations: a teacher, how it is sampled, its students."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ..core.audio import RATE_HZ
from ..core.manifest import sha256_of
from ..core.sampler import Sample, ddim, multistep, timesteps
from ..core.spec import Array, Runner
from ..core.weights import weights_file
from ..distill.run import FACTS
from ..distill.shortcut import PART, OnGrid, TwoTimeDenoiser
from ..reference.components import components
from ..reference.model import Model, load, load_part
from ..runtimes.on_torch import runner
from ..runtimes.restorer import Restorer
from .memory import Memory
from .quality import ClipScores, System, interval
from .report import Row, interval_text, measured, system_title, table
from .speed import ClockedRestorer, factors, spread
from .testset import Pair

TEACHER_STEPS = (1, 2, 4, 8, 16, 32)
SECOND_ORDER_STEPS = (4, 8, 16, 32)
"""With fewer steps the second-order sampler has none but its first and last, which are `ddim`'s."""
STUDENT_STEPS = (1, 2, 4)
WARM_START = 0.5
BEFORE_SAMPLER = ("recovery", "encoder")
TEACHER, REGRESSOR = "teacher", "regressor"
DDIM, MULTISTEP, WARM = "ddim", "multistep", "ddim, warm start"


@dataclass(frozen=True, eq=False)
class Case:
    """One line of the table: a system, how it is sampled, in how many steps."""

    system: str
    sampler: str
    steps: int
    restorer: Restorer
    clocked: ClockedRestorer
    """The same, which remembers nothing."""
    noisy: bool = True
    """Whether the seed makes a difference."""

    @property
    def about(self) -> dict[str, Any]:
        """What names the case."""
        return {"system": self.system, "sampler": self.sampler, "steps": self.steps}

    def restore(self, wave: Array, seed: int) -> Array:
        """The restored wave (N,) at 48 kHz."""
        return self.restorer(wave, RATE_HZ, steps=self.steps, seed=seed)


@dataclass(frozen=True, eq=False)
class Trial:
    """A case with one seed."""

    case: Case
    seed: int

    def system(self, run: Callable[[Pair], Array] | None = None) -> System:
        """The trial as a system to be scored; `run` replaces plain restoring."""
        name = f"{self.case.system}, {self.case.sampler}, seed {self.seed}"
        return System(name, self.case.steps, run or self.restore)

    def restore(self, pair: Pair) -> Array:
        """The restored wave (N,) of a pair."""
        return self.case.restore(pair.damaged, self.seed)


def teacher_cases(folder: Path, memory: Memory) -> list[Case]:
    """The teacher with both samplers, and warm-started from the recovered latent."""
    made = _Maker(load(folder), memory)
    return [
        *(made.case(TEACHER, DDIM, n, ddim) for n in TEACHER_STEPS),
        *(made.case(TEACHER, MULTISTEP, n, multistep) for n in SECOND_ORDER_STEPS),
        *(made.case(TEACHER, WARM, n, ddim, start=WARM_START) for n in STUDENT_STEPS),
    ]


def regressor_cases(folder: Path, memory: Memory) -> list[Case]:
    """The direct regressor, which has no noise and so one step."""
    return [_Maker(load(folder), memory).case(REGRESSOR, DDIM, 1, ddim, noisy=False)]


def student_cases(name: str, folder: Path, memory: Memory) -> list[Case]:
    """A student as it ships, and where it has two times, also with both of them."""
    model = load(folder)
    made = _Maker(model, memory)
    cases = [made.case(name, DDIM, n, ddim) for n in STUDENT_STEPS]
    if not (folder / f"{PART}.safetensors").exists():
        return cases
    network = TwoTimeDenoiser(model.config)
    load_part(network, folder / f"{PART}.safetensors")
    return [
        *cases,
        *(
            made.case(f"{name}, two times", DDIM, n, ddim, OnGrid(network, timesteps(n, 1.0)))
            for n in STUDENT_STEPS[1:]
        ),
    ]


class _Maker:
    """Makes the cases of one model; what comes before the sampler is worked out once for all."""

    def __init__(self, model: Model, memory: Memory) -> None:
        self._config = model.config
        modules = {part.name: part.build(model) for part in components(model.config)}
        self._runners = {p.name: runner(p, modules[p.name]) for p in components(model.config)}
        self._remembering = self._runners | {
            name: memory.remembering(self._runners[name], modules[name]) for name in BEFORE_SAMPLER
        }

    def case(
        self,
        system: str,
        sampler: str,
        steps: int,
        sample: Sample[Array],
        denoiser: nn.Module | None = None,
        *,
        start: float = 1.0,
        noisy: bool = True,
    ) -> Case:
        """One line of the table, with another denoiser than the model's own if one is given."""
        own: dict[str, Runner] = {}
        if denoiser is not None:
            part = next(p for p in components(self._config) if p.name == "denoiser")
            own["denoiser"] = runner(part, denoiser.eval())
        options: dict[str, Any] = {"default_steps": steps, "sample": sample}
        sizes = (self._config.front, {steps: timesteps(steps, start)})
        plain = Restorer(self._remembering | own, *sizes, **options)
        clocked = ClockedRestorer(self._runners | own, *sizes, **options)
        return Case(system, sampler, steps, plain, clocked, noisy)


def trials(cases: Iterable[Case], seeds: Sequence[int]) -> list[Trial]:
    """Every case with every seed; one seed where it makes no difference."""
    return [Trial(case, seed) for case in cases for seed in (seeds if case.noisy else seeds[:1])]


def rows(
    tried: Sequence[Trial], scored: Sequence[Sequence[ClipScores]], *, seed: int
) -> list[dict[str, Any]]:
    """One row per case over all clips: means with 95 % intervals, seeds averaged first.

    `scored` holds, clip by clip, the scores of every trial.
    """
    tables = _by_case(tried, scored)
    voices = [clips[0].speaker for clips in scored]
    made = []
    for case, columns in tables.items():
        count = sum(trial.case is case for trial in tried)
        about = {**case.about, "seeds": count, "count": len(voices)}
        made.append(about | {m: interval(v, voices, seed=seed) for m, v in columns.items()})
    return made


def differences(
    tried: Sequence[Trial], scored: Sequence[Sequence[ClipScores]], *, seed: int
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
        factors(case.clocked, wave, steps=case.steps)
    taken = [[factors(c.clocked, wave, steps=c.steps) for c in cases] for _ in range(runs)]
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
    tried: Sequence[Trial], scored: Sequence[Sequence[ClipScores]]
) -> dict[Case, Mapping[str, list[float]]]:
    """Of each case, the value of every metric on every clip, averaged over its seeds."""
    made: dict[Case, Mapping[str, list[float]]] = {}
    for case in dict.fromkeys(trial.case for trial in tried):
        own = [i for i, trial in enumerate(tried) if trial.case is case]
        clips = [[clips[i].values for i in own] for clips in scored]
        made[case] = {
            metric: [float(np.mean([one[metric] for one in seeds])) for seeds in clips]
            for metric in clips[0][0]
        }
    return made
