"""Without training, of the embedded model: `python -m hiresldm.benchmarks.experiments.ablations`.

`... phases DATA OUT` tells what the recovered phase is worth: the decoder's magnitudes with phases
from two places: as the recovery leaves them, and from the magnitudes alone (Griffin 1984), which
is what a decoder without the recovered spectrum would have to learn.

`... strength DATA OUT` tells how strong recovery should be: part of the damaged speech is left in
what the decoder and the encoder are given.

`... dead-zone DATA OUT` tells what it is worth that gains near one are drawn to one, in recovery
and in the decoder, by networks with other widths and the same weights.

`... post-filter DATA OUT` tells what it brings to turn down further what recovery turns down, and
what it costs: low gains become lower, high ones stay (Valin 2020, PercepNet).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from ...core.errors import UsageError
from ...core.restorer import Wrap
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array, Arrays, Runner
from ...families.checkpoints import load
from ...families.hiresldm.config import Zone
from ...families.hiresldm.frontend import FrontEnd, istft, stft
from ...families.hiresldm.model import Model
from ...runtimes import on_torch
from ...runtimes.restorer import EMBEDDED_BUNDLE, Restorer
from .. import provenance, report
from ..quality import evaluation as quality
from ..quality.evaluation import System
from ..quality.metrics import scores
from ..quality.testset import pairs

ITERATIONS = 32
SHARES = (0.0, 0.05, 0.1, 0.2)
"""Shares of the damaged wave that are left in the recovered one."""
NONE = Zone(1e-6, 0.0)
"""A dead zone that is none."""
FAINT = 1e-6
"""Level of a bin that is silent."""
DEAD_ZONES = (
    (NONE, NONE),
    (NONE, Zone(0.2, 0.0)),
    (Zone(0.01, 0.4), Zone(0.2, 0.0)),
    (Zone(0.01, 0.4), Zone(0.05, 0.8)),
    (Zone(0.01, 0.5), Zone(0.05, 0.8)),
    (Zone(0.01, 0.8), Zone(0.05, 0.8)),
)
"""In recovery and in the decoder."""
POST_FILTERS = (0.0, 0.25, 0.5, 1.0)
"""How much of the post-filter's change is made."""
SPLITS = {"phases": "test", "strength": "valid", "dead-zone": "valid", "post-filter": "valid"}
PER_CLASS, SEED = 3, 0
METRICS = ("dnsmos", "distillmos", "pesq", "estoi", "lsd", "lost", "sisdr")
FRONT = FrontEnd()
"""Of the embedded model."""
Change = Callable[[Arrays, Array], Array]
"""(inputs, output) of a component, of one clip, to another output."""
Phases = Callable[[Array, Array, FrontEnd], Array]
"""(restored, recovered), each (T, 2 * bins), to a spectrum with the magnitudes of the first."""


def as_recovered(restored: Array, recovered: Array, front: FrontEnd) -> Array:
    """The phases of the recovered spectrum."""
    direction = recovered / np.maximum(np.tile(_level(recovered), 2), 1e-6)
    return np.asarray(np.tile(_level(restored), 2) * direction, np.float32)


def from_magnitude(restored: Array, recovered: Array, front: FrontEnd) -> Array:
    """Phases that agree with the magnitudes, from zero on, by Griffin and Lim's iteration."""
    level = _level(restored)
    made = np.concatenate([level, np.zeros_like(level)], axis=1)
    for _ in range(ITERATIONS):
        made = as_recovered(restored, stft(istft(made, front), front), front)
    return made


PHASES: Mapping[str, Phases] = {
    "as recovered": as_recovered,
    "from the magnitude alone": from_magnitude,
}


