"""Layers whose weights can be stored as integers: the project's own, and those of torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from ..core.spec import Array

_OUTPUTS: dict[type[nn.Module], int] = {
    nn.Linear: 0,
    nn.Conv1d: 0,
    nn.Conv2d: 0,
    nn.ConvTranspose1d: 1,
    nn.ConvTranspose2d: 1,
}
"""The axis of the outputs in a weight. GRU and LSTM stay float: errors add up in them."""


@dataclass(frozen=True)
class Layer:
    """A weight of any shape, and the axis of its outputs."""

    weight: Tensor
    axis: int

    @property
    def inputs(self) -> int:
        """Values that make one output."""
        return self.weight.numel() // self.outputs

    @property
    def outputs(self) -> int:
        """Outputs, each of which has its scale."""
        return int(self.weight.shape[self.axis])

    @property
    def is_matrix(self) -> bool:
        """Whether it has two axes: others never have 4 bits."""
        return self.weight.ndim == 2

    def array(self) -> Array:
        """The weight as NumPy has it."""
        return np.asarray(self.weight.detach().numpy())


def quantizable(module: nn.Module) -> dict[str, Layer]:
    """The layers of a module, or of a model, by path.

    A layer of another class declares the axis itself, as `output_axis`. Depthwise convolutions are
    left out: they hold few weights, and engines compute them wrongly or slowly.
    """
    found = {}
    for path, layer in module.named_modules():
        axis = getattr(layer, "output_axis", _axis(layer))
        if isinstance(axis, int):
            found[path] = Layer(layer.get_parameter("weight"), axis)
    return found


def _axis(layer: nn.Module) -> int | None:
    axis = next((axis for kind, axis in _OUTPUTS.items() if type(layer) is kind), None)
    groups = getattr(layer, "groups", 1)
    apart = groups > 1 and (axis == 1 or groups == getattr(layer, "in_channels", 0))
    return None if apart else axis
