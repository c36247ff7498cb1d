"""Method C: the last touch, through the steps that are really taken and through the decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..core.sampler import ddim, timesteps
from ..reference import frontend
from ..reference.model import Model
from ..reference.training.cache import PairCache
from ..reference.training.critic import Critic
from ..reference.training.noises import Rng
from ..reference.training.stages import (
    FULL_BAND_HZ,
    Losses,
    adversarial_losses,
    as_tensor,
    decoding_losses,
    samples_of,
    tensors_of,
)

STEPS = (1, 2)
"""Numbers of steps that are unrolled, in turn at random."""
LATENT_WEIGHT = 0.5


class PolishStage:
    """One or two sampler steps unrolled from noise; errors of the latent and of decoded speech.

    The gradient passes the frozen decoder and every step (Lay 2023, CRP). A critic stands against
    what spectral errors alone would lead to, the mean of all that is possible.
    """

    def __init__(self, model: Model, device: str, *, batch: int = 8, seconds: float = 1.6) -> None:
        self.config, self.device, self.batch, self.seconds = model.config, device, batch, seconds
        self.model = model
        for name, part in model.named_children():
            part.requires_grad_(name == "denoiser")
        self.student = model.denoiser
        self.parts: dict[str, nn.Module] = {"denoiser": self.student}
        self.critic = Critic(self.config.front.sample_rate_hz)
        self.helpers: dict[str, nn.Module] = {"critic": self.critic}

    def losses(self, cache: PairCache, rng: Rng) -> Losses:
        """Latent and spectral losses of a fresh batch."""
        front = self.config.front
        samples = samples_of(self.seconds, self.config)
        drawn = tensors_of(cache.draw(self.batch, samples, rng, least_hz=FULL_BAND_HZ))
        clean, damaged, bandwidth_hz = (tensor.to(self.device) for tensor in drawn)
        spectrum = frontend.stft(clean, front)
        with torch.no_grad():
            recovered = self.model.recovery(frontend.stft(damaged, front)).float()
            condition = self.model.encoder(frontend.log_mel(recovered, front)).float()
            target = self.model.encoder(frontend.log_mel(spectrum, front)).float()
        latent = self._sampled(condition, rng)
        restored = self.model.decoder(latent, recovered).float()
        return {
            "latent": LATENT_WEIGHT * (latent - target).abs().mean(),
            **decoding_losses(restored, spectrum, clean, bandwidth_hz, front),
            **adversarial_losses(self.critic, frontend.istft(restored, front), clean, rng),
        }

    def _sampled(self, condition: Tensor, rng: Rng) -> Tensor:
        def denoise(noisy: Tensor, t: float) -> Tensor:
            time = torch.full((len(noisy),), t, device=noisy.device)
            return torch.as_tensor(self.student(noisy, condition, time).float())

        noise = as_tensor(rng.standard_normal(condition.shape)).to(condition)
        latent: Tensor = ddim(denoise, condition, noise, timesteps(int(rng.choice(STEPS)), 1.0))
        return latent
