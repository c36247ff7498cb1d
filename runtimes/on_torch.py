"""PyTorch modules as runners: the reference that every other engine is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.spec import Array, Arrays, Component, Runner

if TYPE_CHECKING:
    from torch import nn


def runner(component: Component, module: nn.Module) -> Runner:
    """Wrap the module of a part; gradients are off, the module is used as it is."""
    import torch

    def run(arrays: Arrays) -> dict[str, Array]:
        inputs = [torch.from_numpy(arrays[tensor.name]) for tensor in component.inputs]
        with torch.inference_mode():
            output = module(*inputs)
        return {component.outputs[0].name: output.numpy()}

    return run
