"""How fast the restorer is: time over audio length, end to end and component by component."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...core.audio import RATE_HZ
from ...core.spec import Array, Arrays, Runner
from ...runtimes.restorer import Restorer

HOST = "host"
"""What is not inside a component: transforms, loudness, noise, sampler, cross-fades."""


class Clock:
    """Adds up in `seconds` the time spent inside each component that its `wrap` is put around."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def wrap(self, name: str, runner: Runner) -> Runner:
        """The runner, timed."""
        self.seconds[name] = 0.0

        def run(arrays: Arrays) -> dict[str, Array]:
            began = time.perf_counter()
            outputs = runner(arrays)
            self.seconds[name] += time.perf_counter() - began
            return outputs

        return run


@dataclass(frozen=True, eq=False)
class Timed:
    """A restorer, and the clock around its components."""

    restorer: Restorer
    clock: Clock

    @classmethod
    def load(cls, root: Path, **options: Any) -> Timed:
        """Open a bundle; raises as `Restorer.load` does."""
        clock = Clock()
        return cls(Restorer.load(root, wrap=clock.wrap, **options), clock)


def rows(
    load: Callable[[int], Timed],
    speech: Array,
    *,
    threads: Sequence[int],
    steps: Sequence[int | None],
    runs: int,
) -> list[dict[str, Any]]:
    """One row per number of threads and of steps: real-time factors of restoring a wave (N,).

    `load` opens the model on a number of threads. After one run of each to warm up, the rows take
    turns, so that a busy spell of the machine does not fall on one of them alone.
    """
    restorers = {count: load(count) for count in threads}
    cases = [(t, restorers[t].restorer.accepted_steps(s)) for t in threads for s in steps]
    for count, chosen in cases:
        factors(restorers[count], speech, steps=chosen)
    taken: dict[tuple[int, int], list[dict[str, float]]] = {case: [] for case in cases}
    for _ in range(runs):
        for count, chosen in cases:
            taken[count, chosen].append(factors(restorers[count], speech, steps=chosen))
    audio_s = len(speech) / RATE_HZ
    return [
        {"threads": count, "steps": chosen, "audio_s": audio_s} | _summary(taken[count, chosen])
        for count, chosen in cases
    ]


def factors(timed: Timed, speech: Array, *, steps: int) -> dict[str, float]:
    """Real-time factor of a run over a wave (N,), its share by component, `HOST` the rest."""
    seconds = timed.clock.seconds
    seconds.update(dict.fromkeys(seconds, 0.0))
    began = time.perf_counter()
    timed.restorer(speech, RATE_HZ, steps=steps)
    total_s = time.perf_counter() - began
    host_s = total_s - sum(seconds.values())
    audio_s = len(speech) / RATE_HZ
    shares = {"rtf": total_s, **seconds, HOST: host_s}
    return {name: value / audio_s for name, value in shares.items()}


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, quartiles and the raw figures."""
    q1, median, q3 = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    return {"median": median, "q1": q1, "q3": q3, "raw": list(values)}


def _summary(taken: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    spreads = {name: spread([one[name] for one in taken]) for name in taken[0]}
    return {"rtf": spreads.pop("rtf"), "components": spreads}
