"""Does diffusion pay: `python -m hiresldm.benchmarks.experiments.draws DATA OUT`, embedded model.

Where speech has lost its top, or lies deep in noise, many clean latents are possible, and a draw of
one should sound better than their mean. Compared are draws in the numbers of steps that the bundle
offers, the mean of many draws in one step, what the decoder makes of the recovered latent and of
the clean one, and how far draws lie apart.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...core.signal.rates import RATE_HZ
from ...core.spec import Array, Arrays, Runner
from ...runtimes.restorer import EMBEDDED_BUNDLE, Restorer
from ...training.damage import effects, noises
from ...training.damage.bank import Sounds
from ...training.damage.draws import Draw
from ...training.damage.kinds import waves_of
from ...training.data.material import Material, assemble
from .. import provenance, report
from ..quality import evaluation as quality
from ..quality.evaluation import System
from ..quality.metrics import scores
from ..quality.metrics.scores import Scorer
from ..quality.systems import recover, round_trip
from ..quality.testset import Pair, by_turns, undamaged
from .ablations import altering

SPLIT, CLIPS, SEED, DRAWN = "test", 12, 0, 16
CUTOFF_HZ, STEEPNESS = 4000.0, 60.0
SNR_DB = (-5.0, 0.0)
LOW_PASSED, NOISY = "low-passed at 4 kHz", "noise at -5 to 0 dB"
METRICS = ("dnsmos", "distillmos", "pesq", "estoi", "lsd", "lost")
TOP_HZ = (4000.0, 16_000.0)


def mean_of(denoiser: Runner, draws: int) -> Runner:
    """A one-step denoiser's mean over noises."""

    def averaged(given: Arrays) -> dict[str, Array]:
        rng, shape = np.random.default_rng(SEED), given["noisy"].shape
        noise = (rng.standard_normal(shape, np.float32) for _ in range(draws))
        drawn = [denoiser({**given, "noisy": one})["clean"] for one in noise]
        return {"clean": np.mean(drawn, axis=0, dtype=np.float32)}

    return averaged


def top_level(pair: Pair, candidate: Array) -> dict[str, float]:
    """Level of a candidate (N,) between 4 and 16 kHz over that of the clean clip, in dB."""
    high_hz = min(TOP_HZ[1], pair.bandwidth_hz)
    frequency_hz = np.fft.rfftfreq(len(candidate), 1 / RATE_HZ)
    inside = (frequency_hz >= TOP_HZ[0]) & (frequency_hz <= high_hz)
    powers = [
        float((np.abs(np.fft.rfft(wave)[inside]) ** 2).sum()) + 1e-12
        for wave in (candidate, pair.reference)
    ]
    return {"top_db": 10 * float(np.log10(powers[0] / powers[1]))}


def spread(pair: Pair, restorer: Restorer) -> float:
    """How far two draws lie apart above 4 kHz, in dB below what they have in common."""
    first, second = (restorer(pair.damaged, RATE_HZ, steps=1, seed=seed) for seed in (0, 1))
    high = np.fft.rfftfreq(len(first), 1 / RATE_HZ) >= TOP_HZ[0]
    common, apart = (
        float((np.abs(np.fft.rfft(wave)[high]) ** 2).sum()) + 1e-12
        for wave in ((first + second) / 2, (first - second) / 2)
    )
    return 10 * float(np.log10(common / apart))


def pairs(data: Path) -> Iterator[Pair]:
    """`CLIPS` clips of each kind, speakers in turn."""
    material = assemble(data, SPLIT)
    sounds = Sounds(material)
    for number, kind in enumerate((LOW_PASSED, NOISY)):
        for index in by_turns(material, CLIPS, np.random.default_rng([SEED, number])):
            yield _damaged(material, index, kind, sounds, Draw([SEED, number, index]))


def systems() -> list[System]:
    """What is compared; the number of steps where anything is drawn."""
    plain = Restorer.load()
    means = Restorer.load(wrap=lambda name, run: mean_of(run, DRAWN) if name == "denoiser" else run)
    recovered = Restorer.load(wrap=altering("denoiser", lambda given, made: given["condition"][0]))

    def pipeline(name: str, restorer: Restorer, steps: int) -> System:
        return System(name, steps, lambda p: restorer(p.damaged, RATE_HZ, steps=steps, seed=SEED))

    return [
        System("input", None, lambda pair: pair.damaged),
        System("recovery", None, lambda pair: recover(plain, pair.damaged)),
        pipeline("recovered latent, decoded", recovered, 1),
        pipeline(f"mean of {DRAWN} draws", means, 1),
        *(pipeline("draw", plain, steps) for steps in sorted(plain.host.schedules)),
        System("clean latent, decoded", None, lambda p: round_trip(plain, p.damaged, p.reference)),
    ]


def main(data: Path, out: Path) -> None:
    """Score every system on both kinds, measure the spread of draws, and write the rows."""
    scorers = (*scores.choose(METRICS, referenced=True), Scorer("top", {}, top_level))
    scores.require(scorers)
    drawn, compared = list(pairs(data)), systems()
    scored = quality.evaluate(quality.render(drawn, compared), compared, scorers, workers=2)
    clips = [clip for clips in scored for clip in clips]
    restorer = Restorer.load()
    apart: dict[str, list[float]] = {}
    for pair in drawn:
        apart.setdefault(pair.kind, []).append(spread(pair, restorer))
    result = {
        "rows": quality.rows(clips, seed=SEED),
        "draws_apart_db": {kind: round(float(np.mean(all_)), 2) for kind, all_ in apart.items()},
        "model": provenance.model(EMBEDDED_BUNDLE),
        "versions": provenance.versions(scores.packages(scorers)),
        "command": f"python -m hiresldm.benchmarks.experiments.draws DATA {out}",
    }
    report.write(result, out)


def _damaged(material: Material, index: int, kind: str, sounds: Sounds, draw: Draw) -> Pair:
    pair = undamaged(material, index, kind)
    wave = waves_of(pair.damaged)
    if kind == LOW_PASSED:
        ratio = effects.frequencies_hz(wave)[None] / CUTOFF_HZ
        made = effects.filtered(wave, 1 / (1 + ratio**STEEPNESS))
    else:
        noise = noises.Noises(sounds).recorded(1, wave.shape[1], draw)
        level = effects.active_level(wave) * 10 ** (-draw.uniform(1, *SNR_DB) / 20)
        made = wave + level * noises.unit(noise)
    return replace(pair, damaged=made[0].numpy())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
