"""What the recovered phase is worth: `python -m hiresldm.benchmarks.phases DATA OUT`.

The decoder's magnitudes of the embedded model, with phases from three places: as the decoder turns
them, as the recovery leaves them, and from the magnitudes alone (Griffin 1984), which is what a
decoder without the recovered spectrum would have to learn.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ..core.audio import RATE_HZ
from ..core.frontend import FrontEnd, istft, stft
from ..core.spec import Array, Arrays
from ..runtimes.restorer import EMBEDDED_BUNDLE, Restorer
from . import provenance, quality, report, scores
from .quality import System
from .testset import pairs

ITERATIONS = 32
PER_CLASS, SEED = 3, 0
METRICS = ("dnsmos", "pesq", "estoi", "lsd")
Phases = Callable[[Array, Array, FrontEnd], Array]
"""(restored, recovered), each (T, 2 * bins), to a spectrum with the magnitudes of the first."""


def turned(restored: Array, recovered: Array, front: FrontEnd) -> Array:
    """As the decoder makes them."""
    return restored


def unturned(restored: Array, recovered: Array, front: FrontEnd) -> Array:
    """The phases of the recovered spectrum."""
    direction = recovered / np.maximum(np.tile(_level(recovered), 2), 1e-6)
    return np.asarray(np.tile(_level(restored), 2) * direction, np.float32)


def from_magnitude(restored: Array, recovered: Array, front: FrontEnd) -> Array:
    """Phases that agree with the magnitudes, from zero on, by Griffin and Lim's iteration."""
    level = _level(restored)
    made = np.concatenate([level, np.zeros_like(level)], axis=1)
    for _ in range(ITERATIONS):
        made = unturned(restored, stft(istft(made, front), front), front)
    return made


PHASES: Mapping[str, Phases] = {
    "turned by the decoder": turned,
    "as recovered": unturned,
    "from the magnitude alone": from_magnitude,
}


def main(data: Path, out: Path) -> None:
    """Score the test split with each of `PHASES` and write the rows."""
    judges = scores.choose(METRICS, referenced=True)
    scores.require(judges)
    systems = [_system(name, phases) for name, phases in PHASES.items()]
    drawn = pairs(data, "test", seed=SEED, per_class=PER_CLASS)
    scored = quality.evaluate(quality.render(drawn, systems), systems, judges, workers=1)
    clips = [clip for clips in scored for clip in clips]
    result = {
        "rows": quality.rows(clips, seed=SEED),
        "model": provenance.model(EMBEDDED_BUNDLE),
        "versions": provenance.versions(scores.packages(judges)),
        "command": f"python -m hiresldm.benchmarks.phases DATA {out}",
    }
    report.write(result, out)


class PhaseRestorer(Restorer):
    """The embedded model with other phases."""

    def set_phases(self, phases: Phases) -> None:
        """Give what the decoder makes these phases."""
        decode = self._runners["decoder"]

        def decoder(inputs: Arrays) -> dict[str, Array]:
            made = decode(inputs)["restored"][0]
            return {"restored": phases(made, inputs["recovered"][0], self.front)[None]}

        self._runners = {**self._runners, "decoder": decoder}


def _system(name: str, phases: Phases) -> System:
    restorer = PhaseRestorer.load()
    restorer.set_phases(phases)
    return System(name, None, lambda pair: restorer(pair.damaged, RATE_HZ, seed=SEED))


def _level(spectrum: Array) -> Array:
    return np.hypot(*np.split(spectrum, 2, axis=1))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
