"""LiteRT files on LiteRT's interpreter, on the CPU with XNNPACK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ..core import processors
from ..core.errors import BackendMissingError, IntegrityError, UsageError, reason
from ..core.quiet import silenced
from ..core.spec import Arrays, Artifact, Runner, Shapes
from .signature import Input, check

FORMATS: Sequence[str] = ("litert",)


def load(artifact: Artifact, root: Path, *, threads: int) -> Runner:
    """Open the file below `root`, computing on `threads` threads (0: all that there are).

    Callers take turns. Raises `BackendMissingError` without LiteRT, `IntegrityError` for a file it
    cannot open; the runner raises `UsageError` for inputs that fit none of its signatures.
    """
    every = _opened(root / artifact.path, threads or processors.usable())
    expected = [Input(n, np.dtype(np.float32), sizes) for n, sizes in _taken(every).items()]
    runners = {_key(_sizes(run)): run for run in every}
    with silenced():  # it tells of its delegate when it first computes
        every[0](**{n: np.zeros(sizes, np.float32) for n, sizes in _sizes(every[0]).items()})
    turn = Lock()

    def run(arrays: Arrays) -> dict[str, np.ndarray]:
        check(artifact.component, expected, arrays)
        key = _key({name: array.shape for name, array in arrays.items()})
        if key not in runners:
            lengths = ", ".join(map(str, artifact.enumerated_frames))
            raise UsageError(f"{artifact.component} takes {lengths} frames and no other number")
        with turn:
            made = runners[key](**arrays)
        return {name: np.array(made[f"output_{n}"]) for n, name in enumerate(artifact.outputs)}

    return run


def shapes(artifact: Artifact, root: Path) -> Shapes:
    """What the file declares that it takes; an axis that differs between signatures is open."""
    return _taken(_opened(root / artifact.path, 1))


def settings() -> Mapping[str, str]:
    """Engine, version and device, for reports; raises `BackendMissingError` without it."""
    _engine()
    return {"engine": "litert", "version": version("ai-edge-litert"), "device": "CPU, XNNPACK"}


def _engine() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise BackendMissingError(
            f"ai-edge-litert cannot be imported ({error}); "
            "install it with: pip install 'hiresldm[litert]'"
        ) from error
    return interpreter


def _opened(path: Path, threads: int) -> list[Any]:
    """A runner for each signature of the file."""
    engine = _engine()
    try:
        with silenced():
            interpreter = engine.Interpreter(model_path=str(path), num_threads=threads)
            names = interpreter.get_signature_list()
            return [interpreter.get_signature_runner(name) for name in names]
    except (ValueError, RuntimeError) as error:
        said = reason(error, path)
        raise IntegrityError(f"{path} cannot be opened by litert: {said}") from error


def _sizes(run: Any) -> dict[str, tuple[int, ...]]:
    details = run.get_input_details()
    return {name: tuple(int(size) for size in one["shape"]) for name, one in details.items()}


def _key(sizes: Mapping[str, tuple[int, ...]]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple(sorted(sizes.items()))


def _taken(runners: Sequence[Any]) -> dict[str, tuple[int | None, ...]]:
    """Shapes of the inputs; an axis that differs between signatures is open."""
    every = [_sizes(run) for run in runners]
    return {
        name: tuple(
            sizes[0] if len(set(sizes)) == 1 else None
            for sizes in zip(*(one[name] for one in every), strict=True)
        )
        for name in every[0]
    }
