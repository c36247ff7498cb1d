"""What the engines replace: `python -m hiresldm.benchmarks.experiments.references BUNDLE OUT`.

On one thread, in rounds: ONNX Runtime; the networks in PyTorch, as they are and as `torch.compile`
makes them (Inductor, which needs a C++ compiler); the Core ML programs as `mil` executes them,
which proves what they compute and is not meant to be fast. On all cores: OpenVINO as the runtime
has it, and as its own hints for latency and throughput would. BUNDLE holds all three formats in
fp32.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ...audio.reading.reader import read_mono
from ...core import processors
from ...core.bundle import manifest
from ...core.signal.rates import RATE_HZ
from ...core.spec import Array, Arrays, Runner
from ...families import checkpoints
from ...runtimes import on_openvino
from ...runtimes.on_torch import runner
from ...runtimes.restorer import Restorer, chosen, runtime_of
from .. import provenance, report
from ..speed.contest import Asked, Contestant, contestants, rows, variant
from ..speed.timing import EXAMPLE, Clock, Timed

BACKENDS = ("ort", "torch", "mil")
COMPILED, HINTED = "torch.compile", "openvino"
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
    return _contestant(bundle, COMPILED, 1, Timed(restorer, clock))


def hinted(bundle: Path, hint: str, callers: int) -> Contestant:
    """The bundle's files on OpenVINO, which chooses threads and streams by a hint.

    That for latency computes the chunk of one caller on all cores, that for throughput many.
    """
    found = chosen(manifest.load(bundle), runtime_of(HINTED), "fp32", bundle)
    paths, clock = {one.component: bundle / one.path for one in found}, Clock()

    def wrap(name: str, _: Runner) -> Runner:
        hints = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": "f32"}
        model = on_openvino.core().compile_model(paths[name], "CPU", hints)

        def run(arrays: Arrays) -> dict[str, Array]:
            results = model.create_infer_request().infer(dict(arrays))
            return {port.get_any_name(): np.array(results[port]) for port in model.outputs}

        return clock.wrap(name, run)

    restorer = Restorer.load(bundle, backend=HINTED, threads=callers, wrap=wrap)
    told = f"{HINTED}, hint {hint.lower()}"
    return _contestant(bundle, told, processors.usable(), Timed(restorer, clock))


def _contestant(bundle: Path, backend: str, threads: int, timed: Timed) -> Contestant:
    named = {"system": manifest.load(bundle).model, "backend": backend, "precision": "fp32"}
    about = {**named, "threads": threads, "steps": 1, "bytes": None}
    return Contestant(about, variant(timed, 1))


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the rows."""
    bundle, out = map(Path, arguments)
    torch.set_num_threads(1)
    wave = np.resize(read_mono(EXAMPLE, RATE_HZ), round(SECONDS * RATE_HZ))
    asked, cores = Asked(BACKENDS, ("fp32",), (1,), (1,)), processors.usable()
    timed = [*contestants(bundle, asked), compiled(bundle)]
    timed += contestants(bundle, Asked((HINTED,), ("fp32",), (cores,), (1,)))
    timed += [hinted(bundle, "LATENCY", 1), hinted(bundle, "THROUGHPUT", cores)]
    result = {
        "command": f"python -m hiresldm.benchmarks.experiments.references {' '.join(arguments)}",
        "machine": provenance.machine(),
        "versions": provenance.versions(["torch", "coremltools", "openvino"]),
        "model": provenance.model(bundle),
        "rows": rows(timed, wave, runs=RUNS),
    }
    report.write(result, out)


if __name__ == "__main__":
    main(sys.argv[1:])
