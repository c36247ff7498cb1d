"""The baseline: a network of the same size that maps the recovered latent to the clean one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..reference.model import Model
from ..reference.training.cache import PairCache
from ..reference.training.crops import LatentCrops, times_of
from ..reference.training.noises import Rng
from ..reference.training.stages import Losses


class RegressorStage:
    """Least squares from the teacher's weights on.

    The rows that read the noisy latent are zero and get no gradient, and it trains at any time, so
    that it gives the same however it is sampled.
    """

    def __init__(self, model: Model, crops: LatentCrops) -> None:
        self.config, self.crops = model.config, crops
        self.student = model.denoiser
        with torch.no_grad():
            self.student.embed.weight[: self.config.front.latent_channels] = 0
        self.parts: dict[str, nn.Module] = {"denoiser": self.student}
        self.helpers: dict[str, nn.Module] = {}

    def losses(self, cache: PairCache, rng: Rng) -> Losses:
        """The squared error of a fresh batch."""
        clean, recovered, _ = self.crops.draw(cache, rng)
        time = times_of(rng.uniform(size=len(clean)), clean)
        predicted = self.student(torch.zeros_like(clean), recovered, time)
        return {"latent": F.mse_loss(predicted.float(), clean)}
