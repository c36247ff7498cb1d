"""Latents of a cache of damaged speech, computed once for the stages that train on them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...core.manifest import sha256_of
from .. import frontend
from ..model import open_part
from .cache import Clip, PairCache
from .noises import Rng

FULL_BAND_HZ = 16_000.0
"""Stages that generate the top of the spectrum learn only from clips that have one."""


class LatentCache:
    """Clean and recovered latents of a cache, kept in its folder under the two parts' own hash."""

    def __init__(self, cache: PairCache, recovery: Path, encoder: Path) -> None:
        """Read the latents, or compute and write them with the weights in these files."""
        self.cache = cache
        path = cache.folder / f"latents-{_hash_of(recovery, encoder)}.safetensors"
        if not path.exists():
            partial = path.with_suffix(".partial")
            save_file(_computed(cache, recovery, encoder), partial)
            partial.rename(path)
        self._latents = load_file(path)

    def draw(self, size: int, frames: int, rng: Rng) -> tuple[Tensor, Tensor]:
        """Random crops (B, frames, C) of clean and recovered latents, speakers equally likely."""
        crops = [self._crop(frames, rng) for _ in range(size)]
        clean, recovered = (torch.stack(column) for column in zip(*crops, strict=True))
        return clean, recovered

    def _crop(self, frames: int, rng: Rng) -> tuple[Tensor, Tensor]:
        clip = self.cache.pick(rng, FULL_BAND_HZ)
        variant = int(rng.integers(self.cache.variants))
        pair = self._latents[_key(clip, variant)]  # (2, L, C)
        pair = pair.repeat(1, -(-frames // pair.shape[1]), 1)  # a short clip is heard again
        start = int(rng.integers(pair.shape[1] - frames + 1))
        clean, recovered = pair[:, start : start + frames].float()  # kept as fp16, used as fp32
        return clean, recovered


def _computed(cache: PairCache, recovery: Path, encoder: Path) -> dict[str, Tensor]:
    """The pair of latents (2, L, C), clean and recovered, of every full-band clip and variant."""
    config, recover = open_part(recovery, "recovery")
    _, encode = open_part(encoder, "encoder")
    made = {}
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        for clip in cache.clips:
            if clip.bandwidth_hz < FULL_BAND_HZ:
                continue
            for variant in range(cache.variants):
                waves = _waves(cache, clip, variant, config.front.latent_hop)
                clean, damaged = (frontend.stft(wave, config.front) for wave in waves)
                pair = torch.cat([clean, recover(damaged)])
                made[_key(clip, variant)] = encode(frontend.log_mel(pair, config.front)).half()
    return made


def _waves(cache: PairCache, clip: Clip, variant: int, latent_hop: int) -> Sequence[Tensor]:
    pair = cache.whole(clip, variant)
    length = len(pair[0]) // latent_hop * latent_hop
    return [torch.from_numpy(wave[None, :length]) for wave in pair]


def _key(clip: Clip, variant: int) -> str:
    return f"{clip.offset}/{variant}"


def _hash_of(*weights: Path) -> str:
    return hashlib.sha256("".join(map(sha256_of, weights)).encode()).hexdigest()[:12]
