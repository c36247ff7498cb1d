"""Where a figure comes from: the machine, the versions, the model, the command."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..core.bundle import manifest as bundles
from ..core.bundle.weights import digest

_ENGINE_PACKAGES = ("hiresldm", "numpy", "onnxruntime", "soundfile", "soxr")


def machine() -> dict[str, Any]:
    """CPU model, logical cores, system, and the load at this moment, which slows every timing."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_1_min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def versions(more: Iterable[str] = ()) -> dict[str, str | None]:
    """Versions of Python, of the engine's packages and of `more`; None for one not installed."""
    names = (*_ENGINE_PACKAGES, *more)
    return {"python": platform.python_version()} | {name: _version(name) for name in names}


def model(bundle: Path) -> dict[str, Any]:
    """Name, hashes and size in bytes of the bundle; raises `IntegrityError` as loading does.

    `weights_sha256` is that of the checkpoints in it, whatever lies beside them; None without any.
    """
    manifest = bundles.load(bundle)
    paths = {file.path for artifact in manifest.artifacts for file in artifact.files}
    checkpoints = [bundle / path for path in paths if path.endswith(".safetensors")]
    return {
        "name": manifest.model,
        "sha256": bundles.sha256_of(bundle / bundles.NAME),
        "weights_sha256": digest(checkpoints) if checkpoints else None,
        "bytes": sum(bundles.bytes_of(bundle / path) for path in paths),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
