"""How fast the restorer is: time over audio length, end to end and component by component."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ...core.signal.rates import RATE_HZ
from ...core.spec import Array, Arrays, Runner
from ...runtimes.restorer import Restorer

EXAMPLE = Path(__file__).parents[2] / "examples" / "noisy.wav"
RTF, HOST = "rtf", "host"
"""The whole, and what is in no component: transforms, noise, sampler, cross-fades, idle workers."""


class Clock:
    """Adds up in `seconds` the time spent inside each component that its `wrap` is put around."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._adding = Lock()

    def wrap(self, name: str, runner: Runner) -> Runner:
        """The runner, timed."""
        self.seconds[name] = 0.0

        def run(arrays: Arrays) -> dict[str, Array]:
            began = time.perf_counter()
            outputs = runner(arrays)
            with self._adding:
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


def factors(timed: Timed, speech: Array, *, steps: int) -> dict[str, float]:
    """Real-time factor of a run over a wave (N,), its share by component, `HOST` the rest.

    A component's share is the mean over the workers, which compute side by side.
    """
    seconds = timed.clock.seconds
    seconds.update(dict.fromkeys(seconds, 0.0))
    began = time.perf_counter()
    timed.restorer(speech, RATE_HZ, steps=steps)
    total_s = time.perf_counter() - began
    components_s = {name: taken / timed.restorer.workers.count for name, taken in seconds.items()}
    audio_s = len(speech) / RATE_HZ
    shares = {RTF: total_s, **components_s, HOST: total_s - sum(components_s.values())}
    return {name: value / audio_s for name, value in shares.items()}


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, quartiles and the raw figures."""
    q1, median, q3 = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    return {"median": median, "q1": q1, "q3": q3, "raw": list(values)}
