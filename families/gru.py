"""A GRU whose number of frames stays open in every format: one operation of the toolkit's own.

When torch works out the shapes of its own GRU it runs a loop of Python, and the number of frames
becomes a constant; an operation that declares its shape does not. A component whose network holds
one declares `operations=(OPERATION,)`, and the writers of files know what it is in their words.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

OPERATION = "gru"


@torch.library.custom_op("hiresldm::gru", mutates_args=())
def gru(x: Tensor, weight: Tensor, recurrence: Tensor, bias: Tensor) -> Tensor:
    """Frames (B, T, inputs) to hidden states (B, T, D * H), D directions that begin with zeros.

    `weight` (D, 3 H, inputs), `recurrence` (D, 3 H, H) and `bias` (D, 6 H), that of the input
    first, lie as in ONNX: gates in the order update, reset, new.
    """
    directions, _, hidden = recurrence.shape
    given = zip(weight, recurrence, *bias.chunk(2, dim=1), strict=True)
    flat = [_reordered(value) for direction in given for value in direction]
    start = x.new_zeros(directions, x.shape[0], hidden)
    made, _ = torch.gru(x, start, flat, True, 1, 0.0, False, directions == 2, True)
    return made.contiguous()


@gru.register_fake
def _(x: Tensor, weight: Tensor, recurrence: Tensor, bias: Tensor) -> Tensor:
    directions, _, hidden = recurrence.shape
    return x.new_empty(x.shape[0], x.shape[1], directions * hidden)


class Gru(nn.Module):
    """A layer of GRU cells, (B, T, inputs) -> (B, T, hidden), or 2 * hidden in both directions."""

    def __init__(self, inputs: int, hidden: int, *, both_ways: bool = False) -> None:
        super().__init__()
        directions = 2 if both_ways else 1
        self.weight = nn.Parameter(torch.empty(directions, 3 * hidden, inputs))
        self.recurrence = nn.Parameter(torch.empty(directions, 3 * hidden, hidden))
        self.bias = nn.Parameter(torch.empty(directions, 6 * hidden))
        for value in self.parameters():
            nn.init.uniform_(value, -(hidden**-0.5), hidden**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = torch.ops.hiresldm.gru(x, self.weight, self.recurrence, self.bias)
        return made


class Grus(nn.Module):
    """The layers of an `nn.GRU` (batch first), in its place: gives the states, and no last one."""

    def __init__(self, given: nn.GRU) -> None:
        super().__init__()
        if not given.batch_first or not given.bias or given.dropout:
            raise ValueError("a GRU is taken over that is batch first, with biases, no dropout")
        self.layers = nn.ModuleList(_layer(given, index) for index in range(given.num_layers))

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        for layer in self.layers:
            x = layer(x)
        return x, None


def replaced(module: nn.Module) -> nn.Module:
    """The module itself, with `Grus` in the place of every `nn.GRU` inside."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.GRU):
                setattr(parent, name, Grus(child))
    return module


def _layer(given: nn.GRU, index: int) -> Gru:
    inputs = given.input_size if index == 0 else given.hidden_size * (1 + given.bidirectional)
    layer = Gru(inputs, given.hidden_size, both_ways=given.bidirectional)
    ends = ("", "_reverse") if given.bidirectional else ("",)

    def read(name: str) -> list[Tensor]:
        found = [getattr(given, f"{name}_l{index}{end}").detach() for end in ends]
        return [_reordered(value) for value in found]

    biases = zip(read("bias_ih"), read("bias_hh"), strict=True)
    layer.weight = nn.Parameter(torch.stack(read("weight_ih")))
    layer.recurrence = nn.Parameter(torch.stack(read("weight_hh")))
    layer.bias = nn.Parameter(torch.stack([torch.cat(pair) for pair in biases]))
    return layer


def _reordered(gates: Tensor) -> Tensor:
    """Update, reset, new (ONNX) as reset, update, new (torch), and back."""
    first, second, third = gates.chunk(3)
    return torch.cat([second, first, third])
