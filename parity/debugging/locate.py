"""The first operation that goes wrong, and the PyTorch module that it was made from.

The reference runs operation by operation as torch exports it. A step of it counts as reproduced
where the candidate holds the same values anywhere, whatever its own names, fusions and layouts:
so one search serves every file format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.spec import Array, Arrays, Artifact, Component
from ..distance import distance
from .traces import Traced, tracers


@dataclass(frozen=True)
class DivergentOp:
    """The first operation of the candidate beyond tolerance, and where it comes from."""

    operation: str
    type: str
    module: str
    reference_operation: str

    def __str__(self) -> str:
        return (
            f"first bad operation: {self.type} '{self.operation}', which stands for "
            f"{self.reference_operation} in the PyTorch module '{self.module}'"
        )


@dataclass(frozen=True)
class Step:
    """An operation of the reference: its value, its module's path and the steps it reads."""

    name: str
    module: str
    value: Array
    reads: tuple[str, ...]


def locate(
    artifact: Artifact,
    root: Path,
    component: Component,
    module: Any,
    arrays: Arrays,
    floor_db: float,
) -> DivergentOp | None:
    """Where the artifact leaves the torch module on these inputs by more than `floor_db`.

    None where every step of the reference is found in the candidate.
    """
    steps = reference_steps(component, module, arrays)
    traced = tracers()[artifact.format](artifact, root, arrays)
    found = {step.name: _positions(step, traced, floor_db) for step in steps}
    bad = _first_lost(steps, found)
    if bad is None:
        return None
    after = max((found[name][0] for name in _found_before(bad, steps, found)), default=-1)
    matched = {index for indices in found.values() for index in indices}
    later = [one for i, one in enumerate(traced) if i > after and i not in matched]
    later = later or traced[-1:]
    # Weights are unpacked by operations too; what stands for the step is as large as it.
    name, kind, _ = next((one for one in later if one[2].size == bad.value.size), later[0])
    return DivergentOp(name, kind, bad.module, bad.name)


def reference_steps(component: Component, module: Any, arrays: Arrays) -> list[Step]:
    """Every operation of the module that gives floats, in order, as `torch.export` sees it."""
    import torch
    from torch.fx import Interpreter

    inputs = tuple(torch.from_numpy(arrays[tensor.name]) for tensor in component.inputs)
    graph = torch.export.export(module, inputs, strict=False).module()
    steps: list[Step] = []

    class Noting(Interpreter):
        def run_node(self, n: Any) -> Any:
            value = super().run_node(n)
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                reads = tuple(read.name for read in n.all_input_nodes)
                if n.op == "call_function":
                    steps.append(Step(n.name, _module_of(n), value.numpy().copy(), reads))
            return value

    with torch.inference_mode():
        Noting(graph).run(*inputs)
    return steps


def _module_of(node: Any) -> str:
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]) if stack else ""


def _positions(step: Step, traced: Traced, floor_db: float) -> list[int]:
    """Indices of the candidate's operations that give the step's values."""
    wanted = step.value.reshape(-1, 1)
    return [
        index
        for index, (_, _, value) in enumerate(traced)
        if value.size == wanted.size and distance(wanted, value.reshape(-1, 1)).snr_db >= floor_db
    ]


def _first_lost(steps: Sequence[Step], found: Mapping[str, Sequence[int]]) -> Step | None:
    """The first step that is not reproduced and that something lost is made from.

    What a candidate fuses or writes otherwise is missing too, but all that is made from it is
    there.
    """
    lost: set[str] = set()
    read_by: dict[str, set[str]] = {}
    for step in reversed(steps):
        readers = read_by.get(step.name, set())
        if not found[step.name] and (not readers or readers & lost):
            lost.add(step.name)
        for name in step.reads:
            read_by.setdefault(name, set()).add(step.name)
    return next((step for step in steps if step.name in lost), None)


def _found_before(
    bad: Step, steps: Sequence[Step], found: Mapping[str, Sequence[int]]
) -> list[str]:
    """The nearest reproduced steps that the bad one was made from."""
    by_name = {step.name: step for step in steps}
    pending, nearest = list(bad.reads), []
    while pending:
        name = pending.pop()
        if name not in by_name:
            continue
        if found[name]:
            nearest.append(name)
        else:
            pending.extend(by_name[name].reads)
    return nearest
