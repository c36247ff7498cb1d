"""What moves the weights: Muon for matrices inside blocks, AdamW for the rest; their average."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

NAMES = "Muon for the matrices inside blocks, AdamW for the rest"
LARGEST_NORM = 1.0
CRITIC_BETAS = (0.8, 0.99)


class Optimizer:
    """All optimizers of a module, as one (Jordan 2024; Liu 2025 for the rate of Muon).

    Steps whose matrices have even singular values get further with every batch. What is trained
    only to help (`critic`) follows the rest with a shorter memory.
    """

    def __init__(self, module: nn.Module, learning_rate: float) -> None:
        named = {n: p for n, p in module.named_parameters() if p.requires_grad}
        critic = {n for n in named if n.startswith("critic.")}
        inner = {n for n, p in named.items() if ".blocks." in n and p.ndim == 2} - critic
        rest = [p for n, p in named.items() if n not in inner | critic]
        self.main = [named[n] for n in named if n not in critic]
        self.critic = [named[n] for n in sorted(critic)]
        self.all: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
        ]
        if inner:
            matrices = [named[n] for n in sorted(inner)]
            self.all.append(
                torch.optim.Muon(
                    matrices, lr=learning_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
                )
            )
        if critic:
            self.all.append(torch.optim.AdamW(self.critic, lr=learning_rate, betas=CRITIC_BETAS))

    def step(self, rate: float) -> bool:
        """One step at a learning rate; not taken, and False, where a gradient is not finite."""
        norm = nn.utils.clip_grad_norm_(self.main, LARGEST_NORM)
        if self.critic:
            norm = norm + nn.utils.clip_grad_norm_(self.critic, 10 * LARGEST_NORM)
        if not torch.isfinite(norm):
            return False
        for one in self.all:
            for group in one.param_groups:
                group["lr"] = rate
            one.step()
        return True


class Average(AveragedModel):
    """Exponential moving average whose memory grows with the run, so that a start fades early."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        super().__init__(module, multi_avg_fn=self._moved)

    @torch.no_grad()
    def _moved(
        self, averages: Sequence[Tensor], currents: Sequence[Tensor], count: Tensor | int
    ) -> None:
        ramp = (1 + int(count)) / (10 + int(count))
        torch._foreach_lerp_(list(averages), list(currents), 1 - min(self.decay, ramp))
