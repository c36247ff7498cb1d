"""LiteRT (TensorFlow Lite): one `.tflite` per component, a signature for each number of frames.

Its converter takes no open lengths; the signatures share their weights. In int8 the integers are
those of LiteRT's own quantizer, which rounds anew the weights that the job's integers stand for.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...core.bundle.quantized import Quantized, dequantize
from ...core.bundle.schemes import Precision
from ...core.errors import BackendMissingError
from ...core.quiet import quiet, silenced
from ...core.spec import Artifact, Component, ExportJob
from .files import content_addressed, described
from .refusals import check_operations, check_precision
from .tracing import example

FORMAT = "litert"
PRECISIONS = (Precision.FP32, Precision.INT8)
LENGTHS = (64, 128, 256, 384)
"""Frames that a file takes; every component has the same, as its host pads for all of them. The
last holds a chunk of 6 s and its context at 50 frames a second."""
SIGNATURE = "frames_{}"


def export(job: ExportJob) -> Artifact:
    """Write the component below `job.out`.

    Raises `UsageError` for a precision this format does not offer, `ExportError` for a network
    with operations that it lacks, `BackendMissingError` without the converter.
    """
    check_precision(job, FORMAT, PRECISIONS)
    check_operations(job, FORMAT)
    module = _rounded(job.module, job.quantized)
    draft = job.out / f"{job.component.name}.draft.tflite"
    with _unheard():
        _converted(module, job.component).export(str(draft))
        if job.quantized:
            _quantize(draft)
    files = content_addressed([draft], f"{job.component.name}.{FORMAT}.{job.precision}")
    tools = ("torch", "litert-torch", *(["ai-edge-quantizer"] if job.quantized else []))
    return replace(described(job, FORMAT, files, tools), enumerated_frames=LENGTHS)


def _rounded(module: Any, quantized: Mapping[str, Quantized]) -> Any:
    """A copy of the module with the values that the integers stand for."""
    import torch

    changed = copy.deepcopy(module)
    with torch.no_grad():
        for key, weight in quantized.items():
            changed.get_parameter(key).copy_(torch.from_numpy(dequantize(weight)))
    return changed


def _converted(module: Any, component: Component) -> Any:
    try:
        import litert_torch
    except ImportError as error:
        raise BackendMissingError(
            f"litert-torch cannot be imported ({error}); "
            "install it with: pip install 'hiresldm[litert-convert]'"
        ) from error
    made: Any = litert_torch
    names = [tensor.name for tensor in component.inputs]
    for frames in LENGTHS:
        given = dict(zip(names, example(component, frames), strict=True))
        made = made.signature(SIGNATURE.format(frames), module, sample_kwargs=given)
    return made.convert()


def _quantize(path: Path) -> None:
    from ai_edge_quantizer import quantizer, recipe

    made = quantizer.Quantizer(str(path), recipe.dynamic_wi8_afp32()).quantize()
    made.export_model(str(path), overwrite=True)


@contextmanager
def _unheard() -> Iterator[None]:
    """The converter tells every step of its own, on both streams."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), quiet(), silenced():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
