"""OpenVINO IR on OpenVINO, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from ..core import processors
from ..core.bundle.schemes import Precision
from ..core.errors import BackendMissingError, IntegrityError, reason
from ..core.quiet import refuse_telemetry
from ..core.spec import Array, Arrays, Artifact, Runner, Shapes
from .signature import Input, check

FORMATS: Sequence[str] = ("openvino",)
SIDE_BY_SIDE = True

_DEVICE = "CPU"
# Left to itself the engine computes in bfloat16 wherever the CPU has it, and says nothing.
_PRECISION, _ROUGH = "f32", "bf16"
# Beside integer weights the engine rounds what they are multiplied with, in groups of this many
# values, which is judged by ear like the weights. Pinned, lest a release change it.
_ROUNDED_GROUP = 32


def load(artifact: Artifact, root: Path, *, threads: int) -> Runner:
    """Compile the IR below `root`, in bfloat16 where that is its precision, else in float32.

    `threads` calls may run at once (as `compiled`). Raises `BackendMissingError` without openvino
    or where it will not compute so, `IntegrityError` for a file it cannot open; the runner raises
    `UsageError` for inputs that do not fit the graph, and makes callers beyond `threads` take
    turns.
    """
    count = threads or processors.usable()
    model = _opened(root / artifact.path, count, _precision_of(artifact))
    expected = [_declared(port) for port in model.inputs]
    outputs = [port.get_any_name() for port in model.outputs]
    idle: SimpleQueue[Any] = SimpleQueue()
    for _ in range(count):
        idle.put(model.create_infer_request())

    def run(arrays: Arrays) -> dict[str, Array]:
        check(artifact.component, expected, arrays)
        request = idle.get()
        try:
            results = request.infer(dict(arrays))
            return {name: np.array(results[name]) for name in outputs}
        finally:
            idle.put(request)

    return run


def profiled(
    artifact: Artifact, root: Path, inputs: Sequence[Arrays], *, runs: int
) -> list[tuple[str, float]]:
    """Kind and seconds of every operator of so many runs over all inputs, on one thread.

    A run over the inputs comes first and is left out; raises as `load` does.
    """
    model = _opened(root / artifact.path, 1, _precision_of(artifact), profiled=True)
    request, events = model.create_infer_request(), []
    for turn in range(runs + 1):
        for arrays in inputs:
            request.infer(dict(arrays))
            taken = request.profiling_info if turn else []
            events += [(one.node_type, one.real_time.total_seconds()) for one in taken]
    return events


def shapes(artifact: Artifact, root: Path) -> Shapes:
    """What the file declares that it takes and makes; raises as `load` does."""
    model = _opened(root / artifact.path, 1)
    declared = [_declared(port) for port in (*model.inputs, *model.outputs)]
    return {tensor.name: tensor.shape for tensor in declared}


def settings() -> Mapping[str, str]:
    """Engine, version, device and hints, for reports; raises `BackendMissingError` without it."""
    return {
        "engine": "openvino",
        "version": _engine().__version__,
        "device": _DEVICE,
        "devices_here": ", ".join(core().available_devices),
        "inference_precision": _PRECISION,
        "dynamic_quantization_group_size": str(_ROUNDED_GROUP),
    }


def _engine() -> Any:
    refuse_telemetry()
    try:
        import openvino
    except ImportError as error:
        raise BackendMissingError(
            f"openvino cannot be imported ({error}); "
            "install it with: pip install 'hiresldm[openvino]'"
        ) from error
    return openvino


def core() -> Any:
    """The engine, one for the process; raises `BackendMissingError` without openvino.

    While a core that runs models lives, its thread handles signals on a stack of the core's, and
    gets back what it had before when the core goes. Of two that go in the order in which they came,
    the second gives back the stack of the first, which is gone: the next signal is the end.
    """
    return _core(_engine())


@cache
def _core(engine: Any) -> Any:
    return engine.Core()


def compiled(
    model: Any, threads: int = 1, precision: str = _PRECISION, *, profiled: bool = False
) -> Any:
    """A model, or the path of one, compiled for a precision and `threads` calls at once.

    Each computes on one thread, so that the result does not depend on their number. Raises
    RuntimeError for what cannot be opened and `BackendMissingError` without openvino.
    """
    hints: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": precision,
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": _ROUNDED_GROUP,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads,
        "PERF_COUNT": profiled,
    }
    return core().compile_model(model, _DEVICE, hints)


def _precision_of(artifact: Artifact) -> str:
    return _ROUGH if artifact.precision == Precision.BF16 else _PRECISION


def _opened(
    path: Path, threads: int, precision: str = _PRECISION, *, profiled: bool = False
) -> Any:
    try:
        model = compiled(path, threads, precision, profiled=profiled)
    except RuntimeError as error:
        said = reason(error, path)
        raise IntegrityError(f"{path} cannot be opened by openvino: {said}") from error
    _refuse_fallback(model, path, precision)
    return model


def _refuse_fallback(model: Any, path: Path, wanted: str) -> None:
    precision = model.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    devices = model.get_property("EXECUTION_DEVICES")
    if precision != wanted or devices != [_DEVICE]:
        raise BackendMissingError(
            f"openvino runs {path} in {precision} on {devices}, not in {wanted} on {_DEVICE}"
        )


def _declared(port: Any) -> Input:
    shape = tuple(axis.get_length() if axis.is_static else None for axis in port.partial_shape)
    return Input(port.get_any_name(), np.dtype(port.element_type.to_dtype()), shape)
