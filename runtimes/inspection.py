"""What a bundle holds, told without running it: components, shapes, precisions, sizes, hashes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import families
from ..core.bundle import manifest as bundles
from ..core.errors import BackendMissingError, ToolkitError
from ..core.spec import Artifact, File
from .restorer import backends


def inspect(root: Path) -> dict[str, Any]:
    """The bundle in `root` as JSON values; every file is hashed, every artifact opened.

    A file whose hash is not the listed one has its `fault` told, an artifact whose shapes cannot be
    read the `reason`. Raises `IntegrityError` for a manifest that cannot be read.
    """
    manifest = bundles.load(root)
    _, host = families.of(manifest)
    files = {file.path: _file(file, root) for file in sorted(bundles.files(manifest), key=str)}
    return {
        "bundle": str(root),
        "family": manifest.family,
        "model": manifest.model,
        "sha256": bundles.sha256_of(root / bundles.NAME),
        "bytes": sum(file["bytes"] for file in files.values()),
        "sample_rate_hz": host.sample_rate_hz,
        "loudness_lufs": host.loudness_lufs,
        "steps": sorted(host.schedules) or [host.default_steps],
        "default_steps": host.default_steps,
        "golden": manifest.golden.path if manifest.golden else None,
        "artifacts": [_artifact(artifact, root, files) for artifact in manifest.artifacts],
        "files": list(files.values()),
    }


def faults(found: dict[str, Any]) -> list[str]:
    """The files of an inspection that are not what the manifest lists, each with its fault."""
    return [f"{file['path']}: {file['fault']}" for file in found["files"] if file["fault"]]


def _file(file: File, root: Path) -> dict[str, Any]:
    size, fault = bundles.bytes_of(root / file.path), bundles.fault(file, root)
    return {"path": file.path, "sha256": file.sha256, "bytes": size, "fault": fault or None}


def _artifact(artifact: Artifact, root: Path, files: dict[str, Any]) -> dict[str, Any]:
    own = [files[file.path] for file in artifact.files]
    intact = not any(file["fault"] for file in own)
    shapes, reason = _shapes(artifact, root) if intact else ({}, "its files are not as listed")
    return {
        "component": artifact.component,
        "format": artifact.format,
        "precision": artifact.precision,
        "bytes": sum(file["bytes"] for file in own),
        "enumerated_frames": list(artifact.enumerated_frames),
        "inputs": {name: shapes.get(name) for name in artifact.inputs},
        "outputs": {name: shapes.get(name) for name in artifact.outputs},
        "reason": reason or None,
        "files": [file["path"] for file in own],
        "tools": dict(artifact.tools),
        "gate": dict(artifact.gate) or None,
    }


def _shapes(artifact: Artifact, root: Path) -> tuple[dict[str, list[int | None]], str]:
    """The shapes by tensor name as an engine that is here reads them, or why none does."""
    reason = "no engine here opens this format"
    for engine in backends().values():
        if artifact.format not in engine.FORMATS:
            continue
        try:
            return {name: list(axes) for name, axes in engine.shapes(artifact, root).items()}, ""
        except BackendMissingError as error:
            reason = str(error)
        except ToolkitError as error:
            return {}, str(error)
    return {}, reason
