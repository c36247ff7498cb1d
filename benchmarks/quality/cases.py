"""What is compared over steps: a teacher, however sampled, a regressor, and students."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, cast

from torch import nn

from ...core.signal.rates import RATE_HZ
from ...core.signal.sampler import Sample, ddim, dpmpp_2m, timesteps
from ...core.spec import Array, Runner
from ...distill.shortcut import COMPONENT, OnGrid, TwoTimeDenoiser
from ...families.checkpoints import Model, load, load_component
from ...families.hiresldm.config import ModelConfig
from ...families.hiresldm.host import Host, schedules
from ...runtimes import on_torch
from ...runtimes.restorer import Restorer
from ..speed.memory import Memory
from ..speed.timing import Clock, Timed
from .evaluation import System
from .testset import Pair

TEACHER_STEPS = (1, 2, 4, 8, 16, 32)
SECOND_ORDER_STEPS = (4, 8, 16, 32)
"""With fewer steps the second-order sampler has none but its first and last, which are `ddim`'s."""
STUDENT_STEPS = (1, 2, 4)
WARM_START = 0.5
TEACHER, REGRESSOR = "teacher", "regressor"
DDIM, DPMPP_2M, WARM = "ddim", "dpmpp_2m", "ddim, warm start"


@dataclass(frozen=True, eq=False)
class Case:
    """One line of the table: a system, how it is sampled, in how many steps."""

    system: str
    sampler: str
    steps: int
    restorer: Restorer
    timed: Timed
    """The same, which remembers nothing."""
    noisy: bool = True
    """Whether the seed makes a difference."""

    @property
    def about(self) -> dict[str, Any]:
        """What names the case."""
        return {"system": self.system, "sampler": self.sampler, "steps": self.steps}

    def restore(self, wave: Array, seed: int) -> Array:
        """The restored wave (N,) at 48 kHz."""
        return self.restorer(wave, RATE_HZ, steps=self.steps, seed=seed, keep_rate=True)


@dataclass(frozen=True, eq=False)
class SeededCase:
    """A case with one seed."""

    case: Case
    seed: int

    def system(self, run: Callable[[Pair], Array] | None = None) -> System:
        """The one_seed as a system to be scored; `run` replaces plain restoring."""
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
        *(made.case(TEACHER, DPMPP_2M, n, dpmpp_2m) for n in SECOND_ORDER_STEPS),
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
    if not (folder / f"{COMPONENT}.safetensors").exists():
        return cases
    network = TwoTimeDenoiser(cast("ModelConfig", model.config))
    load_component(network, folder / f"{COMPONENT}.safetensors")
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
        self._host = cast("Host", model.config.host)
        self._runners = on_torch.runners(model)
        self._sampled = next(component for component in model.components if component.per_step)
        before = takewhile(lambda component: not component.per_step, model.components)
        self._remembering = self._runners | {
            component.name: memory.remembering(
                self._runners[component.name], model.get_submodule(component.name)
            )
            for component in before
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
            own[self._sampled.name] = on_torch.runner(self._sampled, denoiser.eval())
        values = vars(self._host) | {"schedules": schedules([steps], start), "default_steps": steps}
        host = _sampling_by(sample)(**values)
        clock = Clock()
        plain = Restorer(self._remembering | own, host)
        timed = Timed(Restorer(self._runners | own, host, wrap=clock.wrap), clock)
        return Case(system, sampler, steps, plain, timed, noisy)


def _sampling_by(sample: Sample[Array]) -> type[Host]:
    """The host whose sampler is another one."""
    return type("Host", (Host,), {"sample": staticmethod(sample)})


def seeded(cases: Iterable[Case], seeds: Sequence[int]) -> list[SeededCase]:
    """Every case with every seed; one seed where it makes no difference."""
    return [
        SeededCase(case, seed) for case in cases for seed in (seeds if case.noisy else seeds[:1])
    ]
