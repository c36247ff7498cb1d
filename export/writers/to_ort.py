"""ORT format for phones: an ONNX component that a minimal build of ONNX Runtime opens.

Beside it lies the list of operators and types that such a build must hold; lists of several
components are given to ONNX Runtime's build together.
"""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

from ...core.bundle.schemes import Precision
from ...core.quiet import quiet
from ...core.spec import Artifact, ExportJob
from . import to_onnx
from .files import content_addressed, described
from .refusals import check_precision

FORMAT = "ort"
PRECISIONS = (Precision.FP16, Precision.INT8, Precision.INT8_DYNAMIC, Precision.W8A8)
"""fp32 would take four times the room, and the list of types knows no 4 bits: neither fits."""


def export(job: ExportJob) -> Artifact:
    """Write `.ort` and `.config` below `job.out`.

    Raises `UsageError` for a precision this format does not offer, and what `to_onnx.export` does:
    weights are checked in the ONNX file, for nothing reads this one back.
    """
    check_precision(job, FORMAT, PRECISIONS)
    stem = job.component.name
    drafts = [job.out / f"{stem}.draft.ort", job.out / f"{stem}.draft.config"]
    with tempfile.TemporaryDirectory(dir=job.out, prefix=".ort-") as folder:
        onnx = to_onnx.export(replace(job, out=Path(folder), checkpoint=None))
        _convert(Path(folder) / onnx.path, *drafts)
    files = content_addressed(drafts, f"{stem}.{FORMAT}.{job.precision}")
    return described(job, FORMAT, files, tuple(dict.fromkeys((*onnx.tools, "onnxruntime"))))


def _convert(source: Path, target: Path, operators: Path) -> None:
    import onnxruntime as ort
    from onnxruntime.tools.ort_format_model import create_config_from_models

    options = ort.SessionOptions()
    options.log_severity_level = 3  # it warns that what is optimised here may not suit elsewhere
    # More would fuse weights for this machine's CPU; a minimal build cannot do this much itself.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    options.add_session_config_entry("session.save_model_format", "ORT")
    ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    with quiet("ort_format_model.utils"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves the files it reads open
        create_config_from_models([target], operators, enable_type_reduction=True)
    lines = operators.read_text(encoding="utf-8").splitlines(keepends=True)
    # Comments hold a path of the machine that built the file.
    kept = "".join(line for line in lines if not line.startswith("#"))
    operators.write_text(kept, encoding="utf-8")
