"""The exportable networks and their tensors; (1, channels, frames), as the package has them."""

from __future__ import annotations

from ...core.spec import Component, Dim, Tensor
from .host import BINS, HOP, LATENT, MELS, NOISE, WAVES, Host

FEATURES = 160
"""What the vocoder hears: the mel's bands, and as many more as the decoder adds."""
_FRAMES = Dim("frames", low=2, high=4096, example=50)
"""105 a second."""
_BLOCKS = Dim("blocks", low=1, high=256, example=4)
_PIECE = Dim("frames", low=4, high=512, example=50)
"""The vocoder's first layer mirrors three frames at both ends."""


def _unproven(operation: str) -> tuple[tuple[str, str], ...]:
    """Core ML knows it, but off a Mac nothing runs it, so that no gate could judge the file."""
    return (("coreml", f"the interpreter that proves its files lacks {operation}"),)


def components(host: Host) -> tuple[Component, ...]:
    """The components of a model with this host, in the order in which audio passes them."""
    spectrum = (1, 3, BINS, (host.denoiser_frames, _BLOCKS))
    mel, latent = Tensor("mel", (1, MELS, _FRAMES)), (1, LATENT, _FRAMES)
    return (
        Component(
            "denoiser",
            (Tensor("spectrum", spectrum),),
            (Tensor("mask", spectrum),),
            hops=host.denoiser_frames,
            refused=_unproven("upsample_nearest_neighbor"),
        ),
        Component("encoder", (mel,), (Tensor("latent", latent),), refused=_unproven("reduce_mean")),
        Component(
            "clean",
            (Tensor("noisy", latent), mel, Tensor("time", (1,)), Tensor("waves", (1, WAVES))),
            (Tensor("clean", latent),),
            per_step=True,
            refused=_unproven("instance_norm"),
        ),
        Component(
            "decoder",
            (Tensor("latent", latent),),
            (Tensor("features", (1, FEATURES, _FRAMES)),),
            refused=_unproven("reduce_mean"),
        ),
        Component(
            "vocoder",
            (Tensor("features", (1, FEATURES, _PIECE)), Tensor("noise", (1, NOISE, _PIECE))),
            (Tensor("wave", (1, (HOP, _PIECE))),),
            refused=_unproven("matmul"),
        ),
    )
