"""What the engines replace: `python -m hiresldm.benchmarks.experiments.references BUNDLE OUT`.

On one thread, in rounds: ONNX Runtime; the networks in PyTorch, as they are and as `torch.compile`
makes them (Inductor, which needs a C++ compiler); the Core ML programs as `mil` executes them,
which proves what they compute and is not meant to be fast. BUNDLE holds ONNX and Core ML in fp32.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ...audio.reading.reader import read_mono
from ...core.signal.rates import RATE_HZ
from ...core.spec import Runner
from ...families import checkpoints
from ...runtimes.on_torch import runner
from ...runtimes.restorer import Restorer
from .. import provenance, report
from ..speed.contest import Asked, Contestant, contestants, rows, variant
from ..speed.timing import EXAMPLE, Clock, Timed

BACKENDS = ("ort", "torch", "mil")
COMPILED = "torch.compile"
RUNS, SECONDS = 7, 10.0


def compiled(bundle: Path) -> Contestant:
    """The bundle's checkpoints, each component compiled for any number of frames."""
    model, clock = checkpoints.load(bundle), Clock()
    components = {one.name: one for one in model.components}

    def wrap(name: str, _: Runner) -> Runner:
        module = model.get_submodule(name)
        module.compile(dynamic=True)
        return clock.wrap(name, runner(components[name], module))

    restorer = Restorer.load(bundle, backend="torch", threads=1, wrap=wrap)
    steps = restorer.accepted_steps(1)
    named = {"system": provenance.model(bundle)["name"], "backend": COMPILED, "precision": "fp32"}
    return Contestant(
        {**named, "threads": 1, "steps": steps, "bytes": None},
        variant(Timed(restorer, clock), steps),
    )


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the rows."""
    bundle, out = map(Path, arguments)
    torch.set_num_threads(1)
    wave = np.resize(read_mono(EXAMPLE, RATE_HZ), round(SECONDS * RATE_HZ))
    asked = Asked(BACKENDS, ("fp32",), (1,), (1,))
    timed = [*contestants(bundle, asked), compiled(bundle)]
    result = {
        "command": f"python -m hiresldm.benchmarks.experiments.references {' '.join(arguments)}",
        "machine": provenance.machine(),
        "versions": provenance.versions(["torch", "coremltools"]),
        "model": provenance.model(bundle),
        "rows": rows(timed, wave, runs=RUNS),
    }
    report.write(result, out)


if __name__ == "__main__":
    main(sys.argv[1:])
