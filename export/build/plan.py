"""What a build will write, row by row, and what it refuses, before anything is written."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import cast

from ...calibration import mixed_precision, store
from ...calibration.layers import quantizable
from ...calibration.quantization import stored_bits
from ...calibration.simulation import Layers
from ...calibration.store import Calibration
from ...core.bundle.manifest import sha256_of
from ...core.bundle.schemes import SCHEMES, Needs, Precision
from ...core.errors import UsageError
from ...core.spec import Component, Exporter
from ...families.checkpoints import Model
from .. import writers

GRAPH_BYTES = 70_000
"""About what a component's graph takes beside its weights."""
_PREFIX = "to_"


@dataclass(frozen=True)
class Row:
    """One artifact to be written, and about how large it will be."""

    component: Component
    exporter: Exporter
    precision: Precision
    predicted_bytes: int

    def __str__(self) -> str:
        return f"{self.component.name} {self.exporter.FORMAT} {self.precision}"


@dataclass(frozen=True)
class Plan:
    """All rows, component by component, and what their precisions need."""

    rows: Sequence[Row]
    precision_config: Layers = field(default_factory=dict)
    calibration: Calibration | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    """Hashes of the mixed-precision config and the calibration, where there are any."""

    def table(self) -> list[dict[str, object]]:
        """The rows with names and predicted sizes alone, as results hold them."""
        return [
            {
                "component": row.component.name,
                "format": row.exporter.FORMAT,
                "precision": str(row.precision),
                "predicted_bytes": row.predicted_bytes,
            }
            for row in self.rows
        ]


def plan(
    model: Model,
    *,
    formats: Sequence[str],
    precisions: Sequence[str],
    components: Sequence[str] = (),
    precision_config: Path | None = None,
    calibration: Path | None = None,
) -> Plan:
    """Every component (or only `components`) in every format, at the precisions that it offers.

    Raises `UsageError` for a name that is unknown, a precision that no format of these offers, a
    format that offers none of these, and a precision that lacks its mixed-precision config or
    calibration; `IntegrityError` for unreadable ones of these.
    """
    known = {component.name: component for component in model.components}
    chosen = [known[_accepted("component", name, known)] for name in components or known]
    offered = exporters()
    writers = [offered[_accepted("format", name, offered)] for name in formats]
    kinds = [Precision(_accepted("precision", name, list(Precision))) for name in precisions]
    _refuse(writers, kinds, precision_config, calibration)
    _refuse_components(chosen, writers)
    layers = _layers(model, precision_config) if precision_config else {}
    captured = store.load(calibration) if calibration else None
    if captured and any(SCHEMES[kind].activations for kind in kinds):
        for component in chosen:
            captured.samples(component.name)
    rows = [
        Row(component, writer, kind, _predicted(model, component, writer, kind, layers))
        for component in chosen
        for writer in writers
        for kind in kinds
        if kind in writer.PRECISIONS
    ]
    sources = {"precision_config": sha256_of(precision_config)} if precision_config else {}
    if captured:
        sources["calibration"] = captured.sha256
    return Plan(rows, layers, captured, sources)


def exporters() -> dict[str, Exporter]:
    """Exporters by format: every module `to_<name>.py`; none loads its engine yet."""
    modules = (
        import_module(f"{writers.__name__}.{module.name}")
        for module in pkgutil.iter_modules(writers.__path__)
        if module.name.startswith(_PREFIX)
    )
    return {module.FORMAT: cast("Exporter", module) for module in modules}


def _accepted(kind: str, name: str, accepted: Mapping[str, object] | Sequence[str]) -> str:
    if name not in accepted:
        raise UsageError(f"there is no {kind} '{name}'; accepted: {', '.join(accepted)}")
    return name


def _refuse(
    writers: Sequence[Exporter],
    kinds: Sequence[Precision],
    precision_config: Path | None,
    calibration: Path | None,
) -> None:
    held = {(writer.FORMAT, kind) for writer in writers for kind in writer.PRECISIONS}
    for writer, kind in product(writers, kinds):
        alone = not any((writer.FORMAT, one) in held for one in kinds)
        homeless = not any((one.FORMAT, kind) in held for one in writers)
        if alone or homeless:
            accepted = ", ".join(writer.PRECISIONS)
            raise UsageError(f"{writer.FORMAT} cannot hold {kind}; accepted: {accepted}")
    for kind in kinds:
        needs = SCHEMES[kind].needs
        if needs is Needs.PRECISION_CONFIG and not precision_config:
            raise UsageError(
                f"{kind} needs a mixed-precision config of `hiresldm search` (--precision-config)"
            )
        if needs is Needs.CALIBRATION and not calibration:
            raise UsageError(
                f"{kind} needs inputs; give --calibration, a file of `hiresldm calibrate`"
            )


def _refuse_components(components: Sequence[Component], writers: Sequence[Exporter]) -> None:
    for component in components:
        refused = dict(component.refused)
        for writer in writers:
            if why := refused.get(writer.FORMAT):
                raise UsageError(f"{writer.FORMAT} cannot hold {component.name}: {why}")


def _layers(model: Model, precision_config: Path) -> Layers:
    read = mixed_precision.load(precision_config)
    read.require(quantizable(model))
    return read.layers


def _predicted(
    model: Model, component: Component, writer: Exporter, precision: Precision, layers: Layers
) -> int:
    module = model.get_submodule(component.name)
    values = sum(value.numel() for value in module.state_dict().values())
    if precision in getattr(writer, "FROM_CHECKPOINT", ()):
        return int(2 * values) + GRAPH_BYTES  # the checkpoint's, in fp16
    floats = 32 if precision is Precision.FP32 else 16
    total = floats * values
    for path, layer in quantizable(module).items():
        mixed = precision is Precision.MIXED
        kind = layers[f"{component.name}.{path}"] if mixed else precision
        if SCHEMES[kind].integers or SCHEMES[kind].palette:
            total += stored_bits(layer, kind) - floats * layer.weight.numel()
    return int(total / 8) + GRAPH_BYTES
