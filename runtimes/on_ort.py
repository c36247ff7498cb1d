"""ONNX files on ONNX Runtime, on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import BackendMissingError, IntegrityError, UsageError
from ..core.spec import Array, Arrays, Artifact, Runner

FORMATS: Sequence[str] = ("onnx",)

_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def load(artifact: Artifact, root: Path, *, threads: int) -> Runner:
    """Open the graph below `root` on `threads` threads (0: the engine's own choice).

    Raises `BackendMissingError` without onnxruntime, `IntegrityError` for a file it cannot open;
    the runner raises `UsageError` for inputs that do not fit the graph.
    """
    session = _session(root / artifact.path, threads)
    expected = session.get_inputs()
    outputs = [output.name for output in session.get_outputs()]

    def run(arrays: Arrays) -> dict[str, Array]:
        _check(artifact.component, expected, arrays)
        return dict(zip(outputs, session.run(outputs, dict(arrays)), strict=True))

    return run


def _session(path: Path, threads: int) -> Any:
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise BackendMissingError(
            f"onnxruntime cannot be imported ({error}); install it with: pip install onnxruntime"
        ) from error
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Signals have any length: a pattern planned for one length only costs memory at the next.
    options.enable_mem_pattern = False
    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no narrower public base
        raise IntegrityError(f"{path} cannot be opened by onnxruntime: {error}") from error


def _check(component: str, expected: Sequence[Any], arrays: Arrays) -> None:
    names = {tensor.name for tensor in expected}
    if arrays.keys() != names:
        raise UsageError(f"{component} takes the inputs {sorted(names)}, not {sorted(arrays)}")
    for tensor in expected:
        array = arrays[tensor.name]
        if array.dtype != _DTYPES.get(tensor.type) or not _fits(array.shape, tensor.shape):
            raise UsageError(
                f"{component} takes {tensor.name} as {tensor.type} of shape {tensor.shape}, "
                f"not {array.dtype} of shape {list(array.shape)}"
            )


def _fits(shape: Sequence[int], declared: Sequence[int | str | None]) -> bool:
    """Same rank, and the same size on every axis that has a fixed one."""
    return len(shape) == len(declared) and all(
        size == axis or not isinstance(axis, int)
        for size, axis in zip(shape, declared, strict=True)
    )
