"""How good the voices of a data folder sound: `python -m hiresldm.benchmarks.quality.voices DATA`.

DATA/voices.csv gets the DistillMOS of every training speaker, over some of its clips as training
aims at them. `prepare` keeps it, and training draws by it: it rather learns from studios.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...core.errors import ToolkitError
from ...training.data.corpus import RATE_HZ, VOICES
from ...training.data.material import Speech, assemble
from .metrics import distillmos

CLIPS, SECONDS = 3, 6
"""Of every speaker, and of every clip."""


def main(data: Path) -> None:
    """Judge the voices and write the file; raises `UsageError` where there are none."""
    rows = list(judged(assemble(data, "train").speech))
    partial = data / f"{VOICES}.partial"
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("speaker", "mos"))
        writer.writerows((name, f"{mos:.3f}") for name, mos in rows)
    partial.replace(data / VOICES)
    quarters = np.quantile([mos for _, mos in rows], (0.25, 0.5, 0.75))
    print(f"{len(rows)} voices; quartiles {', '.join(f'{mos:.2f}' for mos in quarters)}")


def judged(speech: Speech) -> Iterator[tuple[str, float]]:
    """The name of every speaker and the mean opinion of a few random clips."""
    rng = np.random.default_rng(0)
    for number in np.unique(speech.speaker):
        own = rng.permutation(np.flatnonzero(speech.speaker == number))[:CLIPS]
        heard = (speech.target.wave(int(clip))[: SECONDS * RATE_HZ] for clip in own)
        mos = float(np.mean([distillmos.mos(wave) for wave in heard]))
        yield speech.recordings[own[0]].speaker, mos


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except IndexError:
        raise SystemExit("python -m hiresldm.benchmarks.quality.voices DATA") from None
    except ToolkitError as error:
        raise SystemExit(f"error: {error}") from error
