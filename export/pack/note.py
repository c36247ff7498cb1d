"""The integration note of a pack, drawn from the bundle itself so that it cannot drift from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any, cast

from ... import families
from ...core.bundle import manifest as bundles
from ...core.bundle.manifest import Manifest
from ...core.restorer import FADE_S
from ...core.signal.loudness import PAUSE_GATE_LU, SILENCE_LUFS
from ...core.spec import Artifact, Component, Dim, Tensor
from ...families.hiresldm.host import Host
from . import operators, vectors

_TEMPLATE = Path(__file__).with_name("note.md")


def text(manifest: Manifest, root: Path, platform: str, opening: str) -> str:
    """The note as markdown; `opening` tells how the platform's engine opens a file."""
    family, found = families.of(manifest)
    host = cast("Host", found)  # `subset.chosen` has refused the hosts of others
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
    }
    template = Template(_TEMPLATE.read_text(encoding="utf-8"))
    return template.substitute(own | _front(host) | _loop(manifest, host))


def _front(host: Host) -> dict[str, Any]:
    front = host.front
    return asdict(front) | {
        "bins": front.bins,
        "values": 2 * front.bins,
        "stride": front.stride,
        "nyquist_hz": front.sample_rate_hz // 2,
        "loudness_lufs": f"{front.loudness_lufs:g}",
        "silence_lufs": f"{SILENCE_LUFS:g}",
        "pause_gate_lu": f"{-PAUSE_GATE_LU:g}",
    }


def _loop(manifest: Manifest, host: Host) -> dict[str, Any]:
    times = host.schedules[host.default_steps]
    lengths = sorted({n for one in manifest.artifacts for n in one.enumerated_frames})
    padding = f"        wave      = wave and silence up to one of {lengths} latent frames\n"
    longest = f"of {lengths[-1]} latent frames at most, context included" if lengths else ""
    return {
        "chunk": longest or "of any length",
        "padding": padding if lengths else "",
        "context_s": host.context_s,
        "fade_s": FADE_S,
        "start": f"{times[0]:g}",
        "pairs": list(pairwise((*times, 0.0))),
        "offered": ", ".join(map(str, sorted(host.schedules))),
        "default_steps": host.default_steps,
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
