"""Method A: the teacher tuned to predict the same clean latent all along a path."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from ..families.hiresldm.model import Model
from ..training.damage.chain import Chain
from ..training.stages import Inputs, Outcome, latent_inputs, latents_of, times_of, trained
from .losses import consistency_loss

FIRST_GAP, LAST_GAP = 1, 4
"""r = t (1 - 2^-k): pairs of points lie half of t apart at first, a sixteenth of it at last."""
ANCHORED = 0.25
"""Share of a batch whose target is the clean latent."""
ANCHOR_TIME = 0.25
"""Anchors lie below it: with so little noise one clean latent is likely. Further up, the mean of
the many that are possible would be learned, which is what one-step sampling must not give."""
SMALLEST_TIME = 0.04
"""Points before it count as clean."""


class ConsistencyStage:
    """Consistency tuning of a denoiser; `progress` tells the share of the training that is done."""

    def __init__(self, model: Model, *, batch: int, seconds: float) -> None:
        self.config, self.batch, self.seconds = model.config, batch, seconds
        self.model = model
        self.components: Mapping[str, nn.Module] = trained(model, "denoiser")
        self.helpers: Mapping[str, nn.Module] = {}
        self.progress: Callable[[], float] = float

    def inputs(self, chain: Chain, step: int) -> Inputs:
        """Crops, noise, and pairs of times."""
        rng = chain.draw(step).rng
        times = pairs_of_times(self.batch, self.progress(), rng)
        return *latent_inputs(self, chain, step), *times_of(chain, *times)

    def outcome(self, *inputs: Tensor) -> Outcome:
        """The consistency loss."""
        clean, damaged, noise, time, earlier = inputs
        target, condition = latents_of(self.model, clean, damaged)

        def network(noisy: Tensor, at: Tensor) -> Tensor:
            return torch.as_tensor(self.model.denoiser(noisy, condition, at))

        loss = consistency_loss(network, target, noise, time, earlier)
        return Outcome.of({"consistency": loss})


def pairs_of_times(
    size: int, progress: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Times t and r < t, (size,) each, at a share `progress` of a training; anchors have r = 0."""
    gap = FIRST_GAP + int((LAST_GAP - FIRST_GAP + 1) * min(progress, 0.999))
    time = 1 - rng.uniform(0, 1 - SMALLEST_TIME, size)
    earlier = time * (1 - 2.0**-gap)
    earlier[earlier < SMALLEST_TIME] = 0
    anchors = round(ANCHORED * size)
    time[:anchors] = rng.uniform(SMALLEST_TIME / 2, ANCHOR_TIME, anchors)
    earlier[:anchors] = 0
    return time, earlier
