"""Latents that are computed once for a pair of networks, and batches of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..core.manifest import sha256_of
from ..core.weights import weights_file
from ..reference.model import Model
from ..reference.training.cache import PairCache
from ..reference.training.latents import LatentCache
from ..reference.training.noises import Rng
from ..reference.training.stages import as_tensor


class StoredLatents(LatentCache):
    """Clean and recovered latents of a cache, kept in its folder under the networks' own hash."""

    def __init__(self, cache: PairCache, model: Model, weights: Path) -> None:
        """Read the latents, or compute and write them; `weights` is the folder of `model`."""
        path = cache.folder / f"latents-{_hash_of(weights)}.safetensors"
        if not path.exists():
            super().__init__(cache, model.recovery, model.encoder, model.config)
            self._write(path)
            return
        self.cache, self.config = cache, model.config
        self.clean, self.recovered = {}, {}
        for name, latent in load_file(path).items():
            kind, offset, variant = name.split("/")
            own = self.clean if kind == "clean" else self.recovered
            own[int(offset), int(variant)] = latent

    def _write(self, path: Path) -> None:
        tensors = {}
        for kind, latents in (("clean", self.clean), ("recovered", self.recovered)):
            for (offset, variant), latent in latents.items():
                tensors[f"{kind}/{offset}/{variant}"] = latent.clone()  # no storage is shared
        partial = path.with_suffix(".partial")
        save_file(tensors, partial)
        partial.rename(path)


@dataclass(frozen=True)
class LatentBatches:
    """Random crops of `frames` latent frames and noise of their shape, on a device."""

    latents: LatentCache
    size: int
    frames: int
    device: str

    def draw(self, rng: Rng) -> tuple[Tensor, Tensor, Tensor]:
        """Clean latents, recovered latents and noise, each (size, frames, C)."""
        clean, recovered = self.latents.draw(self.size, self.frames, rng)
        noise = as_tensor(rng.standard_normal(clean.shape))
        return clean.to(self.device), recovered.to(self.device), noise.to(self.device)


def times_of(values: object, batch: Tensor) -> Tensor:
    """Times (B,) drawn on NumPy, where the batch is."""
    return torch.as_tensor(values, dtype=torch.float32).to(batch.device)


def _hash_of(weights: Path) -> str:
    parts = "".join(sha256_of(weights_file(weights, part)) for part in ("recovery", "encoder"))
    return hashlib.sha256(parts.encode()).hexdigest()[:12]
