"""Method B: a network of two times, taught that one long jump equals two short ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..families.hiresldm.config import ModelConfig
from ..families.hiresldm.model import Model
from ..families.hiresldm.networks.denoiser import FREQUENCIES, Denoiser
from ..families.hiresldm.networks.layers import Linear
from ..training.damage.chain import Chain
from ..training.stages import Inputs, Outcome, latent_inputs, latents_of, times_of, trained
from .losses import diffused, shortcut_loss

COMPONENT = "two_time"
"""The name of the two-time network's file, beside the denoiser that is folded from it."""
COMPOSED = 0.5
"""Share of a batch that learns long jumps; the rest keeps the teacher's own task, r = t."""
TO_THE_END, FROM_NOISE = 0.5, 0.25
"""Shares of the jumps that end at a clean latent, and that start at pure noise."""
SMALLEST_TIME = 0.04


class TwoTimeDenoiser(Denoiser):
    """A denoiser that also knows the time (B,) at which its jump ends; at first it ignores it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.until_embed = Linear(2 * FREQUENCIES, config.denoiser.dim)
        nn.init.zeros_(self.until_embed.weight)

    def forward(  # type: ignore[override]  # one input more is the point
        self, noisy: Tensor, condition: Tensor, time: Tensor, until: Tensor
    ) -> Tensor:
        """Clean latent (B, L, C) as `Denoiser` gives it, for a jump that ends at `until`."""
        embedded = self.time_embed(self.waves(time)) + self.until_embed(self.waves(until))
        return self.predicted(noisy, condition, embedded)

    def folded(self, config: ModelConfig) -> Denoiser:
        """The plain denoiser of jumps that end at 0: there `until` adds a constant to a bias."""
        plain = Denoiser(config)
        own = {k: v for k, v in self.state_dict().items() if not k.startswith("until_embed")}
        plain.load_state_dict(own)
        with torch.no_grad():
            constant = self.until_embed(self.waves(self.tables.new_zeros(1)))
            plain.time_embed.bias.add_(constant.flatten())
        return plain


class OnGrid(nn.Module):
    """A two-time denoiser with the inputs of a plain one: each jump ends at the next of `times`."""

    times: Tensor

    def __init__(self, network: TwoTimeDenoiser, times: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("times", torch.tensor(times), persistent=False)

    def forward(self, noisy: Tensor, condition: Tensor, time: Tensor) -> Tensor:
        """Clean latent (B, L, C) as `Denoiser` gives it."""
        later = self.times < time[:, None] - 1e-4
        until = torch.where(later, self.times, 0.0).amax(1)
        return torch.as_tensor(self.network(noisy, condition, time, until))


class ShortcutStage:
    """Composition of jumps on a part of each batch, plain denoising on the rest."""

    def __init__(self, model: Model, *, batch: int, seconds: float) -> None:
        self.config, self.batch, self.seconds = model.config, batch, seconds
        self.model = model
        trained(model)
        self.student = TwoTimeDenoiser(model.config)
        self.student.load_state_dict(model.denoiser.state_dict(), strict=False)
        self.components: Mapping[str, nn.Module] = {COMPONENT: self.student}
        self.helpers: Mapping[str, nn.Module] = {}

    def inputs(self, chain: Chain, step: int) -> Inputs:
        """Crops, noise, the times of jumps, and those of plain denoising."""
        draw, count = chain.draw(step), round(COMPOSED * self.batch)
        plain = draw.uniform(self.batch - count)[:, 0]
        times = times_of(chain, *jumps(count, draw.rng))
        return *latent_inputs(self, chain, step), *times, plain

    def outcome(self, *inputs: Tensor) -> Outcome:
        """The losses of both tasks."""
        clean, damaged, noise, time, middle, until, plain = inputs
        count = len(time)
        target, condition = latents_of(self.model, clean, damaged)

        def network(noisy: Tensor, at: Tensor, end: Tensor) -> Tensor:
            return torch.as_tensor(self.student(noisy, condition[:count], at, end))

        jumped = diffused(target[:count], noise[:count], time)
        noisy = diffused(target[count:], noise[count:], plain)
        predicted = self.student(noisy, condition[count:], plain, plain)
        return Outcome.of(
            {
                "shortcut": shortcut_loss(network, jumped, time, middle, until),
                "latent": F.mse_loss(predicted.float(), target[count:]),
            }
        )


def jumps(size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start, middle and end, each (size,), of jumps that few-step samplers take."""
    time = 1 - rng.uniform(0, 1 - SMALLEST_TIME, size)
    time[rng.uniform(size=size) < FROM_NOISE] = 1
    until = rng.uniform(size=size) * time * (rng.uniform(size=size) > TO_THE_END)
    middle = until + rng.uniform(0.1, 0.9, size) * (time - until)
    return time, middle, until
