"""Everything that follows from new weights, made by one command in the root of a checkout.

`python -m hiresldm.benchmarks.release RUN --data DATA` performs `STEPS`. What compares the weights
with others (`steps.json`, ablations, generalization) is not made anew.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from ..core.errors import ToolkitError, UsageError
from ..families.hiresldm.components import NAMES
from .documents import ROOT

Steps = Mapping[str, str]
"""Command lines by name, in order."""
WORK = Path("runs/release")
"""What steps leave for others; git does not see it."""
STEPS: Steps = {
    "build": "hiresldm build weights/edge --weights $RUN --precisions int8-dynamic,fp32"
    " --steps 1,2,4 --default-steps 1 --overwrite",
    "log": "cp $RUN/log.json weights/edge/log.json",
    "selftest": "hiresldm selftest weights/edge",
    "example": "hiresldm restore examples/noisy.wav docs/restored.flac --overwrite",
    "picture": "hiresldm plot examples/noisy.wav docs/restored.flac examples/clean.flac"
    " --out docs/example.png",
    "one-second": "python -m hiresldm.benchmarks.experiments.one_second examples/noisy.wav"
    " docs/how.png",
    "parity": "hiresldm parity weights/edge --full --report benchmarks/results/parity-full.json",
    "calibrate": "hiresldm calibrate --data $DATA --out runs/release/calibration.safetensors",
    "ranges": "python -m hiresldm.benchmarks.experiments.activation_ranges"
    " runs/release/calibration.safetensors benchmarks/results/calibration.json",
    "formats": "hiresldm build runs/release/phone --weights weights/edge"
    " --formats onnx,openvino,coreml --precisions fp32,fp16,int8,int4,w8a8"
    " --calibration runs/release/calibration.safetensors --audio $DATA"
    " --report benchmarks/results/build.json --overwrite",
    "parity-formats": "hiresldm parity runs/release/phone --report benchmarks/results/parity.json",
    "references": "python -m hiresldm.benchmarks.experiments.references runs/release/phone"
    " benchmarks/results/references.json",
    "search": "hiresldm search --data $DATA --calibration runs/release/calibration.safetensors"
    " --per-class 1 --out runs/release/precision-config.json"
    " --report benchmarks/results/search.json",
    "nncf": "python -m hiresldm.benchmarks.experiments.nncf_baseline $DATA"
    " runs/release/calibration.safetensors benchmarks/results/nncf.json",
    "evaluate": "hiresldm evaluate --data $DATA --bundle student=weights/edge --peer all"
    " --metrics all --report benchmarks/results/quality.json",
    "levels": "python -m hiresldm.benchmarks.quality.levels $DATA benchmarks/results/levels.json",
    "engines": "hiresldm build runs/release/engines --weights weights/edge"
    " --formats onnx,openvino,executorch,litert --precisions fp32,int8-dynamic,int8"
    " --audio $DATA --report benchmarks/results/engine-builds.json --overwrite",
    "bench-engines": "hiresldm bench --bundle runs/release/engines"
    " --backends ort,openvino,executorch,litert --precisions fp32,int8-dynamic,int8 --threads 1"
    " --peer rnnoise,gtcrn --report benchmarks/results/engines.json",
    "bench": "hiresldm bench --steps 1,2,4 --peer all --profile"
    " --report benchmarks/results/speed.json",
    "tables": "python -m hiresldm.benchmarks.documents",
    "card": "python -m hiresldm.benchmarks.card",
}


def plan(run: str, data: str, only: str = "") -> Steps:
    """The steps with these two folders in them; of those named in `only`, by commas, if any are.

    Raises `UsageError` for a name that is none.
    """
    names = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := set(names) - set(STEPS):
        raise UsageError(f"there is no step {min(unknown)!r}; accepted: {', '.join(STEPS)}")
    folders = {"RUN": shlex.quote(run), "DATA": shlex.quote(data)}
    return {
        name: Template(line).substitute(folders)
        for name, line in STEPS.items()
        if not names or name in names
    }


def check(run: Path, data: Path) -> None:
    """Raise `UsageError` where the steps could not end well, before any of them."""
    for name in (*(f"{component}.safetensors" for component in NAMES), "log.json"):
        if not (run / name).is_file():
            raise UsageError(
                f"{run}: holds no {name}; give a run with four components and log.json"
            )
    if not data.is_dir():
        raise UsageError(f"{data}: no such folder; give one of speech with --data")
    if Path.cwd() != ROOT:
        raise UsageError(f"run this in {ROOT}, the root of the checkout that it writes into")


def perform(steps: Steps) -> int:
    """Run the steps one after the other; gives the exit code of the first that fails, or 0."""
    for number, (name, line) in enumerate(steps.items(), 1):
        _tell(f"== {number}/{len(steps)} {name}: {line}")
        began = time.monotonic()
        if code := subprocess.run(_words(line), check=False).returncode:  # noqa: S603
            left = ",".join(list(steps)[number - 1 :])
            _tell(f"error: step {name} failed; to go on from there: --only {left}")
            return code if code > 0 else 128 - code  # below 0: ended by that signal
        _tell(f"== {name}: {time.monotonic() - began:.0f} s")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Show or perform the steps asked for; gives the exit code."""
    parser = argparse.ArgumentParser(description="Make everything that follows from new weights.")
    parser.add_argument("run", metavar="RUN", help="run folder: four components and log.json")
    parser.add_argument("--data", required=True, help="folder of speech, or of manifests")
    parser.add_argument("--only", default="", help="names of steps, separated by commas")
    parser.add_argument("--list", action="store_true", help="show the steps, do nothing")
    asked = parser.parse_args(argv)
    try:
        steps = plan(asked.run, asked.data, asked.only)
        if asked.list:
            print("\n".join(f"{name}: {line}" for name, line in steps.items()))
            return 0
        check(Path(asked.run), Path(asked.data))
    except ToolkitError as error:
        _tell(f"error: {error}")
        return error.exit_code
    WORK.mkdir(parents=True, exist_ok=True)
    return perform(steps)


def _words(line: str) -> list[str]:
    """The words of a command line, with this very Python for Python and ours."""
    program, *rest = shlex.split(line)
    ours = {"hiresldm": [sys.executable, "-m", "hiresldm.cli.main"], "python": [sys.executable]}
    return [*ours.get(program, [program]), *rest]


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
