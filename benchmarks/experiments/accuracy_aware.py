"""NNCF's accuracy control, for a comparison: activations and weights as int8 where a component
bears it.

It makes int8 of every layer, and takes layers back, the worst first, until a component is near
enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from torch import nn

from ...calibration.capture import restorer_of
from ...calibration.store import Calibration
from ...core.quiet import quiet, refuse_telemetry
from ...core.restorer import Restorer
from ...core.signal.metrics import snr_db
from ...core.spec import Arrays, Component, Runner
from ...export.writers.to_openvino import converted
from ...export.writers.tracing import trace
from ...families.checkpoints import Model
from ...runtimes import on_openvino, on_torch

SEEN = 28
"""Captured calls of a component: every other one sets ranges, the rest judge."""
NEAR_DB, PERFECT_DB = 30.0, 60.0
"""What a component must reach, and from where on nearer does not count (float32 has twice as
much)."""


def accuracy_aware(model: Model, calibration: Calibration) -> tuple[Restorer, int]:
    """The pipeline over OpenVINO, every component so quantized, and the bytes of its constants."""
    made = {
        component.name: accuracy_aware_component(
            component,
            model.get_submodule(component.name),
            calibration.spaced(component.name, SEEN),
            NEAR_DB,
        )
        for component in model.components
    }
    size = sum(held for _, held in made.values())
    return restorer_of(model, lambda name, _: made[name][0]), size


def accuracy_aware_component(
    component: Component, module: nn.Module, captured: Sequence[Arrays], near_db: float
) -> tuple[Runner, int]:
    """One component at `near_db` or nearer on the calls held out, and its bytes."""
    refuse_telemetry()
    import nncf

    run, name = on_torch.runner(component, module), component.outputs[0].name
    validation = [(dict(arrays), run(arrays)[name]) for arrays in captured[1::2]]

    def nearness_db(compiled: Any, items: Iterable[tuple[Arrays, np.ndarray]]) -> float:
        pairs = [(expected, compiled(dict(arrays))[name]) for arrays, expected in items]
        expected, got = (
            np.concatenate([x.ravel() for x in side]) for side in zip(*pairs, strict=True)
        )
        return min(PERFECT_DB, snr_db(expected, got))

    with quiet("nncf"):
        quantized = nncf.quantize_with_accuracy_control(
            converted(trace(component, module)[0]),
            nncf.Dataset([dict(arrays) for arrays in captured[::2]]),
            nncf.Dataset(validation, lambda pair: pair[0]),
            nearness_db,
            max_drop=PERFECT_DB - near_db,
            drop_type=nncf.DropType.ABSOLUTE,
            subset_size=len(captured),
        )
    return _runner(quantized, name), _bytes(quantized)


def _runner(model: Any, name: str) -> Runner:
    compiled = on_openvino.compiled(model)
    return lambda arrays: {name: np.array(compiled(dict(arrays))[name])}


def _bytes(model: Any) -> int:
    """Constants as they would be stored: integers as they are, floats as fp16."""
    constants = [node for node in model.get_ops() if node.get_type_name() == "Constant"]
    return sum(
        node.data.size * min(2, node.data.dtype.itemsize)
        for node in constants
        if node.data.dtype.kind in "fiu"
    )
