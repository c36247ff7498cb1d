"""Method A: the teacher tuned to predict the same clean latent all along a path."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ..reference.denoiser import Denoiser
from ..reference.model import Model
from ..reference.training.cache import PairCache
from ..reference.training.crops import LatentCrops, times_of
from ..reference.training.noises import Rng
from ..reference.training.stages import Losses
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

    def __init__(self, model: Model, crops: LatentCrops) -> None:
        self.config, self.crops = model.config, crops
        self.student: Denoiser = model.denoiser
        self.parts: dict[str, nn.Module] = {"denoiser": self.student}
        self.helpers: dict[str, nn.Module] = {}
        self.progress: Callable[[], float] = float

    def losses(self, cache: PairCache, rng: Rng) -> Losses:
        """The consistency loss of a fresh batch."""
        clean, recovered, noise = self.crops.draw(cache, rng)
        time, earlier = (
            times_of(t, clean) for t in pairs_of_times(len(clean), self.progress(), rng)
        )

        def network(noisy: Tensor, at: Tensor) -> Tensor:
            return torch.as_tensor(self.student(noisy, recovered, at))

        return {"consistency": consistency_loss(network, clean, noise, time, earlier)}


def pairs_of_times(size: int, progress: float, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """Times t and r < t, (size,) each, at a share `progress` of a training; anchors have r = 0."""
    gap = FIRST_GAP + int((LAST_GAP - FIRST_GAP + 1) * min(progress, 0.999))
    time = 1 - rng.uniform(0, 1 - SMALLEST_TIME, size)
    earlier = time * (1 - 2.0**-gap)
    earlier[earlier < SMALLEST_TIME] = 0
    anchors = round(ANCHORED * size)
    time[:anchors] = rng.uniform(SMALLEST_TIME / 2, ANCHOR_TIME, anchors)
    earlier[:anchors] = 0
    return time, earlier
