"""Few-step samplers of the latent diffusion model; the same code runs on NumPy and on torch.

The path is variance preserving with the cosine schedule (Nichol 2021): z_t = a_t z + s_t e,
a_t = cos(pi t / 2), s_t = sin(pi t / 2), t from 1 (noise) to 0 (clean). The network predicts z.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar


class Latent(Protocol):
    """What a NumPy array and a torch tensor have in common, as far as a sampler needs it."""

    def __add__(self, other: Any, /) -> Any: ...
    def __sub__(self, other: Any, /) -> Any: ...
    def __mul__(self, other: Any, /) -> Any: ...


T = TypeVar("T", bound=Latent)
Denoise = Callable[[T, float], T]
"""(z_t, t) -> predicted clean latent."""


def signal_and_noise(t: float) -> tuple[float, float]:
    """The scales (a_t, s_t) of signal and noise at time t in [0, 1]."""
    return math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t)


def timesteps(steps: int, start: float) -> tuple[float, ...]:
    """`steps` equal times from `start` down, without the final zero."""
    return tuple(start * (steps - i) / steps for i in range(steps))


def ddim(denoise: Denoise[T], recovered: T, noise: T, times: Sequence[float]) -> T:
    """Deterministic sampler (Song 2021, DDIM, eta 0), warm-started from the recovered latent.

    A first time of 1 is pure noise; below 1 the start holds a_t of the recovered latent.
    """
    signal, scale = signal_and_noise(times[0])
    z: T = recovered * signal + noise * scale
    for t, t_next in _pairs(times):
        clean = denoise(z, t)
        (a, s), (a_next, s_next) = signal_and_noise(t), signal_and_noise(t_next)
        z = clean * a_next + (z - clean * a) * (s_next / s)
    return z


def _pairs(times: Sequence[float]) -> Iterator[tuple[float, float]]:
    return zip(times, [*times[1:], 0.0], strict=True)
