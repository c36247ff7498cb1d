"""Core ML's GRU on PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor


def gru(
    x: Tensor,
    initial_h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    output_sequence: Tensor,
    bias: Tensor | None = None,
    direction: str = "forward",
    recurrent_activation: str = "sigmoid",
    activation: str = "tanh",
) -> tuple[Tensor, Tensor]:
    """States (T, B, H) and the last one of frames (T, B, inputs); gates are reset, new, update."""
    if (recurrent_activation, activation) != ("sigmoid", "tanh") or not output_sequence:
        raise ValueError(f"no gru of {recurrent_activation} and {activation}, only whole sequences")
    bias = torch.zeros(len(weight_ih)) if bias is None else bias
    flat = [_reordered(value) for value in (weight_ih, weight_hh, bias)]
    given = x.flip(0) if direction == "reverse" else x
    # Core ML has no bias inside the product with the reset gate.
    weights = [*flat, torch.zeros_like(bias)]
    states, last = torch.gru(given, initial_h[None], weights, True, 1, 0.0, False, False, False)
    return states.flip(0) if direction == "reverse" else states, last[0]


def _reordered(gates: Tensor) -> Tensor:
    """Reset, new, update as torch has them: reset, update, new."""
    reset, new, update = gates.chunk(3)
    return torch.cat([reset, update, new])
