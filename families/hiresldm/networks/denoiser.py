"""Denoiser: the network of the diffusion model; it predicts the clean latent itself."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import ModelConfig
from .layers import ConvNeXtBlock, Linear

FREQUENCIES = 32


class Denoiser(nn.Module):
    """Noisy latent and recovered latent (B, L, C), time (B,) in [0, 1] -> clean latent (B, L, C).

    The condition enters by concatenation and as the starting point of the prediction; the time
    enters through one AdaLN projection that the blocks share (PixArt-alpha, Chen 2023).
    """

    frequencies: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        stack, channels = config.denoiser, config.front.latent_channels
        self.embed = Linear(2 * channels, stack.dim)
        self.time_embed = Linear(2 * FREQUENCIES, stack.dim)
        self.time_modulate = Linear(stack.dim, 3 * stack.dim)
        self.tables = nn.Parameter(torch.zeros(len(stack.dilations), 3 * stack.dim))
        self.blocks = nn.ModuleList(ConvNeXtBlock(stack, d) for d in stack.dilations)
        self.norm = nn.LayerNorm(stack.dim)
        self.head = Linear(stack.dim, channels)
        nn.init.trunc_normal_(self.time_modulate.weight, std=1e-3)
        nn.init.trunc_normal_(self.head.weight, std=1e-3)
        # In memory even in a model that is an outline: no file brings them.
        frequencies = torch.exp(torch.linspace(0.0, 4.0, FREQUENCIES, device="cpu"))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, noisy: Tensor, condition: Tensor, time: Tensor) -> Tensor:
        return self.predicted(noisy, condition, self.time_embed(self.waves(time)))

    def waves(self, time: Tensor) -> Tensor:
        """Sines and cosines (B, 1, 2 * FREQUENCIES) of a time (B,)."""
        angles = time[:, None, None] * self.frequencies  # (B, 1, FREQUENCIES)
        return torch.cat([torch.sin(angles), torch.cos(angles)], dim=-1)

    def predicted(self, noisy: Tensor, condition: Tensor, embedded: Tensor) -> Tensor:
        """The clean latent, given the embedded time (B, 1, dim)."""
        modulation = self.time_modulate(F.silu(embedded))
        x = self.embed(torch.cat([noisy, condition], dim=-1))
        for index, block in enumerate(self.blocks):
            x = block(x, modulation + self.tables[index])
        return condition + torch.as_tensor(self.head(self.norm(x)))
