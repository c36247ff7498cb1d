"""What is known by heart: `python -m hiresldm.benchmarks.experiments.generalization DATA OUT ...`.

Noisy speech of voices and noises that training has heard, and of others, scored alike: the gap
tells whether more variety would help more than longer training. BUNDLE is NAME=DIR, as for
`hiresldm evaluate`; the embedded model is there in any case, and `recovery` is its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import torch

from ...core.errors import UsageError
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from ...runtimes.restorer import EMBEDDED_BUNDLE
from ...training.damage.effects import active_level
from ...training.damage.noises import unit
from ...training.data import corpus
from ...training.data.codecs import Rng
from .. import provenance, report
from ..peers.load import peers_of
from ..quality import evaluation as quality
from ..quality.metrics import scores
from ..quality.systems import load, systems_of, variants
from ..quality.testset import Pair

SPLITS = ("train", "test")
CLIPS, SECONDS, SEED = 16, 5, 0
SNR_DB = (0.0, 15.0)
METRICS = ("pesq", "estoi", "lsd")
PEERS = ("deepfilternet3",)
"""A denoiser for which all of these voices and noises are new, to tell how hard each kind is."""
EMBEDDED = "embedded"


def main(data: Path, out: Path, *bundles: str) -> None:
    """Score recovery and whole pipelines on every kind of pair, and write the rows."""
    scorers = scores.choose(METRICS, referenced=True)
    scores.require(scorers)
    models = variants([f"{EMBEDDED}={EMBEDDED_BUNDLE}", *bundles], [], [])
    restorers = {one.name: load(one, threads=None) for one in models}
    systems = systems_of(restorers, [], peers_of(PEERS), seed=SEED, referenced=False)
    scored = quality.evaluate(quality.render(pairs(data), systems), systems, scorers, workers=2)
    clips = [clip for clips in scored for clip in clips]
    result = {
        "rows": quality.rows(clips, seed=SEED),
        "models": {one.name: provenance.model(one.bundle) for one in models if one.bundle},
        "versions": provenance.versions(scores.packages(scorers)),
        "command": " ".join(
            ["python -m hiresldm.benchmarks.experiments.generalization", *sys.argv[1:]]
        ),
    }
    report.write(result, out)


def pairs(data: Path) -> Iterator[Pair]:
    """`CLIPS` noisy clips of every mix of known and new voices and noises, speakers in turn.

    Raises `UsageError` where `data` lacks speech or noise of a split.
    """
    for number, (voices, noises) in enumerate(product(SPLITS, SPLITS)):
        recorded = [corpus.read(recording) for recording in corpus.noises(data, noises)]
        speakers: dict[str, list[corpus.Recording]] = {}
        for recording in corpus.speech(data, voices):
            speakers.setdefault(recording.speaker, []).append(recording)
        if not recorded:
            raise UsageError(f"{data}: no {noises} noise")
        for index in range(CLIPS):
            rng = np.random.default_rng([SEED, number, index])
            own = list(speakers.values())[index % len(speakers)]
            spoken = own[rng.integers(len(own))]
            clean = corpus.read(spoken)[: SECONDS * RATE_HZ]
            noisy = _noisy(clean, recorded[rng.integers(len(recorded))], rng)
            kind = f"{voices} voices, {noises} noises"
            about = (spoken.path.name, spoken.speaker, spoken.bandwidth_hz)
            yield Pair(kind, ("noise",), *about, clean, noisy)


def _noisy(clean: Array, noise: Array, rng: Rng) -> Array:
    heard = np.resize(np.roll(noise, -int(rng.integers(len(noise)))), len(clean))
    wave, noise_wave = torch.from_numpy(clean)[None], torch.from_numpy(heard)[None]
    level = active_level(wave) * 10 ** (-rng.uniform(*SNR_DB) / 20)
    return np.asarray((wave + level * unit(noise_wave))[0], np.float32)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
