"""Core ML: one `.mlpackage` per part, built on any machine, with its weights checked on disk.

Parts of the latent, for the neural engine, take a few fixed lengths; parts of the spectrum, for the
CPU, take any. All but fp32 compute in fp16. Integer weights are the job's own, not rounded anew.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...core.errors import BackendMissingError, UsageError
from ...core.quantization import Quantized, quantize
from ...core.spec import Arrays, Artifact, ExportJob, Precision
from .boundary import at_edge
from .files import contract, described, settle
from .mlpackage import package as packages
from .mlpackage import weights
from .mlpackage.convert import convert, finish, unheard
from .mlpackage.readback import check_saved, read_integers

__all__ = ["BUCKETS", "FORMAT", "FOR_NEURAL_ENGINE", "PRECISIONS", "export", "read_integers"]

FORMAT = "coreml"
PRECISIONS = tuple(Precision)
BUCKETS = (64, 128, 256, 512)
"""Latent frames, 50 a second, that a part for the neural engine takes."""
FOR_NEURAL_ENGINE = ("encoder", "denoiser")
"""Parts of the latent; the others hold spectra, whose width the neural engine does not like."""

_INTEGERS = (Precision.INT8, Precision.INT4, Precision.MIXED, Precision.W8A8)
_PALETTE_BITS = {Precision.PAL6: 6, Precision.PAL4: 4}
_PALETTE_FLOOR_DB = {Precision.PAL6: 25.0, Precision.PAL4: 12.0}
"""Of a weight: k-means of a normal distribution gives 32 dB at 6 bits and 20 dB at 4."""


def export(job: ExportJob) -> Artifact:
    """Write the part as `<part>.coreml.<precision>.<hash>.mlpackage` below `job.out`.

    w8a8 without integers of its own takes every linear layer at 8 bits. Raises `UsageError` for a
    job that lacks what its precision needs, `BackendMissingError` without coremltools,
    `ExportError` for a part that cannot be converted and `ParityError` where the saved file holds
    other weights.
    """
    _check(job)
    buckets = BUCKETS if job.component.name in FOR_NEURAL_ENGINE else ()
    state = {key: value.detach().numpy() for key, value in job.module.state_dict().items()}
    with unheard():
        program = convert(job, buckets)
        weights.name_linears(program, state)
        integers = _compress(program, job, state)
        model = finish(program)
        if job.precision in _PALETTE_BITS:
            model = weights.palettize(model, _PALETTE_BITS[job.precision])
    path = _save(model, job, state, integers)
    return replace(described(job, FORMAT, [path], ("torch", "coremltools")), buckets=buckets)


def _check(job: ExportJob) -> None:
    try:
        with unheard():
            import coremltools  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise BackendMissingError(
            f"coremltools cannot be imported ({error}); "
            "install it with: pip install 'hiresldm[coreml]'"
        ) from error
    if job.precision in (Precision.INT8, Precision.INT4) and not job.quantized:
        raise UsageError(f"coreml: {job.precision} needs the weights to store as integers")
    if job.precision not in _INTEGERS and job.quantized:
        raise UsageError(f"coreml: {job.precision} stores no integers, but some were given")
    if job.precision is Precision.W8A8 and not job.calibration:
        raise UsageError("coreml: w8a8 needs calibration samples")


def _compress(program: Any, job: ExportJob, state: Arrays) -> Mapping[str, Quantized]:
    """Store integers in the program, and give them."""
    integers = job.quantized
    if job.precision is Precision.W8A8:
        keys = [weights.key_of(linear.weight.name) for linear in weights.linears(program)]
        integers = integers or {key: quantize(state[key], bits=8) for key in keys}
        names = [tensor.name for tensor in job.component.inputs]
        inner = [key for key in integers if not at_edge(key)]
        weights.quantize_activations(program, job.module, inner, names, job.calibration)
    weights.store_integers(program, integers)
    return integers


def _save(model: Any, job: ExportJob, state: Arrays, integers: Mapping[str, Quantized]) -> Path:
    """Write, check and name the package; one with the same content is left where it is."""
    with tempfile.TemporaryDirectory(dir=job.out, prefix=".coreml-") as folder:
        draft = Path(folder) / "draft.mlpackage"
        packages.save(model, draft, contract(job.component.name, job.front))
        check_saved(draft, state, integers, _PALETTE_FLOOR_DB.get(job.precision))
        (settled,) = settle([draft], f"{job.component.name}.{FORMAT}.{job.precision}")
        path = job.out / settled.name
        if not path.exists():
            settled.rename(path)
    return path
