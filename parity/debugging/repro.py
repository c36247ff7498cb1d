"""What to look at after a FAIL: the first bad operation, and files that reproduce it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from ...core.errors import BackendMissingError, UsageError
from ...core.family import Host
from ...core.spec import Array
from ..components import Finding
from ..gate import Gate
from .locate import locate
from .traces import tracers

_SAME_WEIGHTS = (
    "no component differs from the reference: what fails is what both are made from; "
    "compare with the trained weights by --weights"
)


def located(gate: Gate, out: Path) -> Iterator[str]:
    """Where each component that failed goes wrong; its input and both outputs go below `out`.

    Raises `UsageError` where `out` cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {out}: {error.strerror}") from error
    findings = {_name(finding): finding for finding in reversed(gate.single.findings)}
    if not findings:
        yield _SAME_WEIGHTS
    for name, finding in reversed(findings.items()):
        yield f"{name}, on {finding.case.kind}: {_where(gate, finding)}"
        yield f"{name}: saved as {_save(gate.host, out / name, finding)}"


def _where(gate: Gate, finding: Finding) -> str:
    row = finding.row
    if isinstance(finding.got, str):
        return finding.got
    artifact = next(
        a
        for a in gate.manifest.artifacts
        if (a.component, a.format, a.precision) == (row.component, row.format, row.precision)
    )
    if artifact.format not in tracers():
        return f"a {artifact.format} file has no operations that could be looked into"
    component = gate.components[row.component]
    module, inputs = gate.model.get_submodule(component.name), finding.case.call.inputs
    divergent = locate(artifact, gate.root, component, module, inputs, row.floor or 0.0)
    return str(divergent) if divergent else "every operation of the reference is found in it"


def _save(host: Host, stem: Path, finding: Finding) -> str:
    """Write what reproduces the failure; spectra also as waves and as a picture."""
    call = finding.case.call
    (name, expected), *_ = call.outputs.items()
    arrays = {f"input.{key}": value for key, value in call.inputs.items()}
    arrays["expected"] = expected
    got = None if isinstance(finding.got, str) else finding.got
    if got is not None:
        arrays["got"] = got
    path = stem.with_name(f"{stem.name}.npz")
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    if got is not None and got.shape == expected.shape and np.isfinite(got).all():
        heard = {"expected": host.wave_of(name, expected), "got": host.wave_of(name, got)}
        _save_waves(host, stem, {key: wave for key, wave in heard.items() if wave is not None})
    return f"{path} ({name})"


def _save_waves(host: Host, stem: Path, waves: dict[str, Array]) -> None:
    if not waves:
        return
    for name, wave in waves.items():
        path = stem.with_name(f"{stem.name}.{name}.wav")
        soundfile.write(path, wave, host.sample_rate_hz, subtype="FLOAT")
    waves["difference"] = waves["got"] - waves["expected"]
    from ...benchmarks.reports.spectrograms import draw

    try:
        draw(list(waves.items()), stem.with_name(f"{stem.name}.png"))
    except BackendMissingError:
        return  # the picture is an extra that needs matplotlib


def _name(finding: Finding) -> str:
    row = finding.row
    return f"{row.component}-{row.format}-{row.precision}-{row.runtime}"
