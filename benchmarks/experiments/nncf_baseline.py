"""By NNCF: `python -m hiresldm.benchmarks.experiments.nncf_baseline DATA CALIBRATION OUT`.

Its mix of int4 and int8 at the bytes halfway between int4 and int8 throughout, beside the mix of
`hiresldm search` at as many bytes, and its accuracy control, all against fp32.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...calibration import store
from ...calibration.layers import quantizable
from ...calibration.search import descent
from ...calibration.sensitivity import measure
from ...calibration.simulation import Layers, fp32_bytes, model_bytes, uniform
from ...calibration.store import Calibration
from ...core.bundle.schemes import BLOCK, Precision
from ...core.quiet import quiet, refuse_telemetry
from ...core.spec import Component
from ...export.writers.to_openvino import converted
from ...export.writers.tracing import trace
from ...families.checkpoints import Model, load
from ...parity.evaluator import Budget, TrialEvaluator
from ...runtimes.restorer import EMBEDDED_BUNDLE
from .. import provenance, report
from ..quality.testset import pairs
from .accuracy_aware import accuracy_aware

SEED = 0
SEEN = 16
"""Captured calls of a component that NNCF measures its layers on."""
HALVINGS = 5
"""Shares of int4 weights that are tried, ever nearer to the bytes asked for."""
_KINDS = {"i4": Precision.INT4, "i8": Precision.INT8}


def nncf_mix(model: Model, calibration: Calibration, size: int) -> Layers:
    """int4 or int8 for every layer, by NNCF's own sensitivities, nearest to `size` bytes in all.

    The share of int4 weights is the same in every component, as NNCF sees one component at a time.
    """
    components = [_component(component, model, calibration) for component in model.components]
    low, high = 0.0, 1.0
    found = []
    for _ in range(HALVINGS):
        share = (low + high) / 2
        found.append(_mix(model, components, share))
        low, high = (share, high) if model_bytes(model, found[-1]) > size else (low, share)
    return min(found, key=lambda layers: abs(model_bytes(model, layers) - size))


@dataclass(frozen=True)
class _Component:
    name: str
    graph: Any
    owners: Mapping[bytes, str]
    """Layers by the content of their weights: the converter renames and transposes those."""
    captured: list[dict[str, np.ndarray]]


def _component(component: Component, model: Model, calibration: Calibration) -> _Component:
    module = model.get_submodule(component.name)
    weights = {path: layer.array() for path, layer in quantizable(module).items()}
    owners = {_key(w): path for path, weight in weights.items() for w in (weight, weight.T)}
    captured = [dict(one) for one in calibration.spaced(component.name, SEEN)]
    return _Component(component.name, trace(component, module)[0], owners, captured)


def _mix(model: Model, components: Sequence[_Component], share: float) -> Layers:
    chosen = uniform(model, Precision.INT8)
    for component in components:
        chosen |= {f"{component.name}.{path}": kind for path, kind in _compressed(component, share)}
    return chosen


def _compressed(component: _Component, share: float) -> Iterator[tuple[str, Precision]]:
    refuse_telemetry()
    import nncf

    model = converted(component.graph)
    layers = {
        m.get_friendly_name(): component.owners[_key(_source(m).data)] for m in _products(model)
    }
    with quiet("nncf"):
        nncf.compress_weights(
            model,
            mode=nncf.CompressWeightsMode.INT4_SYM,
            ratio=share,
            group_size=BLOCK,
            all_layers=True,
            backup_mode=nncf.BackupMode.INT8_SYM,
            sensitivity_metric=nncf.SensitivityMetric.MAX_ACTIVATION_VARIANCE,
            dataset=nncf.Dataset(component.captured),
            subset_size=len(component.captured),
            advanced_parameters=nncf.AdvancedCompressionParameters(
                group_size_fallback_mode=nncf.GroupSizeFallbackMode.IGNORE
            ),
        )
    for product in _products(model):
        kind = _source(product).get_element_type().get_type_name()
        if kind in _KINDS:
            yield layers[product.get_friendly_name()], _KINDS[kind]


def _key(weight: np.ndarray) -> bytes:
    return np.ascontiguousarray(weight, np.float16).tobytes()


def _products(model: Any) -> list[Any]:
    """The matrix products whose second factor comes from a constant."""
    nodes = [node for node in model.get_ops() if node.get_type_name() == "MatMul"]
    return [node for node in nodes if _source(node).get_type_name() == "Constant"]


def _source(product: Any) -> Any:
    node = product.input_value(1).get_node()
    while node.get_type_name() != "Constant" and node.get_input_size():
        node = node.input_value(0).get_node()
    return node


def main(data: Path, calibration: Path, out: Path) -> None:
    """Score what NNCF and the search choose for the embedded model, and write the rows."""
    model, captured = load(EMBEDDED_BUNDLE), store.load(calibration)
    clips = list(pairs(data, "valid", seed=SEED, per_class=1))
    evaluator = TrialEvaluator(model, clips, Budget.usual(), steps=1, seed=SEED)
    ends = [model_bytes(model, uniform(model, kind)) for kind in (Precision.INT8, Precision.INT4)]
    own = descent(model, list(measure(model, captured)))
    ours = min(own, key=lambda layers: abs(model_bytes(model, layers) - sum(ends) / 2))
    size = model_bytes(model, ours)
    rows = [
        evaluator("mixed by `search`", ours),
        evaluator("mixed by NNCF", nncf_mix(model, captured, size)),
    ]
    restorer, accuracy_aware_size = accuracy_aware(model, captured)
    rows.append(evaluator.of("w8a8 by NNCF's accuracy control", restorer, accuracy_aware_size, {}))
    command = f"python -m {__spec__.name} $DATA CALIBRATION OUT"
    trials = [asdict(row) for row in rows]
    result = {"chosen": None, "fp32_bytes": fp32_bytes(model), "trials": trials, "command": command}
    report.write(result | {"machine": provenance.machine()}, out)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
