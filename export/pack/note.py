"""The integration note of a pack, drawn from the bundle itself so that it cannot drift from it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

from ... import families
from ...core.bundle import manifest as bundles
from ...core.bundle.manifest import Manifest
from ...core.family import Host
from ...core.restorer import FADE_S
from ...core.spec import Artifact, Component, Dim, Tensor
from . import operators, vectors

_TEMPLATE = Path(__file__).with_name("note.md")


def text(manifest: Manifest, root: Path, platform: str, opening: str) -> str:
    """The note as markdown; `opening` tells how the platform's engine opens a file."""
    family, host = families.of(manifest)
    known = {component.name: component for component in family.components(host)}
    own = {
        "model": manifest.model,
        "family": manifest.family,
        "platform": platform,
        "opening": opening,
        "files": "\n".join(_file(artifact, root) for artifact in manifest.artifacts),
        "tensors": "\n".join(
            line for one in manifest.artifacts for line in _tensors(known[one.component])
        ),
        "operators": "\n".join(
            f"- {one.component}: {', '.join(operators.required(one, root))}"
            for one in manifest.artifacts
        ),
        "folder": vectors.FOLDER,
        "index": vectors.INDEX,
        "frames": vectors.frames_of(manifest),
        "hop": host.hop,
        "rate_hz": host.sample_rate_hz,
        "host": family.note(host) if family.note else _code(host),
    }
    template = Template(_TEMPLATE.read_text(encoding="utf-8"))
    return template.substitute(own | _chunks(manifest, host))


def _code(host: Host) -> str:
    """The host itself, which needs NumPy alone."""
    code = inspect.getsource(sys.modules[type(host).__module__])
    return (
        f"What this Python does, on NumPy; `...` is the package `hiresldm`.\n\n```python\n{code}```"
    )


def _chunks(manifest: Manifest, host: Host) -> dict[str, Any]:
    lengths = sorted({n for one in manifest.artifacts for n in one.enumerated_frames})
    padding = f"Silence follows a chunk up to one of {lengths} frames.\n"
    longest = f"of {lengths[-1]} frames at most, context included" if lengths else ""
    offered = ", ".join(map(str, sorted(host.schedules)))
    steps = f"\nSteps offered: {offered}; {host.default_steps} if none are asked for.\n"
    return {
        "chunk": longest or "of any length",
        "padding": padding if lengths else "",
        "context_s": host.context_s,
        "fade_s": FADE_S,
        "steps": steps if host.schedules else "",
    }


def _file(artifact: Artifact, root: Path) -> str:
    size = sum(bundles.bytes_of(root / file.path) for file in artifact.files) / 1e6
    lengths = ", ".join(map(str, artifact.enumerated_frames)) or "any"
    names = ", ".join(f"`{file.path}`" for file in artifact.files)
    return f"| {artifact.component} | {names} | {artifact.precision} | {size:.2f} | {lengths} |"


def _tensors(component: Component) -> Iterator[str]:
    for way, tensors in (("in", component.inputs), ("out", component.outputs)):
        for tensor in tensors:
            yield f"| {component.name} | {way} | {tensor.name} | {_shape(tensor)} |"


def _shape(tensor: Tensor) -> str:
    return " x ".join(_axis(axis) for axis in tensor.shape)


def _axis(axis: int | Dim | tuple[int, Dim]) -> str:
    if isinstance(axis, tuple):
        return f"{axis[0]} T"
    return str(axis) if isinstance(axis, int) else "T"
