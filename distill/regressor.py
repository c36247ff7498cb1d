"""The baseline: a network of the same size that maps the recovered latent to the clean one."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..families.hiresldm.model import Model
from ..training.damage.chain import Chain
from ..training.stages import Inputs, Outcome, latent_inputs, latents_of, trained


class RegressorStage:
    """Least squares from the teacher's weights on.

    The rows that read the noisy latent are zero and get no gradient, and it trains at any time, so
    that it gives the same however it is sampled.
    """

    def __init__(self, model: Model, *, batch: int, seconds: float) -> None:
        self.config, self.batch, self.seconds = model.config, batch, seconds
        self.model = model
        with torch.no_grad():
            model.denoiser.embed.weight[: self.config.front.latent_channels] = 0
        self.components: Mapping[str, nn.Module] = trained(model, "denoiser")
        self.helpers: Mapping[str, nn.Module] = {}

    def inputs(self, chain: Chain, step: int) -> Inputs:
        """Crops and times."""
        clean, damaged, _ = latent_inputs(self, chain, step)
        return clean, damaged, chain.draw(step).uniform(self.batch)[:, 0]

    def outcome(self, *inputs: Tensor) -> Outcome:
        """The squared error."""
        clean, damaged, time = inputs
        target, condition = latents_of(self.model, clean, damaged)
        predicted = self.model.denoiser(torch.zeros_like(target), condition, time)
        return Outcome.of({"latent": F.mse_loss(predicted.float(), target)})
