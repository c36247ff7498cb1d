"""What streaming costs: `python -m hiresldm.benchmarks.quality.streaming DATA OUT`, built-in model.

The same clips, restored as whole files and as streams with more and less look-ahead: scores, and
how near they come to the whole file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...core.restorer import measure
from ...core.signal.metrics import snr_db
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from ...core.streams import LATENCIES, Latency, Stream
from ...runtimes.restorer import EMBEDDED_BUNDLE, Restorer
from .. import provenance, report
from . import evaluation as quality
from .evaluation import System
from .metrics import scores
from .testset import Pair, pairs

METRICS = ("dnsmos", "pesq", "estoi", "lsd", "sisdr", "lost")
PER_CLASS, SEED = 3, 0
SETTINGS = LATENCIES | {
    f"live, {ahead_s} s ahead": Latency(0.06, 0.5, ahead_s, 0.02) for ahead_s in (0.2, 0.4)
}


def main(data: Path, out: Path) -> None:
    """Score the settings, and write the figures."""
    judges = scores.choose(METRICS, referenced=True)
    scores.require(judges)
    restorer = Restorer.load(threads=1)
    systems, nearness = list(_systems(restorer)), _Nearness()
    renderings = nearness.watch(
        quality.render(pairs(data, "test", seed=SEED, per_class=PER_CLASS), systems), systems
    )
    scored = quality.evaluate(renderings, systems, judges, workers=2)
    clips = [clip for clips in scored for clip in clips]
    result = {
        "rows": quality.rows(clips, seed=SEED),
        "snr_to_whole_db": nearness.medians(),
        "machine": provenance.machine(),
        "versions": provenance.versions(scores.packages(judges)),
        "model": provenance.model(EMBEDDED_BUNDLE),
        "command": f"python -m hiresldm.benchmarks.quality.streaming {data} {out}",
    }
    report.write(result, out)


def _systems(restorer: Restorer) -> Iterator[System]:
    yield System("input", None, lambda pair: pair.damaged)
    yield System("whole", None, lambda pair: restorer(pair.damaged, RATE_HZ, seed=SEED))

    def known(pair: Pair) -> Array:
        lufs = measure([pair.damaged[:, None]], 1, RATE_HZ)
        return _through(restorer.stream(loudness_lufs=lufs, seed=SEED), pair.damaged)

    yield System("quality, level known", None, known)
    for name, setting in SETTINGS.items():

        def run(pair: Pair, setting: Latency = setting) -> Array:
            return _through(restorer.stream(latency=setting, seed=SEED), pair.damaged)

        yield System(name, None, run)


def _through(stream: Stream, wave: Array) -> Array:
    return np.concatenate([stream.push(wave), stream.flush()])


class _Nearness:
    """Signal-to-noise ratios of streams, the whole file's restoration being the signal."""

    def __init__(self) -> None:
        self._ratios_db: dict[str, list[float]] = {}

    def watch(
        self, renderings: Iterator[quality.Rendering], systems: list[System]
    ) -> Iterator[quality.Rendering]:
        for rendering in renderings:
            _, whole, *others = rendering.candidates
            for system, made in zip(systems[2:], others, strict=True):
                self._ratios_db.setdefault(system.name, []).append(snr_db(whole, made))
            yield rendering

    def medians(self) -> dict[str, dict[str, float]]:
        return {
            name: {"median": float(np.median(values)), "least": min(values)}
            for name, values in self._ratios_db.items()
        }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
