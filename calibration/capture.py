"""What every part is given, and how large values become inside, while the chain restores audio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from ..core.audio import RATE_HZ
from ..core.restorer import Restorer
from ..core.sampler import timesteps
from ..core.spec import Arrays, Component, Runner
from ..families.hiresldm.components import components
from ..families.hiresldm.model import Model
from ..runtimes import on_torch
from .cases import Case
from .store import Origin, Sample

STEPS = (1, 2, 4)
"""The sampler tables that are run; every step of each is captured."""
START = 1.0
_ONCE = frozenset({"recovery", "encoder"})
"""Parts whose inputs do not depend on the sampler."""


@dataclass
class Captured:
    """Inputs of every part, and the largest magnitudes by tensor (see `store.Calibration`)."""

    samples: list[Sample] = field(default_factory=list)
    maxima: dict[str, float] = field(default_factory=dict)


def capture(model: Model, cases: Iterable[Case], *, seed: int) -> Captured:
    """Restore every case with every sampler table, and keep what passes on the way.

    The denoiser's inputs are kept at every step of every table; the recovery and the encoder see
    the same in each table, so once; the decoder's from one table, each in its turn.
    """
    calls: list[tuple[str, Arrays]] = []
    captured = Captured()
    restorer = restorer_of(model, lambda component, run: _recording(component, run, calls))
    with _watching(model, captured.maxima):
        for index, case in enumerate(cases):
            for turn, steps in enumerate(STEPS):
                restorer(case.damaged, RATE_HZ, steps=steps, seed=seed + index)
                wanted = _wanted(turn, index)
                captured.samples += [
                    Sample(_origin(case, part, steps, inputs), inputs)
                    for part, inputs in calls
                    if part in wanted
                ]
                calls.clear()
    for sample in captured.samples:
        for name, value in sample.inputs.items():
            _raise(captured.maxima, f"{sample.origin.component}.{name}", float(abs(value).max()))
    return captured


def restorer_of(
    model: Model, wrap: Callable[[Component, Runner], Runner] = lambda _, run: run
) -> Restorer:
    """A restorer over the PyTorch parts, each inside `wrap`, with the sampler tables `STEPS`."""
    runners = {
        component.name: wrap(component, on_torch.runner(component, component.build(model)))
        for component in components(model.config)
    }
    sampler = {steps: timesteps(steps, START) for steps in STEPS}
    return Restorer(runners, model.config.front, sampler, default_steps=STEPS[0])


def _recording(component: Component, run: Runner, calls: list[tuple[str, Arrays]]) -> Runner:
    def call(inputs: Arrays) -> dict[str, Any]:
        calls.append((component.name, dict(inputs)))
        return run(inputs)

    return call


def _wanted(turn: int, index: int) -> set[str]:
    once = _ONCE if turn == 0 else frozenset[str]()
    in_turn = {"decoder"} if turn == index % len(STEPS) else set[str]()
    return {"denoiser"} | once | in_turn


def _origin(case: Case, part: str, steps: int, inputs: Arrays) -> Origin:
    about = (part, case.clip, case.kind, case.snr_db)
    if part in _ONCE:
        return Origin(*about)
    time = float(inputs["time"][0]) if "time" in inputs else None
    return Origin(*about, steps, time)


@contextmanager
def _watching(model: nn.Module, maxima: dict[str, float]) -> Iterator[None]:
    """Note the largest magnitude of what every module gives, by its path."""

    def hook(path: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def note(module: nn.Module, inputs: Any, output: Tensor) -> None:
            _raise(maxima, path, output.abs().max().item())

        return note

    watched = [(path, module) for path, module in model.named_modules() if path]
    handles = [module.register_forward_hook(hook(path)) for path, module in watched]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _raise(maxima: dict[str, float], name: str, value: float) -> None:
    maxima[name] = max(value, maxima.get(name, 0.0))
