"""Core ML packages on Core ML itself, which is on macOS alone."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ..core.errors import BackendMissingError, IntegrityError, reason
from ..core.spec import Array, Arrays, Artifact, Runner, Shapes
from .mil.package import engine, specification
from .mil.shapes import check, declared

FORMATS: Sequence[str] = ("coreml",)

# Left to itself Core ML picks a device by length and machine, and fp16 differs between them.
_DEVICE = "CPU_ONLY"


def load(artifact: Artifact, root: Path, *, threads: int) -> Runner:
    """Compile the package below `root` for the CPU; Core ML chooses the threads.

    Raises `BackendMissingError` off macOS or without coremltools, `IntegrityError` for a package
    that it cannot open; the runner raises `UsageError` for inputs that do not fit, and makes
    threads that call it at once take turns.
    """
    del threads  # Core ML offers no such setting
    model = _compiled(root / artifact.path)
    expected, turn = declared(model.get_spec()), Lock()

    def run(arrays: Arrays) -> dict[str, Array]:
        check(artifact.component, expected, arrays)
        with turn:
            results = model.predict(dict(arrays))
        return {name: np.asarray(results[name], np.float32) for name in artifact.outputs}

    return run


def shapes(artifact: Artifact, root: Path) -> Shapes:
    """What the package declares that it takes; raises as `load` does."""
    _engine()
    spec = specification(root / artifact.path)
    return {name: taken.axes for name, taken in declared(spec).items()}


def settings() -> Mapping[str, str]:
    """Engine, version, device and hints, for reports; raises `BackendMissingError` without it."""
    return {
        "engine": "coreml",
        "version": f"macOS {platform.mac_ver()[0]}, coremltools {_engine().__version__}",
        "device": _DEVICE,
        "inference_precision": "as stored",
    }


def _engine() -> Any:
    if platform.system() != "Darwin":
        raise BackendMissingError(
            "Core ML needs macOS; on other systems the backend 'mil' executes its files"
        )
    return engine()


def _compiled(path: Path) -> Any:
    ct = _engine()
    try:
        return ct.models.MLModel(str(path), compute_units=ct.ComputeUnit[_DEVICE])
    except Exception as error:  # its errors share no narrower base
        said = reason(error, path)
        raise IntegrityError(f"{path} cannot be opened by Core ML: {said}") from error
