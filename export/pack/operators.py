"""Which operations an engine must have for the files of a pack."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...core.spec import Artifact
from ...runtimes import on_executorch, on_litert


def required(artifact: Artifact, root: Path) -> list[str]:
    """The operations of an artifact, sorted; raises as the format's own readers do."""
    readers = {
        "ort": _of_ort,
        "coreml": _of_coreml,
        "executorch": _of_executorch,
        "litert": _of_litert,
    }
    return sorted(readers[artifact.format](artifact, root))


def _of_ort(artifact: Artifact, root: Path) -> set[str]:
    """From the list for a minimal build: `domain;opset;Name{types},Name`."""
    (listed,) = (file for file in artifact.data if file.path.endswith(".config"))
    lines = (root / listed.path).read_text(encoding="utf-8").splitlines()
    bare = (re.sub(r"\{.*?\}+", "", line.split(";", 2)[2]) for line in lines if ";" in line)
    return {name for line in bare for name in line.split(",") if name}


def _of_coreml(artifact: Artifact, root: Path) -> set[str]:
    from ...runtimes.mil.package import specification

    functions = specification(root / artifact.path).mlProgram.functions.values()
    return {name for one in functions for name in _types(one.block_specializations.values())}


def _of_executorch(artifact: Artifact, root: Path) -> set[str]:
    """Backends that parts are delegated to, and kernels of what is left."""
    on_executorch.settings()  # raises where the engine is missing
    from executorch.exir._serialize._program import deserialize_pte_binary

    plans = deserialize_pte_binary((root / artifact.path).read_bytes()).program.execution_plan
    kernels = {f"{one.name}.{one.overload}" for plan in plans for one in plan.operators}
    return kernels | {delegate.id for plan in plans for delegate in plan.delegates}


def _of_litert(artifact: Artifact, root: Path) -> set[str]:
    on_litert.settings()
    from ai_edge_litert import interpreter

    opened = interpreter.Interpreter(model_path=str(root / artifact.path))
    return {one["op_name"] for one in opened._get_ops_details()}


def _types(blocks: Iterable[Any]) -> set[str]:
    operations = [operation for block in blocks for operation in block.operations]
    inner = {name for one in operations if one.blocks for name in _types(one.blocks)}
    return inner | {operation.type for operation in operations}