def main(ablation: str, data: Path, out: Path) -> None:
    """Score an ablation's variants and write the rows; raises `UsageError` for one unknown."""
    if ablation not in ABLATIONS:
        raise UsageError(f"there is no ablation {ablation!r}; accepted: {', '.join(ABLATIONS)}")
    scorers = scores.choose(METRICS, referenced=True)
    scores.require(scorers)
    systems = ABLATIONS[ablation]()
    drawn = pairs(data, SPLITS[ablation], seed=SEED, per_class=PER_CLASS)
    scored = quality.evaluate(quality.render(drawn, systems), systems, scorers, workers=1)
    clips = [clip for clips in scored for clip in clips]
    result = {
        "rows": quality.rows(clips, seed=SEED),
        "model": provenance.model(EMBEDDED_BUNDLE),
        "versions": provenance.versions(scores.packages(scorers)),
        "command": f"python -m hiresldm.benchmarks.experiments.ablations {ablation} DATA {out}",
    }
    report.write(result, out)


def altering(name: str, change: Change) -> Wrap:
    """Lets `change` have (inputs, output) of a component, of one clip, and give another output."""

    def wrap(component: str, run: Runner) -> Runner:
        def altered(inputs: Arrays) -> dict[str, Array]:
            ((output, made),) = run(inputs).items()
            return {output: change(inputs, made[0])[None]}

        return altered if component == name else run

    return wrap


def left_in(share: float, damaged: Array, recovered: Array, front: FrontEnd) -> Array:
    """The recovered spectrum (T, 2 * bins) with a share of the damaged one, both as waves."""
    given, made = (istft(spectrum, front) for spectrum in (damaged, recovered))
    return stft(share * given + (1 - share) * made, front)


def gains(damaged: Array, recovered: Array) -> Array:
    """What each bin (T, bins) of a spectrum (T, 2 * bins) was multiplied by, both compressed."""
    ratio = _level(recovered) / np.maximum(_level(damaged), FAINT)
    return np.asarray(ratio, np.float32)


def post_filtered(share: float, damaged: Array, recovered: Array, front: FrontEnd) -> Array:
    """The recovered spectrum (T, 2 * bins) whose gains g are g sin(g pi / 2), as far as `share`."""
    gain = gains(damaged, recovered).clip(0.0, 1.0) ** (1 / front.compression)
    further = (1 - share + share * np.sin(gain * np.pi / 2)) ** front.compression
    return np.asarray(recovered * np.tile(further, 2), np.float32)


def _phase_systems() -> list[System]:
    def system(name: str, phases: Phases) -> System:
        return _system(
            name, "decoder", lambda given, made: phases(made, given["recovered"][0], FRONT)
        )

    return [system(name, phases) for name, phases in PHASES.items()]


def _recovery_systems(
    name: str, shares: Sequence[float], change: Callable[[float, Array, Array, FrontEnd], Array]
) -> list[System]:
    """A system for every share of a change of what recovery gives."""

    def system(share: float) -> System:
        return _system(
            f"{share:.0%} of the {name}",
            "recovery",
            lambda given, made: change(share, given["spectrum"][0], made, FRONT),
        )

    return [system(share) for share in shares]


def _dead_zone_systems() -> list[System]:
    def system(recovery: Zone, decoder: Zone) -> System:
        model = cast("Model", load(EMBEDDED_BUNDLE))
        model.recovery.zone, model.decoder.zone = recovery, decoder
        restorer = Restorer(on_torch.runners(model), model.config.host)
        first, second = (f"{zone.least:g} + {zone.more:g}" for zone in (recovery, decoder))
        name = f"recovery {first}, decoder {second}"
        return System(name, None, lambda pair: restorer(pair.damaged, RATE_HZ, seed=SEED))

    return [system(*widths) for widths in DEAD_ZONES]


ABLATIONS: Mapping[str, Callable[[], list[System]]] = {
    "phases": _phase_systems,
    "strength": partial(_recovery_systems, "damaged speech left in", SHARES, left_in),
    "dead-zone": _dead_zone_systems,
    "post-filter": partial(_recovery_systems, "post-filter", POST_FILTERS, post_filtered),
}


def _system(name: str, component: str, change: Change) -> System:
    restorer = Restorer.load(wrap=altering(component, change))
    return System(name, None, lambda pair: restorer(pair.damaged, RATE_HZ, seed=SEED))


def _level(spectrum: Array) -> Array:
    return np.hypot(*np.split(spectrum, 2, axis=1))


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:4]))
