"""Hours: `python -m hiresldm.benchmarks.speed.hours OUT [HOURS]`, built-in model.

Peak memory of a stereo file of `HOURS` (3) against one of ten seconds; and SIGKILL at random
moments of a run over a folder, after which no finished file is lost or changed, and the next run
goes on, within a file too.
"""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ...audio.reading.reader import read_mono
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array
from ...runtimes.restorer import EMBEDDED_BUNDLE
from .. import provenance, report
from .processes import COMMAND, peak
from .timing import EXAMPLE

KILLS, SEED, THREADS = 20, 0, 2
LENGTHS_S = (12.0, 15.0, 18.0, 240.0)
ALIVE_S = (0.5, 6.0)
"""How long a run lives before it is killed."""


def main(out: Path, hours: float = 3.0) -> None:
    """Measure, and write the figures."""
    speech = read_mono(EXAMPLE)
    result: dict[str, Any] = {"kills": _kills(speech)}
    began = time.perf_counter()
    peaks = [
        peak(speech, EMBEDDED_BUNDLE, audio_s=s, threads=THREADS, channels=2)
        for s in (10.0, 3600.0 * hours)
    ]
    result["memory"] = {
        "threads": THREADS,
        "peaks": peaks,
        "ratio": peaks[1]["peak_bytes"] / peaks[0]["peak_bytes"],
        "seconds": time.perf_counter() - began,
    }
    about = {
        "machine": provenance.machine(),
        "versions": provenance.versions(),
        "model": provenance.model(EMBEDDED_BUNDLE),
        "command": f"python -m hiresldm.benchmarks.speed.hours {out} {hours:g}",
    }
    report.write(result | about, out)


def _kills(speech: Array) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        given, whole, made = (Path(name) / one for one in ("given", "whole", "made"))
        given.mkdir()
        for index, seconds in enumerate(LENGTHS_S):
            wave = np.resize(np.roll(speech, 1000 * index), round(seconds * RATE_HZ))
            soundfile.write(given / f"{index}.wav", wave, RATE_HZ)
        _finish(_restore(given, whole))
        expected = _hashes(whole)
        kills, lost, gone_on = 0, 0, 0
        draw = random.Random(SEED)  # noqa: S311
        while kills < KILLS:
            before = _hashes(made)
            if before == expected:  # all done: from the beginning, until it has been killed enough
                subprocess.run(["rm", "-r", str(made)], check=True)  # noqa: S603, S607
                before = {}
            killed = _killed(_restore(given, made), draw.uniform(*ALIVE_S))
            after = _hashes(made)
            kills += killed
            gone_on += any(made.glob(".restoring-*/journal.jsonl"))
            lost += sum(after.get(name) != expected[name] for name in before)
            lost += sum(expected[name] != value for name, value in after.items())
        _finish(_restore(given, made))
        return {
            "kills": kills,
            "within_a_file": gone_on,
            "lost_or_changed": lost,
            "equal_to_one_run": _hashes(made) == expected,
            "drafts_left": len(list(made.glob(".restoring-*"))),
        }


def _restore(given: Path, made: Path) -> Sequence[str]:
    options = ("--skip-existing", "--resume", "--quiet", "--threads", str(THREADS))
    return (sys.executable, *COMMAND, "restore", str(given), str(made), *options)


def _killed(command: Sequence[str], alive_s: float) -> bool:
    """Whether a process was killed, and not done before."""
    with subprocess.Popen(command) as process:  # noqa: S603
        try:
            process.wait(alive_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return True
    return False


def _finish(command: Sequence[str]) -> None:
    subprocess.run(command, check=True)  # noqa: S603


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.wav")
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(float, sys.argv[2:]))
