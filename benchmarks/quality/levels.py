"""Does the level matter? `python -m hiresldm.benchmarks.quality.levels DATA OUT` asks the model.

The same sentence at many levels, after a louder one, and after a clap, clean and under noise. Every
result is divided by the sentence's gain and scored as the one at -20 LUFS is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...core.outputs import check_target
from ...core.restorer import measure
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from ...runtimes.restorer import EMBEDDED_BUNDLE, Restorer
from ...training.damage.bank import Sounds
from ...training.damage.draws import Draw
from ...training.damage.effects import active_level
from ...training.damage.kinds import waves_of
from ...training.damage.noises import Noises
from ...training.data.material import assemble
from .. import provenance, report
from ..report import Row
from .metrics import scores
from .testset import Pair, by_turns, undamaged

CLIPS, SECONDS, SEED = 8, 4, 0
SNR_DB = 10.0
LEVELS_LUFS = (-80, -70, -60, -50, -40, -32, -26, -20, -12, -6, 0)
USUAL_LUFS = -20
SOFTER_DB = (0, 10, 20, 25, 30)
PAUSE_S = 0.2
CLAPS, CLAP_S, CLAP_DECAY_S = 3, 0.2, 0.005
AFTER_CLAPS_LUFS = -40
METRICS = ("estoi", "sisdr")
ALONE = f"alone, at {LEVELS_LUFS[0]} to {LEVELS_LUFS[-1]} LUFS"


@dataclass(frozen=True, eq=False)
class Case:
    """What stands before the sentence, (n,), and the level of the sentence."""

    name: str
    level_lufs: float
    before: Array


def main(data: Path, out: Path) -> None:
    """Restore and score every case of every clip, and write the scores."""
    check_target(out)
    scorers = scores.choose(METRICS, referenced=True)
    scores.require(scorers)
    restorer = Restorer.load()
    clips = [
        row
        for pair in pairs(data)
        for row in scored(lambda wave: restorer(wave, RATE_HZ), pair, scorers)
    ]
    result = {
        "clips": clips,
        "model": provenance.model(EMBEDDED_BUNDLE),
        "versions": provenance.versions(scores.packages(scorers)),
        "command": " ".join(["python -m hiresldm.benchmarks.quality.levels", *sys.argv[1:]]),
    }
    report.write(result, out)


def pairs(data: Path) -> Iterator[Pair]:
    """A clip of each of `CLIPS` test speakers, as it was recorded and under noise.

    Raises `UsageError` where `data` has no test speech.
    """
    material = assemble(data, "test")
    noises = Noises(Sounds(material))
    for number, index in enumerate(by_turns(material, CLIPS, np.random.default_rng(SEED))):
        clean = undamaged(material, index, "clean", SECONDS)
        yield clean
        wave, draw = waves_of(clean.damaged), Draw([SEED, number])
        level = active_level(wave) * 10 ** (-SNR_DB / 20)
        noisy = wave + level * noises.draw(1, wave.shape[1], draw)
        yield replace(clean, kind="noise", kinds=("noise",), damaged=noisy[0].numpy())


def scored(
    restore: Callable[[Array], Array], pair: Pair, scorers: Sequence[scores.Scorer]
) -> Iterator[dict[str, Any]]:
    """The scores of every case of a clip; `restore` takes and gives waves (N,) at 48 kHz."""
    loudness_lufs = measure([pair.damaged[:, None]], 1, RATE_HZ)[0]
    for case in cases(pair.damaged * _gain(USUAL_LUFS - loudness_lufs)):
        gain = _gain(case.level_lufs - loudness_lufs)
        heard = np.concatenate([case.before, pair.damaged * gain])
        values = scores.score(pair, restore(heard)[len(case.before) :] / gain, scorers)
        yield {
            "input": pair.kind,
            "speaker": pair.speaker,
            "clip": pair.name,
            "case": case.name,
            "level_lufs": case.level_lufs,
            **{name: round(value, 4) for name, value in values.items()},
        }


def cases(usual: Array) -> Iterator[Case]:
    """All cases of a sentence (N,), which is given at `USUAL_LUFS`."""
    for level_lufs in LEVELS_LUFS:
        yield Case(ALONE, level_lufs, np.zeros(0, np.float32))
    louder = np.concatenate([usual, np.zeros(round(PAUSE_S * RATE_HZ), np.float32)])
    for softer_db in SOFTER_DB:
        name = f"{softer_db} dB softer than the one before it"
        yield Case(name, USUAL_LUFS - softer_db, louder)
    name = f"at {AFTER_CLAPS_LUFS} LUFS, after claps at full scale"
    yield Case(name, AFTER_CLAPS_LUFS, claps())


def claps() -> Array:
    """Short bursts of noise (N,) that reach full scale."""
    time_s = np.arange(round(CLAP_S * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(SEED).standard_normal(len(time_s))
    clap = noise * np.exp(-time_s / CLAP_DECAY_S)
    return np.asarray(np.tile(clap / np.abs(clap).max(), CLAPS), np.float32)


def markdown(result: Row) -> str:
    """Means by case, and how much the clip that lost most lost against its result at -20 LUFS."""
    clips = result["clips"]
    usual = {_clip(c): c for c in clips if (c["case"], c["level_lufs"]) == (ALONE, USUAL_LUFS)}
    lines = []
    for case in dict.fromkeys(clip["case"] for clip in clips):
        own = [clip for clip in clips if clip["case"] == case]
        sides = ([clip for clip in own if clip["input"] == kind] for kind in _INPUTS)
        cells = (_cell(side, usual, *shown) for side in sides for shown in _SHOWN)
        lines.append([case, *cells])
    titles = [f"{kind}: {metric}" for kind in _INPUTS.values() for metric in ("SI-SDR dB", "ESTOI")]
    return report.table(["a sentence (the largest loss of a clip)", *titles], lines)


_INPUTS = {"clean": "clean", "noise": f"noise at {SNR_DB:g} dB SNR"}
_SHOWN = (("sisdr", 1), ("estoi", 3))
"""Metrics, and with how many digits."""


def _cell(
    clips: Sequence[Row], usual: Mapping[tuple[str, str], Row], metric: str, digits: int
) -> str:
    mean = np.mean([clip[metric] for clip in clips])
    lost = max(0.0, *(usual[_clip(clip)][metric] - clip[metric] for clip in clips))
    return f"{mean:.{digits}f} ({lost:.{digits}f})"


def _clip(row: Row) -> tuple[str, str]:
    return row["input"], row["clip"]


def _gain(gain_db: float) -> np.float32:
    return np.float32(10 ** (gain_db / 20))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
