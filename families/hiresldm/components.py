"""The exportable networks: adding one is adding an entry."""

from __future__ import annotations

from ...core.spec import Component, Dim, Tensor
from .host import Host

NAMES = ("recovery", "encoder", "denoiser", "decoder")
FRAMES = Dim("frames", low=1, high=8192, example=50)
"""Latent frames, 50 a second in `edge`; a spectrum has `stride` for each."""
FIXED_LENGTHS = (64, 128, 256, 384)
"""Of components of the latent, which a neural engine may run; spectra are too wide for it. The last
one holds a chunk of 6 s and its context."""
BOUNDARY = ("embed", "head", "mask")


def components(host: Host) -> tuple[Component, ...]:
    """The components of a model with this front end, in the order in which audio passes them."""
    front = host.front
    latent = (1, FRAMES, front.latent_channels)
    frames = (front.stride, FRAMES)
    spectrum = (1, frames, 2 * front.bins)
    return (
        Component(
            "recovery",
            (Tensor("spectrum", spectrum),),
            (Tensor("recovered", spectrum),),
            boundary_layers=BOUNDARY,
        ),
        Component(
            "encoder",
            (Tensor("log_mel", (1, frames, front.mel_bands)),),
            (Tensor("latent", latent),),
            fixed_lengths=FIXED_LENGTHS,
            boundary_layers=BOUNDARY,
        ),
        Component(
            "denoiser",
            (Tensor("noisy", latent), Tensor("condition", latent), Tensor("time", (1,))),
            (Tensor("clean", latent),),
            per_step=True,
            fixed_lengths=FIXED_LENGTHS,
            boundary_layers=BOUNDARY,
        ),
        Component(
            "decoder",
            (Tensor("latent", latent), Tensor("recovered", spectrum)),
            (Tensor("restored", spectrum),),
            boundary_layers=BOUNDARY,
        ),
    )
