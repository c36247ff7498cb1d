"""Method C: the last touch, through the steps that are really taken and through the decoder."""

from __future__ import annotations

import torch
from torch import nn

from ..reference import frontend
from ..reference.model import Model
from ..reference.training.cache import PairCache
from ..reference.training.critic import Critic
from ..reference.training.crops import FULL_BAND_HZ, samples_of, tensors_of
from ..reference.training.noises import Rng
from ..reference.training.stages import (
    Losses,
    adversarial_losses,
    decoding_losses,
    sampled,
)

LATENT_WEIGHT = 0.5


class PolishStage:
    """One or two sampler steps unrolled from noise; errors of the latent and of decoded speech.

    The gradient passes the decoder, which learns along, and every step (Lay 2023, CRP). A critic,
    where `adversary` weighs one in, stands against what spectral errors alone would lead to, the
    mean of all that is possible.
    """

    def __init__(
        self, model: Model, *, batch: int = 8, seconds: float = 1.6, adversary: float = 0.0
    ) -> None:
        self.config, self.batch, self.seconds = model.config, batch, seconds
        self.model, self.adversary = model, adversary
        for name, part in model.named_children():
            part.requires_grad_(name in {"denoiser", "decoder"})
        self.student = model.denoiser
        self.parts: dict[str, nn.Module] = {"denoiser": self.student, "decoder": model.decoder}
        self.critic = Critic(self.config.front.sample_rate_hz) if adversary else None
        self.helpers: dict[str, nn.Module] = {} if self.critic is None else {"critic": self.critic}

    def losses(self, cache: PairCache, rng: Rng) -> Losses:
        """Latent and spectral losses of a fresh batch."""
        front = self.config.front
        samples = samples_of(self.seconds, self.config)
        drawn = tensors_of(cache.draw(self.batch, samples, rng, least_hz=FULL_BAND_HZ))
        device = next(self.student.parameters()).device
        clean, damaged, bandwidth_hz = (tensor.to(device) for tensor in drawn)
        spectrum = frontend.stft(clean, front)
        with torch.no_grad():
            recovered = self.model.recovery(frontend.stft(damaged, front)).float()
            condition = self.model.encoder(frontend.log_mel(recovered, front)).float()
            target = self.model.encoder(frontend.log_mel(spectrum, front)).float()
        latent = sampled(self.student, condition, rng)
        restored = self.model.decoder(latent, recovered).float()
        wave = frontend.istft(restored, front)
        losses = {
            "latent": LATENT_WEIGHT * (latent - target).abs().mean(),
            **decoding_losses(restored, wave, spectrum, clean, bandwidth_hz, front),
        }
        if self.critic is None:
            return losses
        return losses | adversarial_losses(self.critic, wave, clean, rng, self.adversary)
