"""Latents of a cache of damaged speech, computed once for the stages that train on them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .. import frontend
from ..config import ModelConfig
from .cache import Clip, PairCache
from .noises import Rng

FULL_BAND_HZ = 16_000.0
"""Stages that generate the top of the spectrum learn only from clips that have one."""


class LatentCache:
    """Clean and recovered latents of every cached clip, computed once."""

    def __init__(
        self, cache: PairCache, recovery: nn.Module, encoder: nn.Module, config: ModelConfig
    ) -> None:
        self.cache, self.config = cache, config
        self.clean: dict[tuple[int, int], Tensor] = {}
        self.recovered: dict[tuple[int, int], Tensor] = {}
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            for clip in cache.clips:
                if clip.bandwidth_hz < FULL_BAND_HZ:
                    continue
                for variant in range(cache.variants):
                    clean, damaged = (
                        frontend.stft(wave, config.front) for wave in self._waves(clip, variant)
                    )
                    pair = torch.cat([clean, recovery(damaged)])
                    latents = encoder(frontend.log_mel(pair, config.front)).half()
                    self.clean[clip.offset, variant], self.recovered[clip.offset, variant] = latents

    def draw(self, size: int, frames: int, rng: Rng) -> tuple[Tensor, Tensor]:
        """Random crops (B, frames, C) of clean and recovered latents, speakers equally likely."""
        crops = [self._crop(frames, rng) for _ in range(size)]
        clean, recovered = (torch.stack(column) for column in zip(*crops, strict=True))
        return clean, recovered

    def _crop(self, frames: int, rng: Rng) -> tuple[Tensor, Tensor]:
        clip = self.cache.pick(rng, FULL_BAND_HZ)
        key = (clip.offset, int(rng.integers(self.cache.variants)))
        clean, recovered = self.clean[key], self.recovered[key]
        if len(clean) < frames:  # a short clip is heard again
            repeats = -(-frames // len(clean))
            clean, recovered = clean.repeat(repeats, 1), recovered.repeat(repeats, 1)
        start = int(rng.integers(len(clean) - frames + 1))
        where = slice(start, start + frames)
        return clean[where].float(), recovered[where].float()  # kept as fp16, used as fp32

    def _waves(self, clip: Clip, variant: int) -> Sequence[Tensor]:
        pair = self.cache.whole(clip, variant)
        length = len(pair[0]) // self.config.front.latent_hop * self.config.front.latent_hop
        return [torch.from_numpy(wave[None, :length]) for wave in pair]
