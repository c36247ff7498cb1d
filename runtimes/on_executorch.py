"""ExecuTorch programs on ExecuTorch's own runtime, layers on XNNPACK: as phones run them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ..core import processors
from ..core.errors import BackendMissingError, IntegrityError, UsageError, reason
from ..core.quiet import silenced
from ..core.spec import Arrays, Artifact, Runner, Shapes
from .signature import Input, check

FORMATS: Sequence[str] = ("executorch",)

CONTRACT = "contract"
"""A method of every program of ours: names and shapes as JSON, which ExecuTorch keeps nowhere."""

_TURN = Lock()


def load(artifact: Artifact, root: Path, *, threads: int) -> Runner:
    """Open the program below `root`, computing on `threads` threads (0: all that there are).

    Their number holds for the whole process, and callers take turns. Raises `BackendMissingError`
    without executorch, `IntegrityError` for a file it cannot open or that fails; the runner raises
    `UsageError` for inputs that do not fit.
    """
    program, contract = _opened(root / artifact.path)
    import torch

    with _TURN, silenced():
        _start(threads or processors.usable())
        method = program.load_method("forward")
    expected = [
        Input(name, np.dtype(np.float32), tuple(shape))
        for name, shape in contract["inputs"].items()
    ]

    def run(arrays: Arrays) -> dict[str, np.ndarray]:
        check(artifact.component, expected, arrays)
        _check_lengths(artifact.component, contract["longest"], arrays)
        given = [torch.from_numpy(np.ascontiguousarray(arrays[one.name])) for one in expected]
        with _TURN:
            try:
                made = method.execute(given)
            except RuntimeError as error:
                said = reason(error)
                raise IntegrityError(f"{artifact.path} fails in executorch: {said}") from error
            return {n: x.numpy().copy() for n, x in zip(contract["outputs"], made, strict=True)}

    return run


def shapes(artifact: Artifact, root: Path) -> Shapes:
    """What the file declares that it takes and makes; raises as `load` does."""
    _, contract = _opened(root / artifact.path)
    declared = contract["inputs"] | contract["outputs"]
    return {name: tuple(shape) for name, shape in declared.items()}


def settings() -> Mapping[str, str]:
    """Engine, version and device, for reports; raises `BackendMissingError` without it."""
    if find_spec("executorch") is None:  # importing it takes seconds
        raise _missing("there is no such package")
    return {"engine": "executorch", "version": version("executorch"), "device": "CPU, XNNPACK"}


def _engine() -> Any:
    try:
        with silenced(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that its interface may change: it is pinned
            from executorch import runtime
    except ImportError as error:
        raise _missing(error) from error
    return runtime


def _missing(why: object) -> BackendMissingError:
    return BackendMissingError(
        f"executorch cannot be imported ({why}); "
        "install it with: pip install 'hiresldm[executorch]'"
    )


def _opened(path: Path) -> tuple[Any, dict[str, Any]]:
    engine = _engine()
    try:
        with _TURN, silenced():
            program = engine.Runtime.get().load_program(path)
            (text,) = program.load_method(CONTRACT).execute([])
        return program, json.loads(text)
    except (RuntimeError, ValueError) as error:
        said = reason(error, path)
        raise IntegrityError(f"{path} cannot be opened by executorch: {said}") from error


def _check_lengths(component: str, longest: Mapping[str, list[int]], arrays: Arrays) -> None:
    for name, array in arrays.items():
        if any(size > most for size, most in zip(array.shape, longest[name], strict=True)):
            raise UsageError(
                f"{component} takes {name} up to a shape of {tuple(longest[name])}, "
                f"not {array.shape}"
            )


def _start(threads: int) -> None:
    from executorch.extension.pybindings import portable_lib

    if portable_lib._threadpool_get_thread_count() != threads:
        portable_lib._unsafe_reset_threadpool(threads)
