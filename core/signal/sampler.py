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
Sample = Callable[[Denoise[T], T, T, Sequence[float]], T]
"""(denoise, recovered latent, noise, falling times) -> clean latent."""


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
    z = _start(recovered, noise, times[0])
    for t, t_next in _pairs(times):
        z = _step(z, denoise(z, t), t, t_next)
    return z


def dpmpp_2m(denoise: Denoise[T], recovered: T, noise: T, times: Sequence[float]) -> T:
    """Second-order sampler after DPM-Solver++ 2M (Lu 2022), which starts and ends as `ddim` does.

    The steps between take the prediction extrapolated to their middle from the last two. The
    extrapolation is in time, as the paper's log-SNR is infinite at both ends of this path.
    """
    z = _start(recovered, noise, times[0])
    before: tuple[T, float] | None = None
    for t, t_next in _pairs(times):
        clean = ahead = denoise(z, t)
        if before is not None and t_next > 0:
            earlier, t_earlier = before
            ahead = clean + (clean - earlier) * ((t - t_next) / (t_earlier - t) / 2)
        z = _step(z, ahead, t, t_next)
        before = clean, t
    return z


def _start(recovered: T, noise: T, t: float) -> T:
    signal, scale = signal_and_noise(t)
    start: T = recovered * signal + noise * scale
    return start


def _step(z: T, clean: T, t: float, t_next: float) -> T:
    (a, s), (a_next, s_next) = signal_and_noise(t), signal_and_noise(t_next)
    stepped: T = clean * a_next + (z - clean * a) * (s_next / s)
    return stepped


def _pairs(times: Sequence[float]) -> Iterator[tuple[float, float]]:
    return zip(times, [*times[1:], 0.0], strict=True)
