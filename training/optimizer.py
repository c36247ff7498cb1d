"""What moves the weights: Muon for matrices inside blocks, AdamW for the rest; their average."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

NAMES = "Muon for the matrices inside blocks, AdamW for the rest"
LARGEST_NORM = 1.0
DISCRIMINATOR_BETAS = (0.8, 0.99)


class Optimizer:
    """All optimizers of a module, as one (Jordan 2024; Liu 2025 for the rate of Muon).

    Steps whose matrices have even singular values get further with every batch. What is trained
    only to help (`discriminator`) follows the rest with a shorter memory.
    """

    def __init__(self, module: nn.Module, learning_rate: float) -> None:
        named = {n: p for n, p in module.named_parameters() if p.requires_grad}
        discriminator = {n for n in named if n.startswith("discriminator.")}
        inner = {n for n, p in named.items() if ".blocks." in n and p.ndim == 2} - discriminator
        rest = [p for n, p in named.items() if n not in inner | discriminator]
        self.main = [named[n] for n in named if n not in discriminator]
        self.discriminator = [named[n] for n in sorted(discriminator)]
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
        if discriminator:
            self.all.append(
                torch.optim.AdamW(self.discriminator, lr=learning_rate, betas=DISCRIMINATOR_BETAS)
            )

    def step(self, rate: float) -> Tensor:
        """One step at a learning rate; gives whether the gradient was finite, else it is zero.

        Nothing here waits for the device, which would stand still in the meantime.
        """
        norm = nn.utils.clip_grad_norm_(self.main, LARGEST_NORM)
        if self.discriminator:
            norm = norm + nn.utils.clip_grad_norm_(self.discriminator, 10 * LARGEST_NORM)
        finite = torch.isfinite(norm)
        for parameter in (*self.main, *self.discriminator):
            if parameter.grad is not None:
                parameter.grad.nan_to_num_(0.0, 0.0, 0.0).mul_(finite)
        for one in self.all:
            for group in one.param_groups:
                group["lr"] = rate
            one.step()
        return finite


class Average(AveragedModel):
    """Exponential moving average whose memory grows with the run, so that a start fades early."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        super().__init__(module, multi_avg_fn=self._moved)

    @torch.no_grad()
    def _moved(
        self, averages: Sequence[Tensor], currents: Sequence[Tensor], _count: Tensor | int
    ) -> None:
        count = int(self.n_averaged)  # on the host; the one given would have to come from a GPU
        ramp = (1 + count) / (10 + count)
        torch._foreach_lerp_(list(averages), list(currents), 1 - min(self.decay, ramp))
