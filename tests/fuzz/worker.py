"""One target fuzzed in this process, for `python -m tests.fuzz`, which starts it."""

from __future__ import annotations

import faulthandler
import json
import os
import random
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .target import Target

TESTS = Path(__file__).parents[1]
REPORT = "report.json"
MOST_BYTES = 8 << 30
"""Beyond it, a reader is refused memory: other work on the machine is not to suffer."""
HANGS_S = 60
REPORTED_EVERY = 50

Run = Callable[[bytes], None]


def main(name: str, engine: str, folder: Path, findings: Path, executions: int, seed: int) -> None:
    """Fuzz until all executions are done; `folder` gets the report and the last input."""
    sys.path.insert(0, str(TESTS))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, hard))
    if engine == "atheris":
        _guided(name, folder, findings, executions, seed)
    _blind(name, folder, findings, executions, seed)


def _blind(name: str, folder: Path, findings: Path, executions: int, seed: int) -> None:
    from .targets import TARGETS

    target, rng = TARGETS[name], random.Random(seed)
    run, seeds = _counted(target, folder, findings, executions), target.seeds()
    for data in seeds:
        run(data)
    while True:
        run(target.mutate(rng.choice(seeds), rng))


def _guided(name: str, folder: Path, findings: Path, executions: int, seed: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["hiresldm", "coremltools.converters.mil.frontend"]):
        from .targets import TARGETS
    target, corpus = TARGETS[name], folder / "corpus"
    seeds = target.seeds()
    corpus.mkdir()
    for index, data in enumerate(seeds):
        (corpus / str(index)).write_bytes(data)

    def mutate(data: bytes, longest: int, drawn: int) -> bytes:
        rng = random.Random(drawn)
        # Left alone, it drifts to ever new ways of being refused early.
        begin = data if rng.random() < 0.5 else rng.choice(seeds)
        return target.mutate(begin, rng)[:longest]

    options = [f"-seed={seed + 1}", "-max_len=1000000", "-rss_limit_mb=0", "-verbosity=0"]
    run = _counted(target, folder, findings, executions)
    atheris.Setup([sys.argv[0], *options, str(corpus)], run, custom_mutator=mutate)
    atheris.Fuzz()


def _counted(target: Target, folder: Path, findings: Path, executions: int) -> Run:
    """Reads an input and ends the process after the last; tells on the way how far it is."""
    from .target import Trial

    trial = Trial(target, folder / "place", findings)

    def report() -> None:
        told: dict[str, Any] = {"input": str(trial.input), "findings": trial.found}
        text = json.dumps(told | {"outcomes": trial.outcomes})
        (folder / REPORT).write_text(text, encoding="utf-8")

    def run(data: bytes) -> None:
        faulthandler.dump_traceback_later(HANGS_S, exit=True)
        trial(data)
        done = trial.outcomes.total()
        if done % REPORTED_EVERY == 0 or done >= executions:
            report()
        if done >= executions:
            os._exit(0)  # libFuzzer knows no other way to stop

    faulthandler.enable()
    report()
    return run


if __name__ == "__main__":
    NAME, ENGINE, FOLDER, FINDINGS, EXECUTIONS, SEED = sys.argv[1:]
    main(NAME, ENGINE, Path(FOLDER), Path(FINDINGS), int(EXECUTIONS), int(SEED))
