"""The command: each target in a process of its own, since a reader in C may end it."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hiresldm.benchmarks.provenance import machine, versions

from .worker import REPORT

NAMES = ("manifest", "bundle", "graph", "weights", "checkpoint", "calibration", "golden", "mil",
         "mil-weights", "audio", "tar", "parquet", "clips")  # fmt: skip
MOST_CRASHES = 5


def main() -> None:
    """Fuzz, write the figures, and exit with 1 where something was found."""
    asked = _arguments()
    began = time.perf_counter()
    engine = "atheris" if asked.guided and find_spec("atheris") else "random"
    names = asked.targets or NAMES
    with ThreadPoolExecutor(asked.jobs) as pool:  # each target is a process of its own
        rows = dict(zip(names, pool.map(lambda n: _fuzzed(n, engine, asked), names), strict=True))
    figures = {
        "command": f"python -m tests.fuzz {' '.join(sys.argv[1:])}".strip(),
        "machine": machine(),
        "versions": versions(("atheris", "coremltools", "safetensors", "torch")),
        "executions": sum(row["executions"] for row in rows.values()),
        "seconds": round(time.perf_counter() - began, 1),
        "targets": rows,
    }
    if asked.out:
        asked.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(row["findings"] for row in rows.values()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--executions", type=int, default=1000, help="of each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    parser.add_argument("--blind", dest="guided", action="store_false", help="without atheris")
    parser.add_argument("--findings", type=Path, default=Path("runs/fuzz"))
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.targets) - set(NAMES)):
        parser.error(f"there is no target {unknown[0]}; accepted are {', '.join(NAMES)}")
    return asked


def _fuzzed(name: str, engine: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Figures of one target; where its process ends too early, another one goes on."""
    outcomes: Counter[str] = Counter()
    findings: dict[str, str] = {}
    began = time.perf_counter()
    for crashes in range(MOST_CRASHES):
        if outcomes.total() >= asked.executions:
            break
        with TemporaryDirectory() as folder:
            words = asked.findings, asked.executions - outcomes.total(), asked.seed + crashes
            said = _process(name, engine, folder, *words)
            told = json.loads((Path(folder) / REPORT).read_text(encoding="utf-8"))
            outcomes.update(told["outcomes"])
            findings |= told["findings"]
            if said is not None:
                outcomes["finding"] += 1
                findings[said] = _kept(name, Path(told["input"]), asked.findings)
    row = {
        "engine": engine,
        "executions": outcomes.total(),
        "seconds": round(time.perf_counter() - began, 1),
        "outcomes": dict(outcomes.most_common()),
        "findings": findings,
    }
    print(name, json.dumps(row), flush=True)
    return row


def _process(*words: object) -> str | None:
    """Run the worker; the end of it in words where it came too early."""
    command = [sys.executable, "-m", "tests.fuzz.worker", *map(str, words)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode == 0:
        return None
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return f"the process ends with {done.returncode}: {' / '.join(lines[-8:])[:400]}"


def _kept(name: str, path: Path, findings: Path) -> str:
    findings.mkdir(parents=True, exist_ok=True)
    kept = findings / f"{name}-crash-{time.time_ns()}"
    shutil.copyfile(path, kept)
    return kept.name


if __name__ == "__main__":
    main()
