"""Decoder: clean latent and recovered spectrum to the restored 48 kHz spectrum."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import ModelConfig
from .layers import Blocks, Linear, magnitude


class Decoder(nn.Module):
    """Latent (B, L, C) and recovered spectrum (B, stride * L, 2 * bins) -> restored spectrum.

    The magnitude is the recovered one times a gain of at most one plus a generated one; the phase
    is the recovered phase turned by a predicted angle, far cheaper to learn than from nothing.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        bins, dim, front = config.front.bins, config.decoder.dim, config.front
        self.stride = front.stride
        self.embed_latent = Linear(front.latent_channels, self.stride * dim)
        self.embed_recovered = Linear(bins, dim)
        self.blocks = Blocks(config.decoder)
        self.head = Linear(dim, 4 * bins)
        nn.init.trunc_normal_(self.head.weight, std=1e-2)
        # Training starts near "keep the recovered spectrum": gain .95, little generated, no turn.
        for part, start in enumerate((3.0, -4.0, 1.0, 0.0)):
            nn.init.constant_(self.head.bias[part * bins : (part + 1) * bins], start)

    def forward(self, latent: Tensor, recovered: Tensor) -> Tensor:
        batch, frames, _ = latent.shape
        level = magnitude(recovered)
        given = self.embed_latent(latent).reshape(batch, self.stride * frames, -1)
        x = given + self.embed_recovered(level)
        gain, generated, cosine, sine = self.head(self.blocks(x)).chunk(4, dim=-1)
        length = torch.rsqrt(cosine * cosine + sine * sine + 1e-4)
        # (gain * level + generated) along the recovered direction, which is recovered / level.
        # A silent bin (level at its floor of 3e-4) has no direction, and so stays silent.
        factor = (torch.sigmoid(gain) + F.softplus(generated) / level.clamp(min=1e-3)) * length
        real, imaginary = recovered.chunk(2, dim=-1)
        turn_real, turn_imaginary = factor * cosine, factor * sine
        return torch.cat(
            [
                real * turn_real - imaginary * turn_imaginary,
                real * turn_imaginary + imaginary * turn_real,
            ],
            dim=-1,
        )
