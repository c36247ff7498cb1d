"""PyTorch modules as runners: the reference, and its checkpoints as an engine like the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import processors
from ..core.errors import BackendMissingError
from ..core.spec import Array, Arrays, Artifact, Component, Runner, Shapes, Tensor
from .signature import Input, check

if TYPE_CHECKING:
    from torch import nn

    from ..families.checkpoints import Model

FORMATS: Sequence[str] = ("torch",)

_TURN = Lock()


def load(artifact: Artifact, root: Path, *, threads: int) -> Runner:
    """Open the checkpoint below `root`, computing in float32 on `threads` threads.

    With 0 torch chooses, within `processors.limit`; where it may not choose, callers take turns,
    since torch counts threads for the whole process. Raises `BackendMissingError` without torch,
    `IntegrityError` for a file it cannot open; the runner raises `UsageError` for inputs that do
    not fit the component.
    """
    count = threads or _limit(_engine().get_num_threads())
    component, module = _opened(artifact, root)
    expected = [_declared(tensor) for tensor in component.inputs]
    inner = runner(component, module)

    def run(arrays: Arrays) -> dict[str, Array]:
        check(artifact.component, expected, arrays)
        with _limited_to(count):
            return inner(arrays)

    return run


def shapes(artifact: Artifact, root: Path) -> Shapes:
    """What the file declares that it takes and makes; raises as `load` does."""
    _engine()
    component, _ = _opened(artifact, root)
    declared = [_declared(tensor) for tensor in (*component.inputs, *component.outputs)]
    return {tensor.name: tensor.shape for tensor in declared}


def settings() -> Mapping[str, str]:
    """Engine, version and device, for reports; raises `BackendMissingError` without it."""
    return {"engine": "torch", "version": str(_engine().__version__), "device": "cpu"}


def runner(component: Component, module: nn.Module) -> Runner:
    """Wrap the network of a component; gradients are off, the module is used as it is."""
    import torch

    names = [tensor.name for tensor in component.outputs]

    def run(arrays: Arrays) -> dict[str, Array]:
        inputs = [torch.from_numpy(arrays[tensor.name]) for tensor in component.inputs]
        with torch.inference_mode():
            made = module(*inputs)
        outputs = made if isinstance(made, tuple) else (made,)
        return {name: output.numpy() for name, output in zip(names, outputs, strict=True)}

    return run


def runners(model: Model) -> dict[str, Runner]:
    """Every component of a model as a runner, nothing about them rewritten."""
    return {c.name: runner(c, model.get_submodule(c.name)) for c in model.components}


def _engine() -> Any:
    try:
        import torch
    except ImportError as error:
        raise BackendMissingError(
            f"torch cannot be imported ({error}); install it with: pip install 'hiresldm[train]'"
        ) from error
    return torch


def _opened(artifact: Artifact, root: Path) -> tuple[Component, nn.Module]:
    from ..families.checkpoints import open_component

    return open_component(root / artifact.path, artifact.component)


def _limit(chosen: int) -> int:
    """What torch must be held to; 0 where what it chose is within the limit."""
    limit = processors.limit()
    return limit if limit < chosen else 0


@contextmanager
def _limited_to(threads: int) -> Iterator[None]:
    if not threads:
        yield
        return
    torch = _engine()
    with _TURN:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _declared(tensor: Tensor) -> Input:
    shape = tuple(axis if isinstance(axis, int) else None for axis in tensor.shape)
    return Input(tensor.name, np.dtype(np.float32), shape)
