"""Core ML packages on any machine: the saved program, executed operation by operation.

Weights are decompressed from the file as Core ML would; values that the program keeps in fp16 are
rounded to it after every operation, sums inside one run in float32. That proves conversion and
compression; it is not the arithmetic of Apple's neural engine or GPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import BackendMissingError
from ..core.spec import Arrays, Artifact, Runner, Shapes
from .mil.package import specification
from .mil.shapes import declared

if TYPE_CHECKING:
    from .mil.program import Program

FORMATS: Sequence[str] = ("coreml",)
STANDS_IN = True

_PACKAGES = ("torch", "coremltools")


def load(artifact: Artifact, root: Path, *, threads: int) -> Runner:
    """Open the package below `root`; PyTorch computes, on as many threads as it is set to.

    Raises `BackendMissingError` without coremltools or torch, `IntegrityError` for a package that
    cannot be read, `UsageError` for an operation that is not known. The runner raises `UsageError`
    for inputs that do not fit, such as a length not enumerated; threads may call it at once.
    """
    del threads  # PyTorch's setting belongs to the process, not to one runner
    return _program(artifact, root).run


def shapes(artifact: Artifact, root: Path) -> Shapes:
    """What the package declares that it takes; raises as `load` does."""
    spec = specification(root / artifact.path)
    return {name: taken.axes for name, taken in declared(spec).items()}


def trace(artifact: Artifact, root: Path, arrays: Arrays) -> list[tuple[str, str, np.ndarray]]:
    """Name, operation type and value of every intermediate result, in order of execution.

    Values of fp16 come as float32. Raises as `load` and its runner do.
    """
    return list(_program(artifact, root).trace(arrays))


def settings() -> Mapping[str, str]:
    """Engine, version, device and hints, for reports; raises `BackendMissingError` without it."""
    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        raise BackendMissingError(
            f"the engine mil needs {' and '.join(missing)}; "
            "install with: pip install 'hiresldm[train,coreml]'"
        )
    return {
        "engine": "mil",
        "version": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        "device": "CPU",
        "inference_precision": "as stored, sums in f32",
    }


def _program(artifact: Artifact, root: Path) -> Program:
    try:
        from .mil import program
    except ImportError as error:
        raise BackendMissingError(
            f"torch cannot be imported ({error}); install it with: pip install 'hiresldm[train]'"
        ) from error
    return program.load(root / artifact.path, artifact.component)
