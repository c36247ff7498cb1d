"""Core ML: one `.mlpackage` per component, built on any machine, with its weights checked on disk.

Components with fixed lengths are made for the neural engine; the others, for the CPU, take any. All
but fp32 compute in fp16. Integer weights are the job's own, not rounded anew.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...core.bundle.schemes import SCHEMES, Needs, Precision
from ...core.errors import BackendMissingError, UsageError
from ...core.spec import Arrays, Artifact, ExportJob
from . import operations
from .files import content_addressed, described
from .mlpackage import package as packages
from .mlpackage import weights
from .mlpackage.convert import convert, finish, unheard
from .mlpackage.lint import lint as findings
from .mlpackage.readback import check_saved, read_integers

__all__ = ["FORMAT", "PRECISIONS", "export", "lint", "read_integers"]

FORMAT = "coreml"
PRECISIONS = tuple(kind for kind, scheme in SCHEMES.items() if not scheme.bfloat16 | scheme.dynamic)

_PALETTE_FLOOR_DB = {Precision.PAL6: 25.0, Precision.PAL4: 12.0}
"""Of a weight: k-means of a normal distribution gives 32 dB at 6 bits and 20 dB at 4."""


def export(job: ExportJob) -> Artifact:
    """Write the component as `<component>.coreml.<precision>.<hash>.mlpackage` below `job.out`.

    Raises `UsageError` for a job that lacks what its precision needs, `BackendMissingError` without
    coremltools, `ExportError` for a component that cannot be converted and `ParityError` where the
    saved file holds other weights.
    """
    _check(job)
    enumerated_frames = job.component.fixed_lengths
    state = {key: value.detach().numpy() for key, value in job.module.state_dict().items()}
    with unheard():
        program = convert(job, enumerated_frames)
        weights.name_layers(program, state)
        _compress(program, job)
        model = finish(program)
        if SCHEMES[job.precision].palette:
            model = weights.palettize(model, SCHEMES[job.precision].bits)
    path = _save(model, job, state)
    return replace(
        described(job, FORMAT, [path], ("torch", "coremltools")),
        enumerated_frames=enumerated_frames,
    )


def lint(path: Path) -> list[str]:
    """What keeps a package off the neural engine, operation by operation."""
    return [f"{one.operation} {one.problem}" for one in findings(path)]


def _check(job: ExportJob) -> None:
    try:
        with unheard():
            import coremltools  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise BackendMissingError(
            f"coremltools cannot be imported ({error}); "
            "install it with: pip install 'hiresldm[coreml]'"
        ) from error
    scheme = SCHEMES[job.precision]
    if scheme.integers and not job.quantized:
        raise UsageError(f"coreml: {job.precision} needs the weights to store as integers")
    if not scheme.integers and scheme.needs is not Needs.PRECISION_CONFIG and job.quantized:
        raise UsageError(f"coreml: {job.precision} stores no integers, but some were given")
    if scheme.activations and not job.calibration:
        raise UsageError("coreml: w8a8 needs calibration samples")


def _compress(program: Any, job: ExportJob) -> None:
    """Store the job's integers in the program, and what it is to hold as fp16."""
    if SCHEMES[job.precision].activations:
        names = [tensor.name for tensor in job.component.inputs]
        inner = [key for key in job.quantized if not job.component.at_boundary(key)]
        weights.quantize_activations(program, job.module, inner, names, job.calibration)
    weights.store_integers(program, job.quantized)
    if job.precision is Precision.FP16 and job.component.needs_float32:
        weights.store_halves(program)


def _save(model: Any, job: ExportJob, state: Arrays) -> Path:
    """Write, check and name the package; one with the same content is left where it is."""
    with tempfile.TemporaryDirectory(dir=job.out, prefix=".coreml-") as folder:
        draft = Path(folder) / "draft.mlpackage"
        packages.save(model, draft, job.contract)
        held = operations.in_coreml(job.component, state)
        check_saved(draft, held, job.quantized, _PALETTE_FLOOR_DB.get(job.precision))
        (named,) = content_addressed([draft], f"{job.component.name}.{FORMAT}.{job.precision}")
        path = job.out / named.name
        if not path.exists():
            named.rename(path)
    return path
