"""The whole model: four networks, their weights on disk, and the path from wave to wave."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ...core.errors import IntegrityError, reason
from .. import checkpoints
from .config import EDGE, ModelConfig, named
from .networks import torch_frontend as frontend
from .networks.decoder import Decoder
from .networks.denoiser import Denoiser
from .networks.encoder import Encoder
from .networks.recovery import Recovery


class Model(checkpoints.Model):
    """Hi-ResLDM at the sizes of `config`."""

    config: ModelConfig

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.recovery = Recovery(config)
        self.encoder = Encoder(config)
        self.denoiser = Denoiser(config)
        self.decoder = Decoder(config)

    def spectrum(self, wave: Tensor) -> Tensor:
        """Compressed spectrum (B, T, 2 * bins) of waves (B, N)."""
        return frontend.stft(wave, self.config.front)

    def recovered(self, damaged: Tensor) -> Tensor:
        """Recovered spectrum (B, T, 2 * bins) of damaged waves (B, N)."""
        return torch.as_tensor(self.recovery(self.spectrum(damaged)).float())

    def latent(self, spectrum: Tensor) -> Tensor:
        """Latent (B, frames, C) of a spectrum (B, T, 2 * bins)."""
        return torch.as_tensor(self.encoder(frontend.log_mel(spectrum, self.config.front)).float())

    def decoded(self, latent: Tensor, recovered: Tensor) -> Tensor:
        """Restored spectrum (B, T, 2 * bins) of a latent and a recovered spectrum."""
        return torch.as_tensor(self.decoder(latent, recovered).float())


def outline(config: str) -> Model:
    """The model of a configuration (JSON), without memory for its weights.

    A file may claim any size, and hold less. Raises ValueError for what is no configuration of this
    revision, or has sizes that no networks have.
    """
    wanted = ModelConfig.from_json(config)
    try:
        with torch.device("meta"):
            return Model(wanted)
    except (RuntimeError, TypeError, ValueError, ArithmeticError) as error:
        raise ValueError(f"no networks have the sizes it names: {reason(error)}") from error


def untrained(size: str | None) -> Model:
    """The model with random weights; raises `UsageError` for a size that there is not."""
    return Model(named(size or EDGE.name)).eval()


def load(folder: Path) -> Model:
    """The model in a folder, to be trained on; raises `IntegrityError` for another family."""
    model = checkpoints.load(folder)
    if not isinstance(model, Model):
        raise IntegrityError(f"{folder} holds a {model.config.family}, which is not trained here")
    return model
