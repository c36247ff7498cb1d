"""Recovery: a complex mask on the compressed spectrum that takes noise and echo away."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .config import ModelConfig
from .layers import Blocks, Linear, magnitude


class Recovery(nn.Module):
    """Spectrum (B, T, 2 * bins) of damaged speech -> recovered spectrum of the same shape."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        bins, dim = config.front.bins, config.recovery.dim
        self.phase_bins = config.recovery_phase_bins
        self.embed = Linear(bins + 2 * self.phase_bins, dim)
        self.blocks = Blocks(config.recovery)
        self.mask = Linear(dim, 2 * bins)
        # Training starts from "change nothing": the mask is one, its weights nearly zero.
        nn.init.trunc_normal_(self.mask.weight, std=1e-3)
        nn.init.constant_(self.mask.bias[:bins], 1.0)

    def forward(self, spectrum: Tensor) -> Tensor:
        real, imaginary = spectrum.chunk(2, dim=-1)
        low = slice(None, self.phase_bins)
        seen = torch.cat([magnitude(spectrum), real[..., low], imaginary[..., low]], dim=-1)
        mask_real, mask_imaginary = self.mask(self.blocks(self.embed(seen))).chunk(2, dim=-1)
        return torch.cat(
            [
                real * mask_real - imaginary * mask_imaginary,
                real * mask_imaginary + imaginary * mask_real,
            ],
            dim=-1,
        )
