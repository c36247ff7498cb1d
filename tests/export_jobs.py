"""Export jobs as a build makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hiresldm.core.bundle.quantized import Quantized
from hiresldm.core.bundle.schemes import Precision
from hiresldm.core.family import contract
from hiresldm.core.spec import Arrays, Component, ExportJob
from hiresldm.families.checkpoints import Model
from hiresldm.parity import thresholds

NONE: Mapping[str, Quantized] = {}


def component_of(model: Model, name: str) -> Component:
    """What a model declares of one of its components."""
    return next(component for component in model.components if component.name == name)


def floor_db(name: str, precision: Precision, format_: str = "onnx") -> float:
    """How near to PyTorch a file must come."""
    where = {"component": name, "format": format_, "precision": precision}
    return thresholds.load().floor("component_db", **where)


def job_of(
    model: Model,
    name: str,
    precision: Precision,
    out: Path,
    quantized: Mapping[str, Quantized] = NONE,
    calibration: Sequence[Arrays] = (),
    checkpoint: Path | None = None,
) -> ExportJob:
    """A component to be written below `out`."""
    return ExportJob(
        component_of(model, name),
        model.get_submodule(name),
        precision,
        out,
        contract(model.config.family, name, model.config.host),
        floor_db(name, precision),
        checkpoint,
        quantized,
        calibration,
    )
