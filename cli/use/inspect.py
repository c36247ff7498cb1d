"""The verb `inspect`: what a bundle holds."""

from __future__ import annotations

from typing import Any

from .. import options


def inspect(
    bundle: options.BundleArgument = None,
    as_json: options.Json = False,
) -> None:
    """Show what a model holds: components, shapes, precisions, sizes, gate results, hashes."""
    from ...benchmarks.report import to_json
    from ...core.errors import IntegrityError
    from ...runtimes import inspection
    from ...runtimes.restorer import EMBEDDED_BUNDLE

    found = inspection.inspect(bundle or EMBEDDED_BUNDLE)
    print(to_json(found) if as_json else _text(found))
    if faults := inspection.faults(found):
        raise IntegrityError(f"{len(faults)} of {len(found['files'])} files: {'; '.join(faults)}")


def _text(found: dict[str, Any]) -> str:
    from ...benchmarks.report import table

    offered = ", ".join(map(str, found["steps"]))
    megabytes = found["bytes"] / 1e6
    columns = ["component", "format", "precision", "MB", "takes", "makes", "lengths", "gate"]
    return "\n".join([
        f"model: {found['model']} ({found['family']}), {megabytes:.1f} MB, in {found['bundle']}",
        f"manifest: sha256 {found['sha256']}",
        f"audio: {found['sample_rate_hz']} Hz, {_level(found['loudness_lufs'])}",
        f"steps: {offered}; {found['default_steps']} if none are asked for",
        f"golden vectors: {found['golden'] or 'none'}",
        "",
        table(columns, [_artifact(artifact) for artifact in found["artifacts"]]),
        *(f"{a['component']} {a['format']}: {a['reason']}" for a in found["artifacts"] if
        a["reason"]),
        "",
        table(["file", "MB", "sha256", "is as listed"], [_file(file) for file in found["files"]]),
    ])  # fmt: skip


def _artifact(artifact: dict[str, Any]) -> list[str]:
    return [
        artifact["component"],
        artifact["format"],
        artifact["precision"],
        f"{artifact['bytes'] / 1e6:.2f}",
        _tensors(artifact["inputs"]),
        _tensors(artifact["outputs"]),
        ", ".join(map(str, artifact["enumerated_frames"])) or "any",
        _gate(artifact["gate"]),
    ]


def _level(loudness_lufs: float | None) -> str:
    return "at any level" if loudness_lufs is None else f"brought to {loudness_lufs:g} LUFS"


def _gate(gate: dict[str, float] | None) -> str:
    """How near to PyTorch it was when it was built, and what was asked."""
    return f"{gate['parity_db']:g} dB (of {gate['floor_db']:g})" if gate else "-"


def _tensors(shapes: dict[str, list[int | None] | None]) -> str:
    """Tensors with their shapes; T stands for a number of frames, any or one of the lengths."""
    return ", ".join(
        name + ("" if axes is None else f" ({' x '.join(str(axis or 'T') for axis in axes)})")
        for name, axes in shapes.items()
    )


def _file(file: dict[str, Any]) -> list[str]:
    return [file["path"], f"{file['bytes'] / 1e6:.2f}", file["sha256"], file["fault"] or "yes"]
