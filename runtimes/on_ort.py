"""ONNX and ORT files on ONNX Runtime, on the CPU."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..core.bundle.schemes import Precision
from ..core.errors import BackendMissingError, IntegrityError, reason
from ..core.spec import Array, Arrays, Artifact, Runner, Shapes
from .signature import Input, check

FORMATS: Sequence[str] = ("onnx", "ort")
SIDE_BY_SIDE = True

WEIGHTS_ONLY = (Precision.INT8, Precision.INT4, Precision.MIXED)
"""Precisions whose arithmetic is float32: integers are how they are stored."""

_PROVIDER = "CPUExecutionProvider"
_FATAL = 4
_DTYPES: Mapping[str, np.dtype] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
}


def load(artifact: Artifact, root: Path, *, threads: int) -> Runner:
    """Open the graph below `root`; every call computes on the thread that makes it.

    Raises `BackendMissingError` without onnxruntime or its CPU provider, `IntegrityError` for a
    file it cannot open; the runner raises `UsageError` for inputs that do not fit the graph and
    `IntegrityError` where the graph fails.
    """
    del threads  # so many may call at once, and share the weights
    session = _session(root / artifact.path, exact=artifact.precision in WEIGHTS_ONLY)
    expected = [_declared(tensor) for tensor in session.get_inputs()]
    outputs = [output.name for output in session.get_outputs()]

    def run(arrays: Arrays) -> dict[str, Array]:
        check(artifact.component, expected, arrays)
        try:
            made = session.run(outputs, dict(arrays))
        except Exception as error:  # onnxruntime's errors share no narrower public base
            said = reason(error)
            raise IntegrityError(f"{artifact.path} fails in onnxruntime: {said}") from error
        return dict(zip(outputs, made, strict=True))

    return run


def shapes(artifact: Artifact, root: Path) -> Shapes:
    """What the file declares that it takes and makes; raises as `load` does."""
    session = _session(root / artifact.path, exact=False)
    declared = [_declared(tensor) for tensor in (*session.get_inputs(), *session.get_outputs())]
    return {tensor.name: tensor.shape for tensor in declared}


def profiled(
    artifact: Artifact, root: Path, inputs: Sequence[Arrays], *, runs: int, folder: Path
) -> list[dict[str, Any]]:
    """The events of ONNX Runtime's profile of so many runs over all inputs, on one thread.

    A run over the inputs comes first and is left out; the profile is written into `folder`.
    """
    exact = artifact.precision in WEIGHTS_ONLY
    session = _session(root / artifact.path, exact=exact, profile=folder / "profile")
    for _ in range(runs + 1):
        for arrays in inputs:
            session.run(None, dict(arrays))
    events: list[dict[str, Any]] = json.loads(Path(session.end_profiling()).read_bytes())
    ends = [e["ts"] + e["dur"] for e in events if e["name"] == "model_run"]
    return [event for event in events if event["ts"] >= sorted(ends)[len(inputs) - 1]]


def settings() -> Mapping[str, str]:
    """Engine, version and provider, for reports; raises `BackendMissingError` without it."""
    return {
        "engine": "onnxruntime",
        "version": _engine().__version__,
        "provider": _PROVIDER,
        "providers_here": ", ".join(_engine().get_available_providers()),
    }


def _engine() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendMissingError(
            f"onnxruntime cannot be imported ({error}); install it with: pip install onnxruntime"
        ) from error
    return onnxruntime


@cache
def _share_arena() -> None:
    ort = _engine()
    arena, default = ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, ort.OrtMemType.DEFAULT
    memory = ort.OrtMemoryInfo("Cpu", arena, 0, default)
    ort.create_and_register_allocator(memory, None)


def _session(path: Path, *, exact: bool, profile: Path | None = None) -> Any:
    ort = _engine()
    ort.disable_telemetry_events()  # some builds carry a client that tells their maker
    options = ort.SessionOptions()
    # Several threads inside an operator gain little, and sum in another order.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # What it cannot do is raised; told on standard error as well, it would be told twice.
    options.log_severity_level = _FATAL
    # Signals have any length: a pattern planned for one length only costs memory at the next.
    options.enable_mem_pattern = False
    # Fresh memory from the system costs more than what is computed in it; one arena for all
    # components holds what the largest of them needs, and not each its own.
    _share_arena()
    options.add_session_config_entry("session.use_env_allocators", "1")
    if profile:
        options.enable_profiling, options.profile_file_prefix = True, str(profile)
    if exact:
        # Left to itself the engine also rounds what such weights are multiplied with.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        session = ort.InferenceSession(path, options, providers=[_PROVIDER], enable_fallback=0)
    except Exception as error:  # onnxruntime's errors share no narrower public base
        said = reason(error, path)
        raise IntegrityError(f"{path} cannot be opened by onnxruntime: {said}") from error
    if session.get_providers() != [_PROVIDER]:
        raise BackendMissingError(f"onnxruntime fell back to {session.get_providers()} for {path}")
    return session


def _declared(tensor: Any) -> Input:
    shape = tuple(axis if isinstance(axis, int) else None for axis in tensor.shape)
    if tensor.type not in _DTYPES:
        raise IntegrityError(
            f"the input {tensor.name} is a {tensor.type}; a component takes floats"
        )
    return Input(tensor.name, _DTYPES[tensor.type], shape)
