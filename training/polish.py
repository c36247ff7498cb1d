"""The last touch: recovery, denoiser and decoder together, through the steps really taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..core.errors import UsageError
from ..core.signal.sampler import ddim, timesteps
from ..families.hiresldm.model import Model
from .damage.chain import Chain
from .damage.draws import Draw
from .discriminator import Discriminator, DiscriminatorSize
from .objectives import ADVERSARIAL_SHARE, adversarial_losses, decoding_losses, recovery_losses
from .stages import FULL_BAND_HZ, Inputs, Losses, Outcome, crops_of, latent_noise, trained

LATENT_WEIGHT = 0.5
REACHING = 0.1
"""Share of the decoder's gradient that recovery gets: it has errors of its own to learn from."""
POLISHED = ("recovery", "denoiser", "decoder")
DECODED = 1 / 3
"""Share of the crops that go on to denoiser and decoder where recovery learns too: it needs every
voice, most of which were recorded without the top that the others are to make."""


class PolishStage:
    """Half of the decoded crops in one sampler step from noise, half in two, with gradient.

    Recovery learns from all crops, the others from those that have a top. A discriminator stands
    against what errors alone would lead to: the mean of all that is possible.
    """

    def __init__(
        self,
        model: Model,
        *,
        batch: int,
        seconds: float = 1.6,
        components: Sequence[str] = POLISHED,
        discriminator: DiscriminatorSize | None = None,
    ) -> None:
        self.config, self.batch, self.seconds = model.config, batch, seconds
        if unknown := sorted(set(components) - set(POLISHED)):
            raise UsageError(f"a polish has no {unknown[0]}; accepted: {', '.join(POLISHED)}")
        self.model = model
        self.components: Mapping[str, nn.Module] = trained(model, *components)
        recovers = "recovery" in components
        self.least_hz = 0.0 if recovers else FULL_BAND_HZ
        self.decoded = max(2, round(DECODED * batch)) if recovers else batch
        self.discriminator = (
            Discriminator(discriminator, model.config.front.sample_rate_hz)
            if discriminator
            else None
        )
        self.helpers: Mapping[str, nn.Module] = (
            {"discriminator": self.discriminator} if self.discriminator else {}
        )

    def inputs(self, chain: Chain, step: int) -> Inputs:
        batch, draw = crops_of(self, chain, step, least_hz=self.least_hz), chain.draw(step)
        noise = latent_noise(self, draw)[: self.decoded]
        which = full_band_first(batch.bandwidth_hz, draw)[: self.decoded]
        return batch.clean, batch.damaged, batch.bandwidth_hz, which, noise

    def outcome(self, *inputs: Tensor) -> Outcome:
        clean, damaged, bandwidth_hz, which, noise = inputs
        front, model = self.config.front, self.model
        with torch.set_grad_enabled("recovery" in self.components):
            recovered = model.recovered(damaged)
        recovering = self._recovering(recovered, clean, bandwidth_hz)
        clean, bandwidth_hz, recovered = clean[which], bandwidth_hz[which], recovered[which]
        given = REACHING * recovered + (1 - REACHING) * recovered.detach()
        latent = self._sampled(model.latent(given), noise)
        restored = model.decoded(latent, given)
        losses = decoding_losses(restored, clean, bandwidth_hz, front)
        before = Outcome.of(losses | {"latent": self._missed(latent, clean)} | recovering)
        if self.discriminator is None:
            return before
        decoded = Outcome.of(losses).objective
        seen, objective = adversarial_losses(
            self.discriminator, restored, decoded, clean, bandwidth_hz, front, ADVERSARIAL_SHARE
        )
        return Outcome(before.losses | seen, before.objective + objective - decoded)

    def _recovering(self, recovered: Tensor, clean: Tensor, bandwidth_hz: Tensor) -> Losses:
        """Errors of recovery's own, where it learns."""
        if "recovery" not in self.components:
            return {}
        own = recovery_losses(recovered, clean, bandwidth_hz, self.config.front)
        return {f"recovery_{name}": value for name, value in own.items()}

    def _missed(self, latent: Tensor, clean: Tensor) -> Tensor:
        """Error of drawn latents."""
        with torch.no_grad():
            target = self.model.latent(self.model.spectrum(clean))
        return LATENT_WEIGHT * (latent - target).abs().mean()

    def _sampled(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Latents as the sampler draws them: half of them in one step, the others in two."""
        half = len(noise) // 2
        rows = (slice(0, half), slice(half, None))
        drawn = [self._drawn(condition[own], noise[own], n) for n, own in enumerate(rows, 1)]
        return torch.cat(drawn)

    def _drawn(self, condition: Tensor, noise: Tensor, steps: int) -> Tensor:
        def denoise(noisy: Tensor, t: float) -> Tensor:
            time = torch.full((len(noisy),), t, device=noisy.device)
            return torch.as_tensor(self.model.denoiser(noisy, condition, time).float())

        return torch.as_tensor(ddim(denoise, condition, noise, timesteps(steps, 1.0)))


def full_band_first(bandwidth_hz: Tensor, draw: Draw) -> Tensor:
    """Crops (B,) in random order, those with a top before the others."""
    order = draw.order(len(bandwidth_hz))
    return order[torch.argsort((bandwidth_hz[order] < FULL_BAND_HZ).int(), stable=True)]
