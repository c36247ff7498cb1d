"""Which operations an engine must have for the files of a pack."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...core.spec import Artifact


def required(artifact: Artifact, root: Path) -> list[str]:
    """The operations of an artifact, sorted; raises as the format's own readers do."""
    found = _of_ort(artifact, root) if artifact.format == "ort" else _of_coreml(artifact, root)
    return sorted(found)


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


def _types(blocks: Iterable[Any]) -> set[str]:
    operations = [operation for block in blocks for operation in block.operations]
    inner = {name for one in operations if one.blocks for name in _types(one.blocks)}
    return inner | {operation.type for operation in operations}
