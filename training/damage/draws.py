"""Random numbers for batches: one seed, one device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Draw:
    """Seeded random numbers, as columns (n, 1) so that every row of a batch has its own.

    The same seed gives the same numbers on one kind of device; CPU and CUDA differ.
    """

    def __init__(self, seed: int | Sequence[int], device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator(self.device)
        self.generator.manual_seed(int(self.rng.integers(2**62)))

    def uniform(self, n: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """(n, 1) numbers from [low, high)."""
        drawn = torch.rand(n, 1, generator=self.generator, device=self.device)
        return low + (high - low) * drawn

    def log_uniform(self, n: int, low: float, high: float) -> Tensor:
        """(n, 1) numbers from [low, high), every octave equally likely."""
        return torch.as_tensor(low * (high / low) ** self.uniform(n))

    def coin(self, n: int, share: float | Tensor) -> Tensor:
        """(n, 1) of ones and zeros, ones with the probability `share`."""
        return (self.uniform(n) < share).float()

    def normal(self, *shape: int) -> Tensor:
        """Normal numbers of a shape."""
        return torch.randn(*shape, generator=self.generator, device=self.device)

    def below(self, limit: int, *shape: int) -> Tensor:
        """Integers from [0, limit) of a shape."""
        return torch.randint(limit, shape, generator=self.generator, device=self.device)

    def order(self, n: int) -> Tensor:
        """The numbers 0 to n - 1 in random order."""
        return torch.randperm(n, generator=self.generator, device=self.device)
