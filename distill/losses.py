"""What a few-step student learns: pure functions of a network, clean latents and noise.

The path is that of `core.sampler`: z_t = cos(pi t / 2) z + sin(pi t / 2) e. Times are (B,),
latents (B, ..., C); the network predicts the clean latent.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Network = Callable[[Tensor, Tensor], Tensor]
"""(z_t, t) -> clean latent."""
TwoTimeNetwork = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(z_t, t, r) -> what a DDIM step from t must take as the clean latent to arrive at time r."""

LARGEST_WEIGHT = 20.0
_HUBER = 0.00054
"""Width of the pseudo-Huber norm per square root of a dimension (Song 2023, iCT)."""


def diffused(clean: Tensor, noise: Tensor, time: Tensor) -> Tensor:
    """The noisy latent z_t."""
    angle = _angle(time, clean)
    return torch.cos(angle) * clean + torch.sin(angle) * noise


def jump(noisy: Tensor, clean: Tensor, time: Tensor, until: Tensor) -> Tensor:
    """The deterministic (DDIM) step from `time` > 0 to `until` with a predicted clean latent."""
    start, end = _angle(time, noisy), _angle(until, noisy)
    return (torch.sin(start - end) * clean + torch.sin(end) * noisy) / torch.sin(start)


def pseudo_huber(predicted: Tensor, target: Tensor) -> Tensor:
    """Distance of latent frames, averaged over all but the batch: (B,)."""
    width = _HUBER * math.sqrt(predicted.shape[-1])
    squares = ((predicted - target) ** 2).sum(-1)
    return (torch.sqrt(squares + width**2) - width).reshape(len(predicted), -1).mean(1)


def consistency_loss(
    network: Network, clean: Tensor, noise: Tensor, time: Tensor, earlier: Tensor
) -> Tensor:
    """Two points of one path shall have one prediction (Geng 2024, ECT).

    The later point follows the earlier one, which gets no gradient; where `earlier` is 0 the
    target is the clean latent itself. Errors weigh as 1 / (time - earlier), up to a limit.
    """
    predicted = network(diffused(clean, noise, time), time)
    with torch.no_grad():
        target = network(diffused(clean, noise, earlier), earlier)
        target = torch.where(_spread(earlier, clean) > 0, target, clean)
    weight = (1 / (time - earlier)).clamp(max=LARGEST_WEIGHT)
    return (weight * pseudo_huber(predicted.float(), target.float())).mean()


def shortcut_loss(
    network: TwoTimeNetwork,
    noisy: Tensor,
    time: Tensor,
    middle: Tensor,
    until: Tensor,
) -> Tensor:
    """One jump from `time` to `until` shall arrive where two jumps through `middle` do.

    A jump moves z / sin by the prediction times the gain in cot(pi t / 2), so the prediction of
    the long jump is the mean of the short ones', weighted by their gains: the composition of
    average velocities (COSE, arXiv 2509.15952) in terms of clean latents, without derivatives.
    """
    with torch.no_grad():
        first = network(noisy, time, middle).float()
        second = network(jump(noisy, first, time, middle), middle, until).float()
        share = _share(_angle(time, noisy), _angle(middle, noisy), _angle(until, noisy))
        target = share * first + (1 - share) * second
    return ((network(noisy, time, until).float() - target) ** 2).mean()


def _share(start: Tensor, middle: Tensor, end: Tensor) -> Tensor:
    """(cot middle - cot start) / (cot end - cot start), finite for an end of zero."""
    return torch.sin(start - middle) * torch.sin(end) / (torch.sin(start - end) * torch.sin(middle))


def _angle(time: Tensor, like: Tensor) -> Tensor:
    return _spread(time, like) * (math.pi / 2)


def _spread(time: Tensor, like: Tensor) -> Tensor:
    return time.reshape(-1, *[1] * (like.dim() - 1))
