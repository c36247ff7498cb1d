"""Encoder: log-mel frames to the latent in which the diffusion model works."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import ModelConfig
from .layers import Blocks, Linear


class Encoder(nn.Module):
    """Log-mel (B, stride * L, mel_bands) -> latent (B, L, latent_channels) of unit variance.

    The last layer norm has no weights: every latent frame has mean 0 and variance 1 by
    construction, so no scale has to be measured or shipped.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        fine, coarse, front = config.encoder_fine, config.encoder, config.front
        self.embed = Linear(front.mel_bands, fine.dim)
        self.fine = Blocks(fine)
        self.stride = front.stride
        self.halve = Linear(self.stride * fine.dim, coarse.dim)
        self.coarse = Blocks(coarse)
        self.head = Linear(coarse.dim, front.latent_channels)

    def forward(self, log_mel: Tensor) -> Tensor:
        x = self.fine(self.embed((log_mel + 4.0) / 4.0))
        batch, frames, dim = x.shape
        x = self.coarse(self.halve(x.reshape(batch, frames // self.stride, self.stride * dim)))
        latent: Tensor = self.head(x)
        return torch.as_tensor(F.layer_norm(latent, latent.shape[-1:]))
