"""What every component is given while the model restores audio."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..core.calls import Call, noting
from ..core.restorer import Restorer, Wrap, as_it_is
from ..core.signal.rates import RATE_HZ
from ..core.spec import Component
from ..families.checkpoints import Model
from ..runtimes import on_torch
from .cases import Case
from .store import HOST, Origin, Sample

STEPS = (1, 2, 4)
"""The sampler tables that are run; every step of each is captured."""


def capture(model: Model, cases: Iterable[Case], *, seed: int) -> list[Sample]:
    """Restore every case with every sampler table, and keep what passes on the way.

    What runs at every step is kept at each step of every table, what comes before it sees the same
    in each table, so once; what comes after from one table, each in its turn.
    """
    calls: list[Call] = []
    captured: list[Sample] = []
    restorer = restorer_of(model, noting(calls))
    tables = list(restorer.host.schedules) or [restorer.host.default_steps]
    for index, case in enumerate(cases):
        captured.append(Sample(_about(case, HOST), {"wave": case.damaged}))
        for turn, steps in enumerate(tables):
            restorer(case.damaged, RATE_HZ, steps=steps, seed=seed + index)
            wanted = _wanted(model.components, turn, turn == index % len(tables))
            captured += [
                Sample(_origin(case, call, steps, wanted), call.inputs)
                for call in calls
                if call.component in wanted
            ]
            calls.clear()
    return captured


def restorer_of(model: Model, wrap: Wrap = as_it_is) -> Restorer:
    """A restorer over the PyTorch networks, each inside `wrap`, with the sampler tables `STEPS`."""
    host = model.config.host
    if host.schedules:
        host = host.offering(STEPS, STEPS[0])
    return Restorer(on_torch.runners(model), host, wrap=wrap)


def _wanted(components: Sequence[Component], turn: int, is_own: bool) -> dict[str, bool]:
    """Components to keep inputs of, and whether these depend on the sampler's table."""
    sampled = [component.per_step for component in components]
    first = sampled.index(True) if True in sampled else len(sampled)
    wanted = {}
    for place, component in enumerate(components):
        if component.per_step or (turn == 0 if place < first else is_own):
            wanted[component.name] = place >= first
    return wanted


def _origin(case: Case, call: Call, steps: int, sampled: Mapping[str, bool]) -> Origin:
    about = _about(case, call.component)
    if not sampled[call.component]:
        return about
    time = float(call.inputs["time"][0]) if "time" in call.inputs else None
    return replace(about, steps=steps, time=time)


def _about(case: Case, component: str) -> Origin:
    return Origin(component, case.clip, case.kind, case.snr_db)
